"""Servers with layers between partitions and file systems, by the names of their layouts."""
