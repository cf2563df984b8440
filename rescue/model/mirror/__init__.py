"""A mirror: its record and role, the plan that makes it, and the identifiers it gets."""
