"""From a `Machine` and a request to a `Plan` or to refusals: pure functions."""
