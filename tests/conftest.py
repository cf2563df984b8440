"""What holds for every test."""

import os
import tempfile

import pytest
from hypothesis import settings

# A machine that does other work beside it is slow: nothing here is judged by the clock.
settings.register_profile("rescue", deadline=None)
settings.load_profile("rescue")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let the long stories be asked for."""
    parser.addoption("--long", action="store_true", help="run the long stories, too")


STOCK = "RESCUE_LAB_STOCK"
"""Environment variable: the folder that a session's workers share their frozen servers in."""


def pytest_configure(config: pytest.Config) -> None:
    """Make the folder of the session, which is gone when it ends: frozen servers are large."""
    if not hasattr(config, "workerinput"):
        folder = tempfile.TemporaryDirectory(prefix="rescue-stock-")
        config.add_cleanup(folder.cleanup)
        os.environ[STOCK] = folder.name


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Say what one worker does alone, and skip what takes many minutes unless it is asked for."""
    for item in items:
        if group := _group(item):
            item.add_marker(pytest.mark.xdist_group(group))
    if config.getoption("--long"):
        return
    for item in items:
        if item.get_closest_marker("long"):
            item.add_marker(pytest.mark.skip(reason="takes minutes: 'make test-long' runs it"))


def _group(item: pytest.Item) -> str:
    """Return which tests have to go one after the other; '' where it does not matter.

    What uses this machine's own mounts and loop devices counts them before and after; the stories
    of one file share a server.
    """
    if item.get_closest_marker("root"):
        return "this machine"
    return item.path.stem if item.path.parent.name == "guest" else ""
