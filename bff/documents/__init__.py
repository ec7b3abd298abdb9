"""Which document a request means, and whether it may be answered; running it is left to `plans`."""
