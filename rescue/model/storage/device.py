"""Block devices other than disks and partitions: layers, drives, memory."""

from dataclasses import dataclass, field
from enum import StrEnum

from rescue.model.storage.array import Array
from rescue.model.storage.disk import Use
from rescue.model.storage.layer import Content, Nothing
from rescue.model.storage.subvolume import BtrfsSubvolume
from rescue.units import Bytes

NO_SIZE = Bytes(0)
"""The size of a device without one of its own: it is as large as what it lies on."""


class DeviceKind(StrEnum):
    """What a device is, in the field's usual terms."""

    DISK = "disk"
    PARTITION = "partition"
    VOLUME = "LVM volume"
    CRYPT = "encrypted device"
    ARRAY = "RAID array"
    MULTIPATH = "multipath device"
    MAPPED = "device-mapper device"
    CACHE = "bcache device"
    DRBD = "DRBD device"
    ZVOL = "ZFS volume"
    POOL = "ZFS pool"
    SUBVOLUME = "btrfs subvolume"
    LOOP = "image file"
    OPTICAL = "optical drive"
    FLOPPY = "floppy drive"
    MEMORY = "memory"
    OTHER = "device"


@dataclass(frozen=True, kw_only=True)
class Device:
    """One device: a disk, a partition, or any layer above them.

    `key` names it within its machine: its path. A btrfs subvolume has none, and its key is the
    file system's device with its own path in brackets, as findmnt spells it ('/dev/vda2[/@home]').
    `made_of` are the keys of the devices right below it; none are there where its disk was pulled,
    and for what stands on no disk.

    `name` is what people call it where that is not its path ('vg0/root', '@home', the file of a
    loop device), `detail` what its maker tells besides ('raid1'). `size` is 0 where it has none of
    its own. `path` and `links` are valid only while the machine is running. `array` is there for a
    RAID array of md alone, `subvolume` for one of a btrfs that was asked for its subvolumes.
    """

    key: str
    kind: DeviceKind
    path: str = ""
    name: str = ""
    detail: str = ""
    size: Bytes = NO_SIZE
    links: tuple[str, ...] = ()
    content: Content = field(default_factory=Nothing)
    uses: tuple[Use, ...] = ()
    made_of: tuple[str, ...] = ()
    array: Array | None = None
    subvolume: BtrfsSubvolume | None = None


def subvolume_key(device: str, path: str) -> str:
    """Return the key of a subvolume, given the file system's device and its path from the top."""
    return f"{device}[/{path.strip('/')}]"
