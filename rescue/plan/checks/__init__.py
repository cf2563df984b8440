"""What stands against a plan: each check returns findings."""
