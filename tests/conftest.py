"""What holds for every test."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from tests.lab.image import locked

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


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Skip what takes many minutes, unless it is asked for."""
    if config.getoption("--long"):
        return
    for item in items:
        if item.get_closest_marker("long"):
            item.add_marker(pytest.mark.skip(reason="takes minutes: 'make test-long' runs it"))


@pytest.fixture(autouse=True)
def _alone_on_this_machine(request: pytest.FixtureRequest) -> Iterator[None]:
    """Let one worker at a time use the machine's own mounts and loop devices: they are counted."""
    if not request.node.get_closest_marker("root"):
        yield
        return
    with locked(Path(os.environ[STOCK]), "machine"):
        yield
