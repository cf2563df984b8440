"""The steps of a plan, in their order."""
