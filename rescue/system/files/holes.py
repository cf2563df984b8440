"""Sparse files, recognised, compared and copied by their data alone.

rsync finds holes while it writes, and reads every zero of them (man 1 rsync, --sparse): of a file
of 16 TiB that takes nothing on the disk, for hours, each night that somebody touches it.
"""

import errno
import os
import secrets
import stat
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from rescue.system.files.atomic import same_metadata

_BLOCK = 1 << 20
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOATIME | os.O_CLOEXEC
_WRITE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


def holes_of(info: os.stat_result) -> int:
    """Return the bytes of a regular file that are holes; 0 for anything else."""
    if not stat.S_ISREG(info.st_mode):
        return 0
    return max(0, info.st_size - info.st_blocks * 512)


def holes_at(path: Path) -> int:
    """Return the same for what is now at a path, or 0 if nothing is there."""
    try:
        return holes_of(path.lstat())
    except OSError:
        return 0


def same_but_content(source: Path, copy: Path) -> bool:
    """Whether a copy has size, times, owner, rights and attributes of its source.

    Raises OSError where the source is gone.
    """
    size = source.lstat().st_size
    try:
        if copy.lstat().st_size != size or not same_metadata(source, copy, owners=True):
            return False
    except OSError:
        return False
    return _attributes_at(source) == _attributes_at(copy)


def copy_with_holes(
    source: Path,
    target: Path,
    *,
    kib_per_second: int = 0,
    pause: Callable[[float], None] = time.sleep,
) -> int:
    """Replace `target` by a copy of a regular file, whole or not at all; return its bytes.

    Holes are neither read nor written. The copy grows beside the target under a random name.
    `kib_per_second` limits what is read, 0: no limit. Raises OSError; nothing is left then.
    """
    fresh = target.with_name(f".{secrets.token_hex(16)}")
    try:
        with ExitStack() as stack:
            read = os.open(source, _READ)
            stack.callback(os.close, read)
            write = os.open(fresh, _WRITE, 0o600)
            stack.callback(os.close, write)
            # Before the first byte: what changes meanwhile has another time by the next look.
            before = os.fstat(read)
            if not stat.S_ISREG(before.st_mode):
                raise OSError(errno.EINVAL, "is no regular file any more", str(source))
            size, copied = before.st_size, 0
            place = _next(read, 0, size, os.SEEK_DATA)
            while place < size:
                end = _next(read, place, size, os.SEEK_HOLE)
                while place < end and (data := os.pread(read, min(_BLOCK, end - place), place)):
                    _write(write, data, place)
                    place += len(data)
                    copied += len(data)
                    if kib_per_second:
                        pause(len(data) / (kib_per_second * 1024))
                if place < end:
                    break
                place = _next(read, place, size, os.SEEK_DATA)
            os.ftruncate(write, size)
            _make_alike(write, read, before)
            os.fsync(write)
        fresh.replace(target)
    except BaseException:
        fresh.unlink(missing_ok=True)
        raise
    return copied


def _make_alike(file: int, source: int, before: os.stat_result) -> None:
    """Give an open file owner, attributes, rights and times of another one.

    By what is open, never by name: the name may be another file's by now.
    """
    os.fchown(file, before.st_uid, before.st_gid)
    for name, value in _attributes(source).items():
        os.setxattr(file, name, value)
    os.fchmod(file, stat.S_IMODE(before.st_mode))
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))


def _write(file: int, data: bytes, place: int) -> None:
    while data:
        written = os.pwrite(file, data, place)
        data, place = data[written:], place + written


def _next(file: int, place: int, size: int, what: int) -> int:
    """Return where the next data or hole begins (man 2 lseek, SEEK_DATA)."""
    try:
        return min(os.lseek(file, place, what), size)
    except OSError as error:
        if error.errno == errno.ENXIO:
            return size
        raise


def _attributes(file: int) -> dict[str, bytes]:
    return {name: os.getxattr(file, name) for name in os.listxattr(file)}


def _attributes_at(path: Path) -> dict[str, bytes]:
    file = os.open(path, _READ)
    try:
        return _attributes(file)
    finally:
        os.close(file)
