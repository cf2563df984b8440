"""Disks with their tables, contents and uses, as udev, sfdisk and libblkid report them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from rescue.discover.contents import PATH, UNREADABLE, read_content
from rescue.errors import RescueError
from rescue.model.storage.disk import (
    Disk,
    Partition,
    PartitionKind,
    PartitionTable,
    TableKind,
    Use,
    UseKind,
)
from rescue.model.storage.layer import Content, Foreign, Nothing
from rescue.model.storage.mount import Mount, Swap
from rescue.system.block.block_tree import DiskNode, LayerNode, PartitionNode
from rescue.system.block.blockinfo import Signature, probe
from rescue.system.block.read_table import flags_of, mbr_kind, read_table


@dataclass(frozen=True, kw_only=True)
class Usage:
    """Who uses block devices on the running system: what is mounted, and what is swapped to."""

    mounts: tuple[Mount, ...] = ()
    swaps: tuple[Swap, ...] = ()

    def of(
        self, path: str, *, major_minor: str, holders: Sequence[LayerNode] = ()
    ) -> tuple[Use, ...]:
        """Return the uses of one device: every mount point, swap, every layer above it."""
        mounted = (
            Use(kind=UseKind.MOUNTED, where=mount.target)
            for mount in self.mounts
            # btrfs has a device number of its own, so its name must do.
            if (mount.is_block and path in mount.device.split(":"))
            or (major_minor and mount.major_minor == major_minor)
        )
        swapped = (
            Use(kind=UseKind.SWAP, where=swap.path)
            for swap in self.swaps
            if swap.path == path and not swap.is_file
        )
        held = (Use(kind=UseKind.HOLDER, where=layer.path) for layer in layers_above(holders))
        return (*mounted, *swapped, *held)


def layers_above(holders: Sequence[LayerNode]) -> Iterator[LayerNode]:
    """Yield the layers and everything above them, nearest first."""
    for layer in holders:
        yield layer
        yield from layers_above(layer.holders)


def read_disk(node: DiskNode, usage: Usage) -> Disk:
    """Return the disk of that node with its table, what its partitions hold, and who uses it."""
    seen = probe(node.path)
    table, content = _table(node, seen)
    return Disk(
        path=node.path,
        id=node.id,
        size=node.size,
        logical_sector=node.logical_sector,
        physical_sector=node.physical_sector,
        model=node.model,
        transport=node.transport,
        read_only=node.read_only,
        removable=node.removable,
        table=_with_partitions(table, node, usage) if table else None,
        content=content,
        uses=usage.of(node.path, major_minor=node.major_minor, holders=node.holders),
    )


def _table(node: DiskNode, seen: Signature | None) -> tuple[PartitionTable | None, Content]:
    """Return the disk's table, and what lies on the whole disk besides (or instead)."""
    told = seen or node.signature
    if node.signature is not None and node.signature.type == PATH:
        told = node.signature
    if told is None or told.table_kind not in tuple(TableKind):
        return None, read_content(node.path, told=told)
    # An image written to a stick can be a file system and a partition table at once.
    content = read_content(node.path, told=told) if told.type else Nothing()
    if seen is None:
        return table_from_udev(node, told), content
    try:
        return read_table(node.path), content
    except RescueError:
        return None, Foreign(kind=f"{UNREADABLE} partition table ({told.table_kind})")


def table_from_udev(node: DiskNode, told: Signature) -> PartitionTable:
    """Return the table as udev and the kernel know it, for callers without root.

    Attributes and boot flags are not in it: good enough to be shown, not to be planned with.
    """
    kind = TableKind(told.table_kind)
    return PartitionTable(
        kind=kind,
        uuid=told.table_uuid.lower(),
        partitions=tuple(_partition_from_udev(part, kind) for part in node.partitions),
    )


def _partition_from_udev(part: PartitionNode, kind: TableKind) -> Partition:
    is_gpt = kind is TableKind.GPT
    code = part.type.upper() if is_gpt else part.type.lower().removeprefix("0x")
    return Partition(
        number=part.number,
        start=part.start,
        length=part.length,
        kind=PartitionKind.PRIMARY if is_gpt else mbr_kind(part.number, code),
        type=code,
        uuid=part.uuid.lower(),
        name=part.name,
        flags=flags_of(kind, code, attrs="", bootable=False),
    )


def _with_partitions(table: PartitionTable, node: DiskNode, usage: Usage) -> PartitionTable:
    known = {part.number: part for part in node.partitions}
    filled = (_filled(part, known.get(part.number), usage) for part in table.partitions)
    return replace(table, partitions=tuple(filled))


def _filled(part: Partition, node: PartitionNode | None, usage: Usage) -> Partition:
    """Return the partition of the table with what the kernel's node of it tells.

    Where the kernel does not know it, or knows another one by that number (it has not read the
    table again), it has no node, and what it holds is not known.
    """
    if node is None or node.start != part.start:
        return replace(part, content=Foreign(kind=UNREADABLE))
    extended = part.kind is PartitionKind.EXTENDED
    return replace(
        part,
        path=node.path,
        links=node.links,
        content=Nothing() if extended else read_content(node.path, told=node.signature),
        uses=usage.of(node.path, major_minor=node.major_minor, holders=node.holders),
    )
