"""The status of a machine, for a person, a page and a monitoring system."""
