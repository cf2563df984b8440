"""The map from each identifier of the source's disk to the mirror's."""

from collections.abc import Iterator
from dataclasses import replace

from rescue.model.mirror.identifiers import DeviceNames, DevicePair, IdentifierMap
from rescue.model.storage.disk import Disk, Partition, PartitionTable, TableKind
from rescue.model.storage.partition_type import is_bios_boot
from rescue.plan.layout.contents import names
from rescue.plan.layout.filesystems import PartitionPair

_BY_ID = "/dev/disk/by-id/"
# These follow from the UUID, the label, the PARTUUID and the name.
_DERIVED = tuple(f"/dev/disk/by-{family}/" for family in ("uuid", "label", "partuuid", "partlabel"))


def identifier_map(
    source: Disk,
    target: Disk,
    table: PartitionTable,
    partitions: tuple[PartitionPair, ...],
    twins: tuple[Disk, ...] = (),
) -> IdentifierMap:
    """Given both disks, the mirror's table and what is made on it, return the map.

    The first pair is the disks themselves; then one for each partition, in the table's order.
    `twins` are the other disks of a server on RAID 1, each seen through its arrays: what they are
    named by stands for the mirror's, too.
    """
    disk = DevicePair(
        old=disk_names(source),
        new=DeviceNames(table_uuid=table.uuid, paths=_stable_paths(target)),
    )
    pairs = tuple(
        DevicePair(
            old=partition_names(source, partition.part), new=_new(target, table, part, partition)
        )
        for part, partition in zip(table.partitions, partitions, strict=True)
    )
    more = tuple(pair for twin in twins for pair in _of_twin(twin, disk, partitions, pairs))
    return IdentifierMap(pairs=(disk, *pairs, *more))


def _of_twin(
    twin: Disk,
    disk: DevicePair,
    partitions: tuple[PartitionPair, ...],
    pairs: tuple[DevicePair, ...],
) -> Iterator[DevicePair]:
    """Yield the pairs of another disk of the same RAID 1, and of its members.

    What else it holds is no part of the mirror, but for where GRUB keeps its core image.
    """
    yield replace(disk, old=disk_names(twin))
    for part in twin.partitions:
        for partition, pair in zip(partitions, pairs, strict=True):
            same_array = part.array and part.array == partition.part.array
            if same_array or (is_bios_boot(part) and is_bios_boot(partition.part)):
                old = partition_names(twin, part)
                yield replace(pair, old=replace(old, uuid="", label="", array=""))


def disk_names(source: Disk) -> DeviceNames:
    """Return everything that a whole disk can be named by."""
    return DeviceNames(
        table_uuid=source.table.uuid if source.table else "",
        paths=(source.path, *_disk_links(source)),
    )


def partition_names(source: Disk, part: Partition) -> DeviceNames:
    """Return everything that a partition of a disk can be named by."""
    uuid, label = names(part.content)
    links = {link for link in part.links if not link.startswith(_DERIVED)}
    links |= {f"{_BY_ID}{name}-part{part.number}" for name in source.id.by_id}
    paths = ((part.path,) if part.path else ()) + tuple(sorted(links))
    return DeviceNames(
        uuid=uuid,
        label=label,
        partuuid=part.uuid,
        partlabel=part.name,
        paths=paths,
        array=part.array,
    )


def _new(
    target: Disk, table: PartitionTable, part: Partition, partition: PartitionPair
) -> DeviceNames:
    return DeviceNames(
        uuid=partition.made.uuid if partition.made else "",
        label=partition.made.label if partition.made else "",
        partuuid=part.uuid,
        partlabel=part.name,
        paths=tuple(f"{_BY_ID}{name}-part{part.number}" for name in target.id.by_id),
        grub=_grub_name(table, part) if partition.part.array else "",
    )


def _grub_name(table: PartitionTable, part: Partition) -> str:
    """Return GRUB's name of a partition of the disk that the firmware starts."""
    return f"hd0,{'gpt' if table.kind is TableKind.GPT else 'msdos'}{part.number}"


def _disk_links(source: Disk) -> tuple[str, ...]:
    """Return the whole disk's links: those below by-id, and those its partitions' follow from.

    udev's rules name a partition's link after the disk's with '-partN' behind it
    (60-persistent-storage.rules).
    """
    links = {f"{_BY_ID}{name}" for name in source.id.by_id}
    for part in source.partitions:
        suffix = f"-part{part.number}"
        links |= {
            link.removesuffix(suffix)
            for link in part.links
            if link.endswith(suffix) and not link.startswith(_DERIVED)
        }
    return tuple(sorted(links))


def _stable_paths(target: Disk) -> tuple[str, ...]:
    """Return the mirror's by-id paths, or without any the path that its serial would give.

    That never names the source, whatever the kernel calls the disks at the next boot.
    """
    found = tuple(f"{_BY_ID}{name}" for name in target.id.by_id)
    return found or (f"{_BY_ID}{target.id.name}",)
