"""Everything a file can name a block device by, and the map from the source's to the mirror's.

This map is the heart of a mirror that boots: one value, made once, stored, and used for fstab,
for every file of the boot, and by the audit that looks for what was forgotten.
"""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class DeviceNames:
    """The identifiers of one block device; empty where it has none of a kind.

    `paths` are whole paths: '/dev/vda1', '/dev/disk/by-id/virtio-SRC-part1'. Links below
    by-uuid, by-label, by-partuuid and by-partlabel are not listed: they follow from the others.
    """

    uuid: str = ""
    label: str = ""
    partuuid: str = ""
    partlabel: str = ""
    paths: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class DevicePair:
    """The source's device and the mirror's that takes its place."""

    old: DeviceNames
    new: DeviceNames


@dataclass(frozen=True, kw_only=True)
class IdentifierMap:
    """All pairs of one mirror: the disk itself and each partition."""

    pairs: tuple[DevicePair, ...] = ()
