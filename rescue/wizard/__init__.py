"""The wizard without its terminal: which disks can be chosen, and which step comes next."""
