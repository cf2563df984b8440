"""The schedule: planned, installed on this machine and looked at."""
