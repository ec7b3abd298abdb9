"""Per-request batching: every loader is an `XByYLoader` and makes one list-wise upstream call."""
