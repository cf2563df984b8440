"""The rehearsal of the night: played in guests on throw-away copies of the real mirror."""
