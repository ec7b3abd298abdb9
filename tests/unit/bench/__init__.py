"""The bench's own arithmetic and protocols; no timing is asserted here."""
