"""The harness keeps its own promises: test runs side by side do not meet."""
