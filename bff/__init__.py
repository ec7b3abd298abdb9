"""Facet's gateway: one process per platform answers one screen in one round trip."""
