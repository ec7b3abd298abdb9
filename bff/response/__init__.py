"""What leaves: the envelope, masked errors, caching facts; framing and statuses are the edge's."""
