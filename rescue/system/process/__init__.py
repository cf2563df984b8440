"""Doors to processes: started, bounded in time and output, and ended with us."""
