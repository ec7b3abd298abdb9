"""Inboxes, what was read in them, and who wants to be told what."""
