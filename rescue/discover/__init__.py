"""From the doors to a `Machine`: reads, and writes nothing."""
