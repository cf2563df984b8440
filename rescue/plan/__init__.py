"""Pure planning: from a `Machine` and a request to a `Plan` or to refusals."""
