"""What holds for every test."""

import pytest
from hypothesis import settings

# A machine that does other work beside it is slow: nothing here is judged by the clock.
settings.register_profile("rescue", deadline=None)
settings.load_profile("rescue")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let the long stories be asked for."""
    parser.addoption("--long", action="store_true", help="run the long stories, too")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Skip what takes many minutes, unless it is asked for."""
    if config.getoption("--long"):
        return
    for item in items:
        if item.get_closest_marker("long"):
            item.add_marker(pytest.mark.skip(reason="takes minutes: 'make test-long' runs it"))
