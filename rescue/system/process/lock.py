"""The lock that lets one run at a time proceed; it ends with its holder (man 2 flock)."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rescue import paths
from rescue.errors import BusyError, UsageError

_PAUSE = 1.0


@contextmanager
def only_one_run(path: Path = paths.LOCK, *, patience: float = 0.0) -> Iterator[None]:
    """Hold the lock while the block runs, after `patience` seconds of waiting for it at most.

    Raises BusyError where another process has it, UsageError where this one is not root's.

    Children do not inherit it: an rsync that outlives us does not hold it for us.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except PermissionError as error:
        raise UsageError("only root can do this", hint="try it with sudo") from error
    try:
        try:
            _take(fd, patience)
        except BlockingIOError as error:
            holder = os.read(fd, 32).decode("ascii", "replace").strip()
            raise BusyError(
                f"another run of rescue is active{f' (process {holder})' if holder else ''}",
                hint="wait until it is done; 'journalctl -t rescue -f' shows where it stands",
            ) from error
        os.truncate(fd, 0)
        os.pwrite(fd, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(fd)


def is_held(path: Path = paths.LOCK, *, locks: Path = Path("/proc/locks")) -> bool:
    """Whether a process holds the lock now (man 5 proc, /proc/locks), without trying to take it.

    Trying a lock means holding it for a moment, and a run that begins in that moment would give
    up.
    """
    try:
        inode = str(path.stat().st_ino)
    except FileNotFoundError:
        return False
    fields = (line.split() for line in locks.read_text(encoding="ascii").splitlines())
    return any("FLOCK" in each and _inode(each) == inode for each in fields)


def _inode(fields: list[str]) -> str:
    """Return the inode of a line: of 'major:minor:inode', since overlays name devices of theirs."""
    place = next((field for field in fields if field.count(":") == 2), "")
    return place.rpartition(":")[2]


def _take(fd: int, patience: float) -> None:
    """Take the lock, waiting for it. Raises BlockingIOError where it is still held then."""
    end = time.monotonic() + patience
    while True:
        try:
            return fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= end:
                raise
        time.sleep(min(_PAUSE, max(0.0, end - time.monotonic())))
