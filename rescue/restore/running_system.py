"""The running system's file systems as the target of a restore, in a private mount namespace.

Users work in them meanwhile, and may swap a folder for a link: here no link leads anywhere. What is
mounted on them is not seen, be it another disk or somebody's own FUSE mount, which not even root
can look into.
"""

import contextlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from rescue import paths
from rescue.errors import RescueError
from rescue.system.files import mount_namespace


@contextmanager
def seen_apart(
    mount_points: Iterable[str], *, root: Path = Path("/")
) -> Iterator[Mapping[str, Path]]:
    """Bind these file systems writable while the block runs; yield where each one is.

    `root` is where the running system's tree is seen. Takes this process into a private mount
    namespace for good. Raises RescueError without root, CommandError where one cannot be bound.
    """
    mount_namespace.enter_private()
    paths.HERE.mkdir(mode=0o700, parents=True, exist_ok=True)
    mount_namespace.mount(mount_namespace.tmpfs_argv(paths.HERE, size="1m", mode="0700"))
    try:
        places = {}
        for number, point in enumerate(dict.fromkeys(mount_points)):
            places[point] = paths.HERE / str(number)
            places[point].mkdir()
            source = root / point.lstrip("/")
            mount_namespace.uncover(source)
            mount_namespace.bind_safely(source, places[point], read_only=False)
        yield places
    finally:
        with contextlib.suppress(RescueError):
            mount_namespace.unmount_all(paths.HERE)
