"""Everything that prints or asks, and nothing else does."""
