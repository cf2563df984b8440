"""One command a module: discover, plan, confirm, apply, verify."""
