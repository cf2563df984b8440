"""The restore of the users' files from a dead disk: found, planned and copied."""
