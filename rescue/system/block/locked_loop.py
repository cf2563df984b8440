"""A block device locked against every write, ours and the kernel's: a loop device over it.

A mount that is read-only keeps programs from writing, and not the file system itself: ext4 notes
an error that it meets in the superblock even then. It asks whether the device may be written, and
of a read-only loop device it may not. The device below is changed in nothing, nor is what others
may do with it: made read-only itself (man 8 blockdev, --setro), it would stay so after a kill, and
no run could write to it.

It is bound with LO_FLAGS_AUTOCLEAR (man 4 loop; Linux 5.8, LOOP_CONFIGURE), which losetup does
not offer: it goes with its last user, so that nothing stays behind, whatever ends this process.
"""

import errno
import fcntl
import os
import stat
import struct
from collections.abc import Iterator
from contextlib import contextmanager

from rescue.errors import RescueError

_CONTROL = "/dev/loop-control"
_GET_FREE, _CONFIGURE, _SECTOR_SIZE = 0x4C82, 0x4C0A, 0x1268
_READ_ONLY, _AUTOCLEAR, _DIRECT_IO = 1, 4, 16

_CONFIG = struct.Struct("=II 5Q 4I 64s 64s 32s 2Q 64x")
"""struct loop_config of linux/loop.h, with its loop_info64."""

_ATTEMPTS = 64
"""Others take free devices, too: between the question for one and its binding it may be gone."""


@contextmanager
def locked(path: str) -> Iterator[str]:
    """Give the node of a read-only loop device over a block device or an image.

    It lives as long as this block, or what was mounted of it within. It reads past the page cache:
    what was just written through the device itself is seen. Its sectors are as large as those
    below. Raises OSError where `path` cannot be opened, RescueError where there is no loop device
    to be had.
    """
    below = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        node, loop = _bound(below, path)
    finally:
        os.close(below)
    try:
        yield node
    finally:
        os.close(loop)


def _bound(below: int, path: str) -> tuple[str, int]:
    flags = _READ_ONLY | _AUTOCLEAR | _DIRECT_IO
    name = os.fsencode(path)[:63]
    # offset, size and the fields of ciphers that are no more are zero
    config = _CONFIG.pack(
        below, _sector_size(below), *[0] * 5, 0, 0, 0, flags, name, b"", b"", 0, 0
    )
    try:
        for _ in range(_ATTEMPTS):
            node = f"/dev/loop{_free()}"
            loop = os.open(node, os.O_RDONLY | os.O_CLOEXEC)
            try:
                fcntl.ioctl(loop, _CONFIGURE, config)
            except OSError as error:
                os.close(loop)
                if error.errno != errno.EBUSY:
                    raise
            else:
                return node, loop
    except OSError as error:
        raise _none_for(path, error.strerror or str(error)) from error
    raise _none_for(path, "others take each free one")


def _free() -> int:
    control = os.open(_CONTROL, os.O_RDWR | os.O_CLOEXEC)
    try:
        return fcntl.ioctl(control, _GET_FREE)
    finally:
        os.close(control)


def _sector_size(below: int) -> int:
    """Return the logical sectors' size in bytes; of an image 0, for what is usual."""
    if not stat.S_ISBLK(os.fstat(below).st_mode):
        return 0
    (size,) = struct.unpack("=i", fcntl.ioctl(below, _SECTOR_SIZE, bytes(4)))
    return int(size)


def _none_for(path: str, why: str) -> RescueError:
    return RescueError(
        f"{path} cannot be looked at without the danger of writing to it: no loop device: {why}",
        hint="see 'modprobe loop' and 'losetup --list'",
    )
