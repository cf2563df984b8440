"""What holds for every test."""

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from rescue.errors import RescueError
from rescue.paths import RUNTIME
from rescue.system.files import mount_namespace
from rescue.system.process.run import run
from tests.lab.accel import STOCK
from tests.lab.image import locked

# A machine that does other work beside it is slow: nothing here is judged by the clock.
settings.register_profile("rescue", deadline=None)
# 'make fuzz': other tries each time, and the line that brings a found one back.
settings.register_profile("fuzz", deadline=None, max_examples=1_000, print_blob=True)
settings.load_profile("rescue")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let the long stories be asked for."""
    parser.addoption("--long", action="store_true", help="run the long stories, too")


def pytest_configure(config: pytest.Config) -> None:
    """Make the folder of the session, which is gone when it ends: frozen servers are large."""
    mount_apart()
    if not hasattr(config, "workerinput"):
        folder = tempfile.TemporaryDirectory(prefix="rescue-stock-")
        config.add_cleanup(folder.cleanup)
        os.environ[STOCK] = folder.name


def mount_apart() -> None:
    """Let no other process see what the tests of this one mount, nor these what others mount.

    A process that enters a mount namespace takes a copy of all mounts along. As long as it lives,
    each of those file systems is in use, and unmounted by nobody else. The folder of what runs has
    our lock in it, and places where a run mounts.
    """
    with contextlib.suppress(RescueError):  # root alone mounts, and root not in every container
        mount_namespace.enter_private()
        run(["mount", "--make-rprivate", "/"])
        RUNTIME.mkdir(mode=0o700, exist_ok=True)
        run(mount_namespace.tmpfs_argv(RUNTIME, size="50%", mode="0700"))


LONGEST = (
    "test_mirror_refuses.py",
    "test_night.py",
    "test_schedule.py",
    "test_wizard.py",
    "test_main_story.py",
    "test_two_mirrors.py",
)
"""Files of guest tests that take minutes: begun last, one worker would end long after the other."""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Put the tests in order, and skip what takes many minutes, unless it is asked for."""
    items.sort(key=_turn)
    if config.getoption("--long"):
        return
    for item in items:
        if item.get_closest_marker("long"):
            item.add_marker(pytest.mark.skip(reason="takes minutes: 'make test-long' runs it"))


def _turn(item: pytest.Item) -> int:
    """Return when a file's turn is; tests of equal ones stay as they were.

    The first guest needs the server's image, which takes minutes to build where the cache lacks
    it, and every other guest would wait for that: what needs none comes second.
    """
    if "guest" not in item.path.parts:
        return 1
    place = LONGEST.index(item.path.name) if item.path.name in LONGEST else len(LONGEST)
    return 0 if place == 0 else 1 + place


@pytest.fixture(autouse=True)
def _alone_on_this_machine(request: pytest.FixtureRequest) -> Iterator[None]:
    """Let one worker at a time use the machine's own loop devices: they are counted."""
    if not request.node.get_closest_marker("root"):
        yield
        return
    with locked(Path(os.environ[STOCK]), "machine"):
        yield
