"""The mirror's file systems: of the source's kinds, with their own identifiers."""

import re
from dataclasses import dataclass, replace

from rescue.model.mirror.step import MakeFilesystem, MakeSwap
from rescue.model.storage.disk import Partition
from rescue.model.storage.filesystem import FileSystem, FsKind, SwapArea
from rescue.model.storage.place import place_of
from rescue.plan.layout.new_ids import NewIds
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


def partition_pairs(
    found: Survey, new_ids: NewIds, labels: frozenset[str]
) -> tuple[PartitionPair, ...]:
    """Return each partition with what is made of it, in the table's order.

    `labels` are those on any attached disk, case folded; no new label is among them.
    """
    members = {member.part.number: member for member in found.members}
    result: list[PartitionPair] = []
    for index, part in enumerate(found.disk.partitions):
        member = members.get(part.number)
        if member is not None:
            made = _filesystem(member.filesystem, index, new_ids, labels)
            pair = PartitionPair(
                part=part, made=made, mount_point=member.mount_point, mounted=member.mounted
            )
        elif isinstance(part.content, SwapArea):
            label = _label(part.content.label, _SWAP_LABEL_LIMIT, index, new_ids, labels)
            pair = PartitionPair(
                part=part, made=SwapArea(uuid=new_ids.content_uuid(index), label=label)
            )
        else:
            pair = PartitionPair(part=part)
        if pair.made is not None and pair.made.label:
            labels |= {pair.made.label.casefold()}
        result.append(pair)
    return tuple(result)


def make_steps(pairs: tuple[PartitionPair, ...]) -> tuple[MakeFilesystem | MakeSwap, ...]:
    """Return the steps that make these partitions' contents, in the table's order."""
    steps: list[MakeFilesystem | MakeSwap] = []
    for pair in pairs:
        match pair.made:
            case FileSystem():
                steps.append(
                    MakeFilesystem(
                        place=place_of(pair.part),
                        filesystem=pair.made,
                        mount_point=pair.mount_point,
                    )
                )
            case SwapArea():
                steps.append(MakeSwap(place=place_of(pair.part), swap=pair.made))
            case None:
                pass
    return tuple(steps)


def _filesystem(
    source: FileSystem, index: int, new_ids: NewIds, labels: frozenset[str]
) -> FileSystem:
    vfat = source.kind is FsKind.VFAT
    uuid = new_ids.vfat_id(index) if vfat else new_ids.content_uuid(index)
    label = _label(source.label, _LABEL_LIMIT[source.kind], index, new_ids, labels)
    return replace(source, uuid=uuid, label=label.upper() if vfat else label)


def _label(old: str, limit: int, index: int, new_ids: NewIds, labels: frozenset[str]) -> str:
    """Return a label that tells the mirror's file system from every other: 'home-3f2a'.

    It consists of characters that no file has to escape, since it appears in fstab, in GRUB's
    configuration and in udev links. Without an old label there is no new one.
    """
    if not old:
        return ""
    plain = re.sub(r"[^0-9A-Za-z_.-]", "_", old)
    candidates = (f"{plain[: limit - 5]}-{token}" for token in new_ids.tokens(index))
    return next(label for label in candidates if label.casefold() not in labels)
