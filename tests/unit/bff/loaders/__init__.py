"""Tests of the loaders: how keys become calls, and answers records."""
