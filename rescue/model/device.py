"""Block devices that are neither a disk nor a partition of one: layers, drives, memory."""

from dataclasses import dataclass
from enum import StrEnum


class DeviceKind(StrEnum):
    """What such a device is, in the words of the field."""

    VOLUME = "LVM volume"
    CRYPT = "encrypted device"
    ARRAY = "RAID array"
    MULTIPATH = "multipath device"
    MAPPED = "device-mapper device"
    CACHE = "bcache device"
    DRBD = "DRBD device"
    ZVOL = "ZFS volume"
    POOL = "ZFS pool"
    PARTITION = "partition"
    LOOP = "image file"
    OPTICAL = "optical drive"
    FLOPPY = "floppy drive"
    MEMORY = "memory"
    OTHER = "device"


@dataclass(frozen=True, kw_only=True)
class Device:
    """One such device; `made_of` are the paths of the devices right below it.

    None are there where its disk was pulled, and for what stands on no disk.
    """

    path: str
    kind: DeviceKind
    made_of: tuple[str, ...] = ()
