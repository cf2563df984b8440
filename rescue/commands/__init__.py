"""The verbs, one module each: discover, plan, confirm, apply, verify."""
