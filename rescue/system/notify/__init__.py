"""Doors to people: mail, terminals, Apprise and the journal."""
