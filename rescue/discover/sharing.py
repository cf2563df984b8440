"""Reflinks on the source, which a copy by rsync does not preserve."""

from dataclasses import replace
from pathlib import Path

from rescue.model.storage.filesystem import FsKind
from rescue.model.storage.machine import Machine
from rescue.system.files.extents import shared_bytes

_SHARING = (FsKind.XFS, FsKind.BTRFS)


def with_sharing(machine: Machine) -> Machine:
    """Return the machine with the shared blocks on the disk it runs from.

    This reads every file there: done before a full copy, not at every look.
    """
    disk = machine.root_disk
    own = {part.path for part in disk.partitions} if disk else set()
    mounts = tuple(
        replace(mount, shared=shared_bytes(Path(mount.target)))
        if mount.device in own and mount.fstype in _SHARING and mount.root == "/"
        else mount
        for mount in machine.mounts
    )
    return replace(machine, mounts=mounts)
