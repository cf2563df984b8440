"""Loop devices (man 4 loop): a part of a disk or of an image file, seen as a block device.

A mount that is read-only keeps programs from writing, and not the file system itself: ext4 notes
an error that it meets in the superblock even then. It asks whether the device may be written, and
of a read-only loop device it may not. The device below is changed in nothing, nor is what others
may do with it: made read-only itself (man 8 blockdev, --setro), it would stay so after a kill, and
no run could write to it.

Each is bound with LO_FLAGS_AUTOCLEAR in one call (Linux 5.8, LOOP_CONFIGURE), which losetup does
not offer: it goes with its last user, so that nothing stays behind, whatever ends this process.
"""

import errno
import fcntl
import os
import stat
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from rescue.errors import RescueError
from rescue.system.process.run import run

_CONTROL = "/dev/loop-control"
_GET_FREE, _CONFIGURE, _SECTOR_SIZE = 0x4C82, 0x4C0A, 0x1268
_READ_ONLY, _AUTOCLEAR, _DIRECT_IO = 1, 4, 16

_CONFIG = struct.Struct("=II 5Q 4I 64s 64s 32s 2Q 64x")
"""struct loop_config of linux/loop.h, with its loop_info64."""

_ATTEMPTS = 64
"""Others take free devices, too: between the question for one and its binding it may be gone."""

_USUAL_SECTOR = 512


@dataclass(frozen=True, kw_only=True)
class Span:
    """A part of a device or file, in bytes from its beginning; length 0 is all the rest."""

    start: int = 0
    length: int = 0


_WHOLE = Span()


@contextmanager
def locked(path: str, span: Span = _WHOLE, *, sector: int = 0) -> Iterator[str]:
    """Give the node of a read-only loop device over a part of a block device or of an image.

    It lives as long as this block, or what was mounted of it within. Where sectors bear it, it
    reads past the page cache: what was just written through the device itself is seen. `sector` is
    the size in bytes of the logical sectors that it shows, 0 for that of what lies below.
    Raises OSError where `path` cannot be opened, RescueError where there is no loop device
    to be had.
    """
    with _bound(path, span, sector=sector, flags=_READ_ONLY) as node:
        yield node


@contextmanager
def writable(path: str) -> Iterator[str]:
    """Give the node of a loop device that writes to a file of ours; see `locked`."""
    with _bound(path, _WHOLE, sector=0, flags=0) as node:
        yield node


def sector_size(device: str) -> int:
    """Return the size in bytes of a block device's logical sectors (man 8 blockdev)."""
    return int(run(["blockdev", "--getss", device]).stdout)


def sectors(device: str) -> int:
    """Return the size of a block device in units of 512 bytes (man 8 blockdev)."""
    return int(run(["blockdev", "--getsz", device]).stdout)


@contextmanager
def _bound(path: str, span: Span, *, sector: int, flags: int) -> Iterator[str]:
    mode = os.O_CLOEXEC | (os.O_RDONLY if flags & _READ_ONLY else os.O_RDWR)
    below = os.open(path, mode)
    try:
        node, loop = _bind(_config(below, path, span, sector=sector, flags=flags), path, mode)
    finally:
        os.close(below)
    try:
        yield node
    finally:
        os.close(loop)


def _config(below: int, path: str, span: Span, *, sector: int, flags: int) -> bytes:
    own = _sector_size_of(below)
    shown = sector or own
    # Sectors that are smaller than those below, or lie across them, cannot be read directly.
    if flags & _READ_ONLY and shown % own == 0 and span.start % own == 0:
        flags |= _DIRECT_IO
    flags |= _AUTOCLEAR
    name = os.fsencode(path)[:63]
    # device, inode and rdevice are the kernel's; the fields of ciphers that are no more are zero
    place = (0, 0, 0, span.start, span.length)
    return _CONFIG.pack(below, shown, *place, 0, 0, 0, flags, name, b"", b"", 0, 0)


def _bind(config: bytes, path: str, mode: int) -> tuple[str, int]:
    try:
        for _ in range(_ATTEMPTS):
            node = f"/dev/loop{_free()}"
            loop = os.open(node, mode)
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


def _sector_size_of(below: int) -> int:
    """Return the logical sectors' size in bytes; of an image the usual one."""
    if not stat.S_ISBLK(os.fstat(below).st_mode):
        return _USUAL_SECTOR
    (size,) = struct.unpack("=i", fcntl.ioctl(below, _SECTOR_SIZE, bytes(4)))
    return int(size)


def _none_for(path: str, why: str) -> RescueError:
    return RescueError(
        f"{path} cannot be seen through a loop device: {why}",
        hint="see 'modprobe loop' and 'losetup --list'",
    )
