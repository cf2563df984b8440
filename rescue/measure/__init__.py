"""What a run would do, measured on source and mirror, of which neither is written to."""
