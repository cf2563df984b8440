"""RAID arrays of md: how they are, and what lies where on a member that no array is made of.

How an array is sysfs tells (Documentation/admin-guide/md.rst of the kernel), and what udev's rules
keep of `mdadm --detail --export` (63-md-raid-arrays.rules). A member of a dead server's array is
never started, since that writes to it: its superblock is read by `mdadm --examine`.
"""

import re
from collections.abc import Iterator, Mapping

from rescue.errors import RescueError
from rescue.model.storage.array import Array, ArrayMember, Level
from rescue.system.block.loop import Span
from rescue.system.process.run import run
from rescue.units import Bytes, whole_number

MEMBER = "linux_raid_member"
"""libblkid's word for a member."""

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


def examine_argv(path: str) -> list[str]:
    """Return the command that prints a member's superblock; with --export it lacks the offset."""
    return ["mdadm", "--examine", path]


def data_of_member(path: str) -> Span:
    """Return where on a member of RAID 1 the array's data lies. Nothing is written.

    Raises RescueError where mdadm does not know it, and for another level (CommandError).
    """
    return parse_member(run(examine_argv(path)).stdout)


def parse_member(text: str) -> Span:
    """Given the output of `mdadm --examine` for a member of RAID 1, return where its data lies.

    It is told in sectors of 512 bytes (none where the superblock stands behind the data), the
    array's size in KiB. Raises RescueError where that is not there, and for another level.
    """
    told = dict(re.findall(r"^ *([A-Z][A-Za-z ]*[A-Za-z]) : (\S+)", text, re.MULTILINE))
    level = told.get("Raid Level", "")
    if level != Level.RAID1:
        raise RescueError(
            f"it is a member of a RAID array of level {level or 'unknown'}: only one of RAID 1 "
            "holds all that its array holds"
        )
    size = whole_number(told.get("Array Size", ""))
    start = whole_number(told.get("Data Offset", "0"))
    if not size or start is None:
        raise RescueError("mdadm does not say where the data of this RAID member lies")
    return Span(start=start * _SECTOR, length=size * 1024)
