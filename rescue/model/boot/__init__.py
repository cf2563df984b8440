"""How a machine starts: firmware, menus, and the files that name a disk."""
