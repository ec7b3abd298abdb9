"""Items, their counters and comments, and what viewers saved and began."""
