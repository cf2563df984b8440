"""Keeps a second disk that boots: prepare it, mirror onto it, start from it."""

__version__ = "0.1.0"
