"""Doors to files and trees: written atomically, read without following links, compared."""
