"""The only rooms that print or ask."""
