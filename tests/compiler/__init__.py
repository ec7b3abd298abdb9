"""Proofs that compiled plans answer as graphql-core does: its own suite, a fuzz, a table of values,
and a gate of seeded bugs that shows these proofs can fail."""
