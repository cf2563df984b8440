"""A walk over a file system by name: every file, and what cannot be read.

Folders wait on a stack of our own, files are handed on one by one: what is held in memory does not
grow with the number of files. Nothing is followed, and no border to another file system is crossed.
"""

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from rescue.model.mirror.unread import Seen, Unread
from rescue.system.files.fscrypt import Encryption, encryption
from rescue.system.files.holes import holes_of
from rescue.system.rsync.rsync import escape
from rescue.system.rsync.stand_ins import few

LOCKED = "is locked: its key is not there"
OF_THE_DISK = frozenset(
    {errno.EIO, errno.ENODATA, errno.EBADMSG, errno.EUCLEAN, errno.EREMOTEIO, errno.ENOTRECOVERABLE}
)
"""The kernel could not read the disk, or found what is on it inconsistent."""

SUBVOLUME = "is a subvolume of btrfs, which is not mirrored: move its files into a plain folder"
TOO_DEEP = "cannot be read: names in it are longer than a path can be (4,096 bytes)"

_DEEPEST = 3900
"""Bytes of a path below the root. What is longer has no room for where the root is seen, and for
the names under which its new content is written (linux/limits.h, PATH_MAX)."""
_LONGEST_NAME = 255

HOLLOW = 1 << 20
"""Bytes of holes from which on a file is hollow: to read them takes longer than to open it."""

MOST_HOLLOW = 200
_LONGEST_HOLLOW = 1000
"""The number of files in a file system that are copied separately, those with the most holes, and
the longest name allowed for them, in bytes: each is passed to rsync."""

FEW_HOLES, MOST_HOLES = 1 << 36, 1 << 40
"""Bytes of holes in all others that are read as zeros: so few of them are (in two minutes) that no
file is set apart for them, and more (in half an hour) are not read."""
TOO_HOLLOW = "is not read: there are too many files that are mostly holes"


def look_over(root: Path, on_file: Callable[[str, os.stat_result], None] | None = None) -> Seen:
    """Return what can be seen of the file system whose root is at `root`.

    `on_file` is called with each regular file's path ('/...') and its lstat result. What
    disappears meanwhile is ignored. Of the files that are mostly holes a few are hollow, and if
    the others have too many holes to be read at all, the worst of them are unread; a few names
    stand for all those unread.
    """
    unread: list[Unread] = []
    encrypted: list[str] = []
    hollow: list[tuple[int, str]] = []
    device = root.lstat().st_dev
    waiting = [("", False)]
    while waiting:
        path, is_inside = waiting.pop()
        try:
            with _opened(root, path) as folder:
                if os.fstat(folder).st_dev != device:
                    # Nothing is mounted on what a run looks at: it is a subvolume (man 5 btrfs).
                    if any(os.scandir(folder)):
                        unread.append(Unread(path=path, why=SUBVOLUME))
                    continue
                state = encryption(folder)
                if state is Encryption.LOCKED:
                    unread.append(Unread(path=path or "/", why=LOCKED))
                    continue
                if state is Encryption.OPEN and not is_inside:
                    encrypted.append(path or "/")
                is_inside = state is Encryption.OPEN
                if _has_longer_names(folder, _DEEPEST - len(os.fsencode(path)) - 1):
                    unread.append(Unread(path=path or "/", why=TOO_DEEP))
                    continue
                for entry in os.scandir(folder):
                    below = f"{path}/{entry.name}"
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append((below, is_inside))
                    elif entry.is_file(follow_symlinks=False):
                        unread += _tell(below, entry, on_file, hollow)
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as error:
            unread.append(_unread(path or "/", error))
    apart, left = _set_apart(hollow)
    unread += [Unread(path=path, why=TOO_HOLLOW, is_folder=False) for path in left]
    return Seen(unread=few(unread), encrypted=tuple(encrypted), hollow=apart)


def is_open(root: Path, path: str) -> bool:
    """Whether a folder that was encrypted and open is so still. False for what is gone."""
    try:
        with _opened(root, path) as folder:
            return encryption(folder) is Encryption.OPEN
    except OSError:
        return False


def is_locked(folder: Path) -> bool:
    """Whether a folder's names are hidden by a key that is not there. Raises OSError."""
    with _opened(folder, "") as opened:
        return encryption(opened) is Encryption.LOCKED


def _has_longer_names(folder: int, room: int) -> bool:
    """Whether an open folder has a name of more bytes than that."""
    if room >= _LONGEST_NAME:
        return False
    with os.scandir(folder) as entries:
        return any(len(os.fsencode(entry.name)) > room for entry in entries)


@contextmanager
def _opened(root: Path, path: str) -> Iterator[int]:
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_NOATIME | os.O_CLOEXEC
    folder = os.open(f"{root}{path}" if path != "/" else root, flags)
    try:
        yield folder
    finally:
        os.close(folder)


def _tell(
    path: str,
    entry: "os.DirEntry[str]",
    on_file: Callable[[str, os.stat_result], None] | None,
    hollow: list[tuple[int, str]],
) -> list[Unread]:
    try:
        info = entry.stat(follow_symlinks=False)
    except FileNotFoundError:
        return []
    except OSError as error:
        return [_unread(path, error, is_folder=False)]
    if (holes := holes_of(info)) >= HOLLOW:
        hollow.append((holes, path))
    if on_file is not None:
        on_file(path, info)
    return []


def _set_apart(hollow: list[tuple[int, str]]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the files to be carried by themselves, and those that are not carried at all."""
    apart: list[str] = []
    left: list[str] = []
    holes = sum(size for size, _ in hollow)
    for size, path in sorted(hollow, reverse=True):
        if holes <= FEW_HOLES:
            break
        can_be_told = len(os.fsencode(escape(path))) <= _LONGEST_HOLLOW
        if can_be_told and len(apart) < MOST_HOLLOW:
            apart.append(path)
        elif holes > MOST_HOLES:
            left.append(path)
        else:
            continue
        holes -= size
    return tuple(apart), tuple(left)


def _unread(path: str, error: OSError, *, is_folder: bool = True) -> Unread:
    return Unread(
        path=path,
        why=f"cannot be read: {error.strerror}",
        is_folder=is_folder,
        failing=error.errno in OF_THE_DISK,
    )
