"""What a mirror's disk will look like: table, file systems, identifiers."""
