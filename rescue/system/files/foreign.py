"""Files of ours on a disk that anybody may have made: the one door to what lies below /.rescue.

Such a disk may hold links to this machine's own files, FIFOs and devices that are waited for, and
files of any size. Here no link is followed, nothing is waited for, only a regular file is read,
and no more of it than a state file of ours can be. A path is walked by the descriptors of its
folders, so that nothing can be swapped on the way (man 2 open, O_NOFOLLOW).
"""

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from rescue.units import MIB

MOST = 16 * MIB
"""Bytes that are read of one file; ours are far smaller."""

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC


def read_regular(root: Path, inside: str, *, most: int = MOST) -> bytes:
    """Return the content of a regular file below `root`, a path without '..'.

    Raises FileNotFoundError and NotADirectoryError where the name cannot exist (a link does not
    count as a folder), and OSError for anything but a regular file (EINVAL), or one larger than
    `most` bytes (EFBIG).
    """
    with _folder_of(root, inside) as (folder, name):
        # Looked at before it is opened: opening a device may do something.
        _expect_regular(os.stat(name, dir_fd=folder, follow_symlinks=False), root / inside)
        with os.fdopen(os.open(name, _FILE, dir_fd=folder), "rb") as file:
            seen = os.fstat(file.fileno())
            _expect_regular(seen, root / inside)
            data = b"" if seen.st_size > most else file.read(most + 1)
    if seen.st_size > most or len(data) > most:
        raise OSError(errno.EFBIG, f"more than {most} bytes", str(root / inside))
    return data


def private_folder(root: Path, name: str) -> Path:
    """Make a folder in `root` for root only, if it does not exist, and return it.

    Raises NotADirectoryError where a link or something else has its name: nothing is written then.
    """
    folder = root / name
    if not os.path.lexists(folder):
        folder.mkdir(mode=0o700)
    fd = _opened_folder(folder)
    try:
        os.fchmod(fd, 0o700)
    finally:
        os.close(fd)
    return folder


def is_folder(root: Path, name: str) -> bool:
    """Whether the name is a folder and not a link to one."""
    try:
        return stat.S_ISDIR((root / name).lstat().st_mode)
    except (FileNotFoundError, NotADirectoryError):
        return False


def remove(root: Path, inside: str) -> None:
    """Remove a file below `root` if it exists. Raises OSError."""
    try:
        with _folder_of(root, inside) as (folder, name):
            os.unlink(name, dir_fd=folder)
    except (FileNotFoundError, NotADirectoryError):
        return


@contextmanager
def _folder_of(root: Path, inside: str) -> Iterator[tuple[int, str]]:
    """Give the descriptor of the folder that holds a path, and the path's last name."""
    *folders, name = PurePosixPath(inside).parts
    if ".." in (*folders, name):
        raise ValueError(f"'{inside}' may lead out of {root}")
    fd = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for part in folders:
            inner = os.open(part, _FOLDER, dir_fd=fd)
            os.close(fd)
            fd = inner
        yield fd, name
    finally:
        os.close(fd)


def _opened_folder(path: Path) -> int:
    return os.open(path, _FOLDER)


def _expect_regular(seen: os.stat_result, path: Path) -> None:
    if not stat.S_ISREG(seen.st_mode):
        raise OSError(errno.EINVAL, "not a regular file", str(path))
