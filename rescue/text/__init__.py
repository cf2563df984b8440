"""Formats of text that the boot reads: parsed and written, and no file is opened."""
