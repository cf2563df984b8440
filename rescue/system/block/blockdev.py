"""Block devices as the kernel shows them in sysfs, and the exclusive hold on a whole disk."""

import fcntl
import os
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rescue.errors import RefusedError, RescueError
from rescue.system.block.udev import partition_paths
from rescue.system.process.run import run

_BLKRRPART = 0x125F
"""_IO(0x12, 95): re-read the partition table (linux/fs.h)."""

_NO_TAG_FOUND = 2
"""blkid's exit code where no device carries the tag (man 8 blkid)."""


def partition_path(disk: str, number: int) -> str:
    """Return the device node of a disk's partition. Raises RescueError where there is none."""
    path = partition_paths(disk).get(number)
    if path is None:
        raise RescueError(
            f"{disk} has no partition {number} that the kernel knows",
            hint="see 'lsblk' and 'dmesg'; the disk may have been removed",
        )
    return path


def belongs_to(device: str, disk: str) -> bool:
    """Whether `device` is that disk or one of its partitions. Raises RefusedError without disk."""
    own = {disk, *partition_paths(disk).values()}
    return os.path.realpath(device) in {os.path.realpath(path) for path in own}


def with_uuid_argv(uuid: str) -> list[str]:
    """Return the command that lists the devices that carry a UUID now, past every cache."""
    return ["blkid", "-c", "/dev/null", "-t", f"UUID={uuid}", "-o", "device"]


def with_uuid(uuid: str) -> tuple[str, ...]:
    """Return the nodes of all block devices whose file system or swap carries this UUID."""
    done = run(with_uuid_argv(uuid), ok=(0, _NO_TAG_FOUND))
    return tuple(sorted(done.stdout.split()))


@contextmanager
def exclusive(path: str) -> Iterator[int]:
    """Hold a whole disk for oneself and give its file descriptor, open for reading and writing.

    O_EXCL fails while the disk, or any partition of it, is mounted, swapped to or held by
    another layer (man 2 open); flock keeps udev from probing in between (systemd's block device
    locking). Raises RefusedError where the disk is in use or gone.
    """
    try:
        fd = os.open(path, os.O_RDWR | os.O_EXCL | os.O_CLOEXEC)
    except OSError as error:
        raise RefusedError(
            f"{path} cannot be opened for writing alone: {error.strerror}",
            hint="see 'lsblk' for what uses it: unmount it, 'swapoff' it, and try again",
        ) from error
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield fd
        os.fsync(fd)
    finally:
        os.close(fd)


def erase_ends(fd: int, *, length: int) -> None:
    """Write zeros over the first and last `length` bytes: boot code, and GPT's both headers.

    wipefs leaves a GPT's second header where the first is gone, and that one is found again.
    """
    size = os.lseek(fd, 0, os.SEEK_END)
    span = min(length, size)
    for start in (0, size - span):
        os.pwrite(fd, bytes(span), start)
    os.fsync(fd)


def reread(fd: int, *, attempts: int = 20) -> None:
    """Make the kernel reread the held disk's partition table; does nothing for an image file.

    Tried for some seconds, as a probe of udev's may still hold an old partition. Raises
    RescueError where the kernel does not.
    """
    if not stat.S_ISBLK(os.fstat(fd).st_mode):
        return
    os.fsync(fd)
    for attempt in range(attempts):
        try:
            fcntl.ioctl(fd, _BLKRRPART)
        except OSError as error:
            if attempt + 1 == attempts:
                raise RescueError(
                    f"the kernel does not read the new partition table: {error.strerror}",
                    hint="something may use the disk: see 'lsblk' and 'dmesg'",
                ) from error
            time.sleep(0.25)
        else:
            return


def forget_cached(path: str) -> None:
    """Make the kernel drop its cache of a whole disk (man 8 blockdev, --flushbufs).

    What was written through a partition is not seen through the disk while an older copy is kept.
    Raises CommandError.
    """
    run(["blockdev", "--flushbufs", path])
