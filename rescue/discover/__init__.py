"""Reading the machine through the doors into a `Machine`; nothing is written."""
