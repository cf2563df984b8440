"""The mirror's file systems: of the source's kinds, with their own identifiers."""

import re
from dataclasses import dataclass, replace

from rescue.model.mirror.step import MakeFilesystem, MakeSwap
from rescue.model.storage.disk import Partition
from rescue.model.storage.filesystem import FileSystem, FsKind, SwapArea
from rescue.model.storage.place import place_of
from rescue.plan.layout.new_ids import Fresh
from rescue.plan.layout.survey import Survey

# Longest labels in bytes: man 8 mke2fs, mkfs.xfs, mkfs.vfat, mkfs.btrfs, mkswap.
_LABEL_LIMIT = {
    FsKind.EXT2: 16,
    FsKind.EXT3: 16,
    FsKind.EXT4: 16,
    FsKind.XFS: 12,
    FsKind.VFAT: 11,
    FsKind.BTRFS: 255,
}
_SWAP_LABEL_LIMIT = 15


@dataclass(frozen=True, kw_only=True)
class PartitionPair:
    """A partition of the source and what is made on the mirror's of the same number.

    `made` is None where the mirror's stays empty; `mount_point` is '' for swap.
    """

    part: Partition
    made: FileSystem | SwapArea | None = None
    mount_point: str = ""
    mounted: bool = False


def twins(found: Survey, fresh: Fresh, labels: frozenset[str]) -> tuple[PartitionPair, ...]:
    """Return the twin of each partition, in the table's order.

    `labels` are those on any attached disk, case folded; no fresh label is among them.
    """
    members = {member.part.number: member for member in found.members}
    result: list[PartitionPair] = []
    for index, part in enumerate(found.disk.partitions):
        member = members.get(part.number)
        if member is not None:
            made = _filesystem(member.filesystem, index, fresh, labels)
            twin = PartitionPair(
                part=part, made=made, mount_point=member.mount_point, mounted=member.mounted
            )
        elif isinstance(part.content, SwapArea):
            label = _label(part.content.label, _SWAP_LABEL_LIMIT, index, fresh, labels)
            twin = PartitionPair(
                part=part, made=SwapArea(uuid=fresh.content_uuid(index), label=label)
            )
        else:
            twin = PartitionPair(part=part)
        if twin.made is not None and twin.made.label:
            labels |= {twin.made.label.casefold()}
        result.append(twin)
    return tuple(result)


def make_steps(all_twins: tuple[PartitionPair, ...]) -> tuple[MakeFilesystem | MakeSwap, ...]:
    """Return the steps that make these partitions' contents, in the table's order."""
    steps: list[MakeFilesystem | MakeSwap] = []
    for twin in all_twins:
        match twin.made:
            case FileSystem():
                steps.append(
                    MakeFilesystem(
                        place=place_of(twin.part),
                        filesystem=twin.made,
                        mount_point=twin.mount_point,
                    )
                )
            case SwapArea():
                steps.append(MakeSwap(place=place_of(twin.part), swap=twin.made))
            case None:
                pass
    return tuple(steps)


def _filesystem(source: FileSystem, index: int, fresh: Fresh, labels: frozenset[str]) -> FileSystem:
    vfat = source.kind is FsKind.VFAT
    uuid = fresh.vfat_id(index) if vfat else fresh.content_uuid(index)
    label = _label(source.label, _LABEL_LIMIT[source.kind], index, fresh, labels)
    return replace(source, uuid=uuid, label=label.upper() if vfat else label)


def _label(old: str, limit: int, index: int, fresh: Fresh, labels: frozenset[str]) -> str:
    """Return a label that tells the mirror's file system from every other: 'home-3f2a'.

    It consists of characters that no file has to escape, since it appears in fstab, in GRUB's
    configuration and in udev links. Without an old label there is no new one.
    """
    if not old:
        return ""
    plain = re.sub(r"[^0-9A-Za-z_.-]", "_", old)
    candidates = (f"{plain[: limit - 5]}-{token}" for token in fresh.tokens(index))
    return next(label for label in candidates if label.casefold() not in labels)
