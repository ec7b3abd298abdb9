"""One file per promise, on real processes."""
