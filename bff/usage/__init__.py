"""Counts what releases ask for, off the request path, and writes roll-ups; reading is for tools."""
