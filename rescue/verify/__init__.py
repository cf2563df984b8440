"""Checks of what is on a disk; nothing is written."""
