"""RAID arrays of md: how they are, by sysfs and by what mdadm told udev. Pure.

sysfs is what the kernel documents (Documentation/admin-guide/md.rst); udev's rules keep what
`mdadm --detail --export` says of each array (63-md-raid-arrays.rules).
"""

from collections.abc import Iterator, Mapping

from rescue.model.storage.array import Array, ArrayMember
from rescue.units import Bytes, whole_number

_SECTOR = 512
"""sysfs counts in these, whatever the disks' own sectors are."""


def array_of(
    attributes: Mapping[str, str], properties: Mapping[str, str], paths: Mapping[str, str]
) -> Array:
    """Return how an array is, given its sysfs attributes and its udev properties.

    `paths` are those of all block devices by their kernel names. What nobody tells stays empty.
    """
    count = whole_number(attributes.get("md/raid_disks", "").partition(" ")[0])
    return Array(
        uuid=properties.get("MD_UUID", "").lower(),
        level=attributes.get("md/level", ""),
        metadata=attributes.get("md/metadata_version", "") or properties.get("MD_METADATA", ""),
        wanted=count or whole_number(properties.get("MD_DEVICES", "")) or 0,
        missing=whole_number(attributes.get("md/degraded", "")) or 0,
        action=attributes.get("md/sync_action", ""),
        members=tuple(_members(attributes, paths)),
    )


def _members(attributes: Mapping[str, str], paths: Mapping[str, str]) -> Iterator[ArrayMember]:
    """Yield the members that the kernel has, a failed one among them until it is removed."""
    for name, path in sorted(paths.items(), key=lambda each: each[1]):
        # sysfs writes '!' for the '/' of a kernel name.
        folder = f"md/dev-{name.replace('/', '!')}"
        state = attributes.get(f"{folder}/state")
        if state is not None:
            sectors = whole_number(attributes.get(f"{folder}/offset", "")) or 0
            yield ArrayMember(key=path, offset=Bytes(sectors * _SECTOR), state=state)
