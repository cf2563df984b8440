"""The mirror's partition table: the source's to the sector, with its own identifiers."""

from dataclasses import replace

from rescue.model.storage import partition_type
from rescue.model.storage.disk import Disk, Partition, PartitionTable, TableKind, UseKind
from rescue.model.storage.filesystem import FileSystem, FsKind, SwapArea
from rescue.model.storage.layer import Nothing
from rescue.plan.layout.new_ids import NewIds
from rescue.units import Sectors

_TYPES = {
    TableKind.GPT: (
        partition_type.RAID,
        partition_type.LINUX,
        partition_type.SWAP,
        partition_type.ESP,
    ),
    TableKind.MBR: ("FD", "83", "82", partition_type.ESP_OF_MBR.lower()),
}
"""The types of a member of RAID, of Linux' file systems, of swap, and of an ESP."""

_RAID_FLAG = "raid"
"""libparted's name of what tells a member of RAID."""

_ESP_PLACES = ("/boot/efi", "/efi")


def mirror_table(source: PartitionTable, new_ids: NewIds) -> PartitionTable:
    """Given the source's table, return the mirror's.

    Number, start, length, type, name, attributes and flags are the same, and the room for entries;
    GUIDs (GPT) or the disk signature, and with it each PARTUUID (MBR), are new. A member of RAID 1
    becomes a partition of the type that its content has without.
    """
    table_uuid = new_ids.table_uuid(source.kind)
    partitions = tuple(
        replace(
            part,
            uuid=_partuuid(source.kind, table_uuid, part.number, new_ids.partuuid(index)),
            type=plain_type(part, source.kind),
            flags=tuple(flag for flag in part.flags if not part.array or flag != _RAID_FLAG),
            content=Nothing(),
            path="",
            links=(),
            uses=(),
            array="",
        )
        for index, part in enumerate(source.partitions)
    )
    return replace(source, uuid=table_uuid, partitions=partitions)


def plain_type(part: Partition, kind: TableKind) -> str:
    """Return the type of the mirror's partition: the source's own, but for members of RAID 1.

    Those say of themselves that they belong to an array, which the mirror's does not.
    """
    raid, linux, swap, esp = _TYPES[kind]
    if not part.array or part.type.upper() != raid:
        return part.type
    match part.content:
        case SwapArea():
            return swap
        case FileSystem(kind=FsKind.VFAT) if _is_boot_of_firmware(part):
            return esp
        case _:
            return linux


def _is_boot_of_firmware(part: Partition) -> bool:
    return any(use.kind is UseKind.MOUNTED and use.where in _ESP_PLACES for use in part.uses)


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
