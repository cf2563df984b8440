"""The mirror's partition table: the source's to the sector, with its own identifiers."""

from dataclasses import replace

from rescue.model.storage.disk import Disk, PartitionTable, TableKind
from rescue.model.storage.layer import Nothing
from rescue.plan.layout.new_ids import NewIds
from rescue.units import Sectors


def mirror_table(source: PartitionTable, new_ids: NewIds) -> PartitionTable:
    """Given the source's table, return the mirror's.

    Number, start, length, type, name, attributes and flags are the same, and the room for entries;
    GUIDs (GPT) or the disk signature, and with it each PARTUUID (MBR), are new.
    """
    table_uuid = new_ids.table_uuid(source.kind)
    partitions = tuple(
        replace(
            part,
            uuid=_partuuid(source.kind, table_uuid, part.number, new_ids.partuuid(index)),
            content=Nothing(),
            path="",
            links=(),
            uses=(),
        )
        for index, part in enumerate(source.partitions)
    )
    return replace(source, uuid=table_uuid, partitions=partitions)


def sectors_needed(disk: Disk) -> Sectors:
    """Return how many sectors a disk must have to hold the disk's partitions and their table.

    A GPT keeps its second header and entries behind the last partition (UEFI 2.10 section
    5.3.2): 33 sectors of 512 bytes for 128 entries. An MBR needs nothing there.
    """
    end = max((part.start + part.length for part in disk.partitions), default=0)
    if disk.table is None or disk.table.kind is TableKind.MBR:
        return Sectors(end)
    return Sectors(end + 1 + disk.table.entry_sectors(logical_sector=disk.logical_sector))


def _partuuid(kind: TableKind, table_uuid: str, number: int, new_ids: str) -> str:
    """Return a PARTUUID as udev spells it (man 5 fstab: PARTUUID of an MBR is 'signature-NN')."""
    return new_ids if kind is TableKind.GPT else f"{table_uuid}-{number:02x}"
