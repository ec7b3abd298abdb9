"""Leaf values every platform may use. A block never points to an entity; it knows no platform."""
