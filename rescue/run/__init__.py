"""A run: what the verbs that write a mirror share."""
