"""The doors to the world: one module for each thing outside that we speak to."""
