"""What each `bff` verb does. The only room that prints, and that may name a core service."""
