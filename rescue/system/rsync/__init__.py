"""The door to rsync: its commands, filters, listings and digests."""
