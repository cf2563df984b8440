"""Formats of text that the boot reads: parsed and written, without opening a file."""
