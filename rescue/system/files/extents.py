"""Extents of files, and those that files share (Documentation/filesystems/fiemap.rst)."""

import fcntl
import os
import stat
import struct
from collections.abc import Iterator
from pathlib import Path

_FIEMAP = 0xC020660B  # FS_IOC_FIEMAP of linux/fs.h
_HEAD = struct.Struct("=QQIIII")
_EXTENT = struct.Struct("=QQQQQIIII")
_AT_ONCE = 512
_SYNC, _LAST, _SHARED = 0x1, 0x1, 0x2000


def shared_bytes(root: Path) -> int:
    """Return how many more bytes a file system's files would take if nothing were shared.

    What `cp --reflink` and deduplication made; each piece is counted once less than it is used. A
    piece that is compressed counts as it is read. What cannot be opened is passed over.
    """
    times, seen = 0, dict[int, int]()
    for path in _files(root):
        for physical, length in _shared_extents(path):
            times += length
            seen[physical] = max(length, seen.get(physical, 0))
    return times - sum(seen.values())


def _files(root: Path) -> Iterator[bytes]:
    """Yield every regular file of the file system at `root`; one with several names once."""
    device, linked = root.lstat().st_dev, set[int]()
    ahead = [os.fsencode(root)]
    while ahead:
        try:
            with os.scandir(ahead.pop()) as found:
                entries = list(found)
        except OSError:
            continue
        for entry in entries:
            try:
                info = entry.stat(follow_symlinks=False)
            except OSError:
                continue
            if info.st_dev != device:
                continue
            if stat.S_ISDIR(info.st_mode):
                ahead.append(entry.path)
            elif stat.S_ISREG(info.st_mode) and info.st_blocks and info.st_ino not in linked:
                if info.st_nlink > 1:
                    linked.add(info.st_ino)
                yield entry.path


def _shared_extents(path: bytes) -> Iterator[tuple[int, int]]:
    """Yield place and length of each shared extent of a file, in bytes."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOATIME)
    except OSError:
        return
    try:
        start, last = 0, False
        while not last:
            room = bytearray(_HEAD.size + _AT_ONCE * _EXTENT.size)
            _HEAD.pack_into(room, 0, start, (1 << 64) - 1 - start, _SYNC, 0, _AT_ONCE, 0)
            fcntl.ioctl(fd, _FIEMAP, room)
            count = _HEAD.unpack_from(room)[3]
            last = count == 0
            for number in range(count):
                at = _HEAD.size + number * _EXTENT.size
                logical, physical, length, _, _, flags, *_ = _EXTENT.unpack_from(room, at)
                start, last = logical + length, bool(flags & _LAST)
                if flags & _SHARED:
                    yield physical, length
    except OSError:
        return
    finally:
        os.close(fd)
