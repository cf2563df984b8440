"""The way back of the users' files: what is asked for, compared and decided."""
