"""What files share with each other (reflinks), which a copy by rsync does not."""

from dataclasses import replace
from pathlib import Path

from rescue.model.storage.filesystem import FsKind
from rescue.model.storage.machine import Machine
from rescue.system.files.extents import shared_bytes

_SHARING = (FsKind.XFS, FsKind.BTRFS)


def with_sharing(machine: Machine) -> Machine:
    """Return the machine with what is shared on the disk that it runs from.

    Every file there is looked at: before a whole copy, not at every look.
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
