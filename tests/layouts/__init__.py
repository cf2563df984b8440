"""Machines of any layout for tests: put together by hand, drawn, or as people described theirs."""
