"""Looks at what is on a disk and says what it found: reads, and writes nothing."""
