"""Inode flags, as lsattr and chattr show and set them (man 1 chattr, man 2 ioctl_iflags).

Asked for by the ioctl itself: lsattr takes no list of names, and prints a line break in one as it
is.
"""

import fcntl
import os
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

from rescue.model.storage.filesystem import FsKind

_GET, _SET = 0x80086601, 0x40086602  # FS_IOC_GETFLAGS, FS_IOC_SETFLAGS of linux/fs.h

IMMUTABLE, APPEND_ONLY, NO_COPY_ON_WRITE = 0x10, 0x20, 0x800000
COMPRESSED, NOT_COMPRESSED = 0x4, 0x400

LETTERS = {
    "s": 0x1,
    "u": 0x2,
    "c": COMPRESSED,
    "S": 0x8,
    "i": IMMUTABLE,
    "a": APPEND_ONLY,
    "d": 0x40,
    "A": 0x80,
    "m": NOT_COMPRESSED,
    "j": 0x4000,
    "t": 0x8000,
    "D": 0x10000,
    "T": 0x20000,
    "C": NO_COPY_ON_WRITE,
    "P": 0x20000000,
}
"""The flags that a person sets, by chattr's letters. Those that a file system sets for itself
(extents, encryption, verity, case folding) are not included, nor is DAX, which is about the
hardware."""

_CARRIED = sum(LETTERS.values())
LOCKING = IMMUTABLE | APPEND_ONLY
WHEN_WRITTEN = NO_COPY_ON_WRITE | COMPRESSED | NOT_COMPRESSED
"""The flags that btrfs heeds when content is written: they do not affect existing content."""


def has_flags(kind: FsKind) -> bool:
    """Whether files on this kind of file system have flags."""
    return kind is not FsKind.VFAT


def letters(flags: int) -> str:
    """Return flags as chattr names them ('ia'), in the order of lsattr."""
    return "".join(letter for letter, bit in LETTERS.items() if flags & bit)


def flags_of(path: Path) -> int | None:
    """Return a regular file's or folder's flags; None for others, and if they are unavailable."""
    try:
        if not _may_have(path.lstat().st_mode):
            return None
        fd = os.open(path, _LOOK)
    except OSError:
        return None
    return _closing(fd)


def set_flags(path: Path, flags: int) -> bool:
    """Give a regular file or folder exactly these flags; return whether it has them afterwards.

    A file system that does not know one of them gets the others.
    """
    try:
        if not _may_have(path.lstat().st_mode):
            return flags == 0
        fd = os.open(path, _LOOK)
    except OSError:
        return False
    try:
        others = _raw(fd) & ~_CARRIED
        if _raw(fd) == others | flags:
            return True
        wanted = [flags & bit for bit in LETTERS.values() if flags & bit]
        if not _set(fd, others | flags):
            have = 0
            for bit in wanted:
                have |= bit if _set(fd, others | have | bit) else 0
        return _raw(fd) & _CARRIED == flags
    except OSError:
        return False
    finally:
        os.close(fd)


def flagged(root: Path) -> Iterator[tuple[str, int]]:
    """Yield each regular file and folder of one file system that has flags: its path, its flags.

    Paths are relative to `root`, which is '.' itself. Nothing is followed, and what cannot be
    opened is passed over.
    """
    top = os.fsencode(root)
    device = root.lstat().st_dev
    if flags := flags_of(root) or 0:
        yield ".", flags
    ahead = [top]
    while ahead:
        # Millions of files: no more than three system calls for each.
        for entry in _entries(ahead.pop()):
            folder = entry.is_dir(follow_symlinks=False)
            if not folder and not entry.is_file(follow_symlinks=False):
                continue
            try:
                if folder and entry.stat(follow_symlinks=False).st_dev != device:
                    continue
                fd = os.open(entry.path, _LOOK)
            except OSError:
                continue
            if flags := _closing(fd):
                yield os.fsdecode(entry.path[len(top) + 1 :]), flags
            if folder:
                ahead.append(entry.path)


# Not blocking: a lease is not waited for.
_LOOK = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOATIME | os.O_CLOEXEC


def _entries(folder: bytes) -> list["os.DirEntry[bytes]"]:
    try:
        with os.scandir(folder) as found:
            return list(found)
    except OSError:
        return []


def _may_have(mode: int) -> bool:
    return stat.S_ISREG(mode) or stat.S_ISDIR(mode)


def _closing(fd: int) -> int:
    """Return the flags of an open file, and close it."""
    try:
        return _raw(fd) & _CARRIED
    except OSError:
        return 0
    finally:
        os.close(fd)


def _raw(fd: int) -> int:
    # The kernel writes an int, whatever the number of the ioctl says (man 2 ioctl_iflags).
    said = fcntl.ioctl(fd, _GET, bytes(8))
    return int.from_bytes(said[:4], sys.byteorder)


def _set(fd: int, flags: int) -> bool:
    try:
        fcntl.ioctl(fd, _SET, flags.to_bytes(4, sys.byteorder) + bytes(4))
    except OSError:
        return False
    return True
