"""From a granted `Plan` to a disk: the only rooms that write to one."""
