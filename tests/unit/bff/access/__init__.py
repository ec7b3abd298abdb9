"""Tests of who the viewer is."""
