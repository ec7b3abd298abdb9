"""Tests of what leaves: envelope, masking, caching."""
