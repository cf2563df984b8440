"""Doors to block devices: found, read, partitioned, formatted and copied."""
