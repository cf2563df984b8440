"""The rehearsal of the night: throw-away disks made of the real mirror, and the guests they run."""
