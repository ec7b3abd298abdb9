"""Tests of executing an operation."""
