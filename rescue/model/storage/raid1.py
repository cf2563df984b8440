"""RAID 1, seen from the disks: each member of such an array holds all that the array holds.

So a server on RAID 1 is mirrored like one on a plain disk. One of its disks stands for all of them,
and on that disk each member partition is taken for what its array is: the array's content, under
the array's names. Nothing is read from or written to a member itself.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from rescue.model.storage.array import Level
from rescue.model.storage.device import Device, DeviceKind
from rescue.model.storage.disk import Disk, Partition
from rescue.model.storage.graph import Graph


def mirrored_by(graph: Graph, key: str) -> tuple[Device, ...]:
    """Return the disks of whose partitions the RAID 1 array of that key is made, none for others.

    An array of whole disks is none: the partitions lie in it, and not on the disks.
    """
    array = graph.at(key)
    if array is None or not _is_raid1(array):
        return ()
    members = graph.below(array)
    if not members or any(each.kind is not DeviceKind.PARTITION for each in members):
        return ()
    disks = [disk for each in members for disk in graph.below(each)]
    whole = all(disk.kind is DeviceKind.DISK for disk in disks)
    return tuple({disk.key: disk for disk in disks}.values()) if whole else ()


def standing_for(disks: Sequence[Disk], graph: Graph, root: str) -> Disk | None:
    """Return the disk that stands for those of the RAID 1 array that carries the root, or None.

    It is the one with a member of the most arrays; of several the first by its identity, so that it
    is the same each time as long as it is there.
    """
    own = {disk.key for disk in mirrored_by(graph, root)}
    found = [disk for disk in disks if disk.path in own]
    found.sort(key=lambda disk: (-_count(disk, graph), disk.id.name, disk.path))
    return found[0] if found else None


def seen_through(disk: Disk, graph: Graph) -> Disk:
    """Return the disk with each partition that is a member of RAID 1 as what its array is."""
    if disk.table is None:
        return disk
    parts = tuple(_seen_through(part, graph) for part in disk.table.partitions)
    return replace(disk, table=replace(disk.table, partitions=parts))


def members_of(array: str, disk: Disk, graph: Graph) -> Iterator[Partition]:
    """Yield the partitions of a disk that are members of the array of that UUID."""
    for part in disk.partitions:
        over = _array_over(part, graph)
        if over is not None and over.array is not None and over.array.uuid == array:
            yield part


def _is_raid1(device: Device) -> bool:
    """Whether it is RAID 1 by md's own metadata, and not by that of a firmware (IMSM, DDF)."""
    array = device.array
    if device.kind is not DeviceKind.ARRAY or array is None or not array.uuid:
        return False
    return array.level == Level.RAID1 and not array.metadata.startswith("external")


def _array_over(part: Partition, graph: Graph) -> Device | None:
    device = graph.at(part.path) if part.path else None
    over = graph.above(device) if device is not None else ()
    return over[0] if len(over) == 1 and mirrored_by(graph, over[0].key) else None


def _count(disk: Disk, graph: Graph) -> int:
    return sum(_array_over(part, graph) is not None for part in disk.partitions)


def _seen_through(part: Partition, graph: Graph) -> Partition:
    over = _array_over(part, graph)
    if over is None or over.array is None:
        return part
    return replace(
        part,
        content=over.content,
        path=over.path,
        links=tuple(sorted({part.path, *part.links, *over.links})),
        uses=over.uses,
        array=over.array.uuid,
    )
