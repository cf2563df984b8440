"""The enrolled mirrors: which is meant, which is attached, and whose turn it is."""
