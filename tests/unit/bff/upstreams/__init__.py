"""Tests of the calls to core services, from bytes to records."""
