"""A throw-away writable snapshot of a read-only device, by device-mapper.

What is written goes to a sparse file that has no name any more, what is read comes from the origin
(Linux: Documentation/admin-guide/device-mapper/snapshot.rst). It is how a journal is replayed, or a
file system repaired, without a byte going to the disk. dmsetup is on every Debian with GRUB:
grub-common needs libdevmapper, and that needs dmsetup. Overlayfs would copy a whole image up, and
network block devices need QEMU on the server.
"""

import contextlib
import itertools
import os
import shutil
from pathlib import Path

from rescue.system.block import loop
from rescue.system.process.run import CommandError, run

CHUNK = 8
"""Sectors of 512 bytes that are copied at once."""

LARGEST = 2 * 1024**3
"""Bytes: more than any journal takes; the file is sparse and holds what was written only."""

_numbers = itertools.count()


def create_argv(name: str, *, origin: str, changes: str, sectors: int) -> list[str]:
    """Return the command that makes a snapshot which forgets at its end ('N')."""
    table = f"0 {sectors} snapshot {origin} {changes} N {CHUNK}"
    return ["dmsetup", "create", name, "--table", table]


def remove_argv(name: str) -> list[str]:
    """Return the command that removes it when its last user has gone."""
    return ["dmsetup", "remove", "--deferred", name]


def make(origin: str, *, scratch: Path) -> str:
    """Make a snapshot of a block device and return its node.

    `scratch` is the folder of the file that takes what is written. Raises CommandError where the
    kernel or the machine has no device-mapper; nothing is left behind then.
    """
    scratch.mkdir(mode=0o700, parents=True, exist_ok=True)
    sectors = loop.sectors(origin)
    size = min(LARGEST, sectors * 512 + 1024**2, shutil.disk_usage(scratch).free // 2)
    name = f"rescue-{os.getpid()}-{next(_numbers)}"
    file = scratch / f"{name}.changes"
    try:
        with file.open("wb") as stream:
            stream.truncate(size - size % 4096)
        # The snapshot holds the loop device from then on; without one it goes at once.
        with loop.writable(str(file)) as changes:
            run(create_argv(name, origin=origin, changes=changes, sectors=sectors))
    finally:
        file.unlink(missing_ok=True)
    return f"/dev/mapper/{name}"


def drop(device: str) -> None:
    """Release a snapshot; a mounted one disappears with its last user."""
    with contextlib.suppress(CommandError):
        run(remove_argv(Path(device).name))
