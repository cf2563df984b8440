"""A run and what surrounds it: history, hooks, schedule, alarms, status."""
