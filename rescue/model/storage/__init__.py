"""Disks and what lies on them: devices, tables, file systems, mounts, the machine as a whole."""
