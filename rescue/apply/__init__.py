"""The handlers that carry out a granted plan: nothing else writes to a disk."""
