"""Disks, partition tables and partitions, in sectors as the table counts them."""

from dataclasses import dataclass, field
from enum import StrEnum

from rescue.model.storage.identity import DiskId
from rescue.model.storage.layer import Content, Nothing
from rescue.units import Bytes, Sectors


class TableKind(StrEnum):
    """The kinds of partition table, by sfdisk's names."""

    GPT = "gpt"
    MBR = "dos"


class PartitionKind(StrEnum):
    """Where an MBR partition is described; GPT partitions are all primary."""

    PRIMARY = "primary"
    EXTENDED = "extended"
    LOGICAL = "logical"


class UseKind(StrEnum):
    """How a running system holds a block device."""

    MOUNTED = "mounted"
    SWAP = "swap"
    HOLDER = "holder"


@dataclass(frozen=True, kw_only=True)
class Use:
    """One way in which a device is in use; `where` is the mount point or the holding device."""

    kind: UseKind
    where: str = ""


@dataclass(frozen=True, kw_only=True)
class Partition:
    """One partition.

    `type` is the type GUID in upper case (GPT) or the hexadecimal code without 0x (MBR);
    `uuid` is the PARTUUID in lower case as udev spells it; `attrs` is sfdisk's attribute string;
    `flags` are libparted's flag names, sorted; `path` is the kernel's device node and `links`
    are the udev links to it, sorted. Both are valid only while the machine is running. `array` is
    the UUID of the RAID 1 array that it is seen as (`raid1.seen_through`).
    """

    number: int
    start: Sectors
    length: Sectors
    kind: PartitionKind = PartitionKind.PRIMARY
    type: str
    uuid: str
    name: str = ""
    attrs: str = ""
    bootable: bool = False
    flags: tuple[str, ...] = ()
    content: Content = field(default_factory=Nothing)
    path: str = ""
    links: tuple[str, ...] = ()
    uses: tuple[Use, ...] = ()
    array: str = ""


GPT_ENTRIES = 128
"""How many partitions a GPT has room for by default."""


@dataclass(frozen=True, kw_only=True)
class PartitionTable:
    """A partition table; `uuid` is the disk GUID in lower case (GPT) or 8 hex digits (MBR).

    `entries` is how many partitions a GPT has room for; of an MBR it says nothing.
    """

    kind: TableKind
    uuid: str
    partitions: tuple[Partition, ...]
    entries: int = GPT_ENTRIES

    def entry_sectors(self, *, logical_sector: int) -> Sectors:
        """Return how many sectors a GPT's entries take: 128 bytes each (UEFI 2.10, 5.3.2)."""
        return Sectors(-(-self.entries * 128 // logical_sector))

    @property
    def has_id(self) -> bool:
        """Whether its id is meaningful: old MBRs have an id of zeros, and blkid shows none."""
        return bool(self.uuid.strip("0-"))

    def partition(self, number: int) -> Partition:
        """Return the partition of that number. Raises KeyError where there is none."""
        for part in self.partitions:
            if part.number == number:
                return part
        raise KeyError(number)


@dataclass(frozen=True, kw_only=True)
class Disk:
    """A whole disk as it was seen at one moment.

    `path` is the kernel's name for it ('/dev/vda'), valid only while the machine is running;
    `content` is what lies on the whole disk without a partition table.
    """

    path: str
    id: DiskId
    size: Bytes
    logical_sector: int
    physical_sector: int
    model: str = ""
    transport: str = ""
    read_only: bool = False
    removable: bool = False
    table: PartitionTable | None = None
    content: Content = field(default_factory=Nothing)
    uses: tuple[Use, ...] = ()

    @property
    def sectors(self) -> Sectors:
        """The disk's size in its own logical sectors."""
        return Sectors(self.size // self.logical_sector)

    @property
    def partitions(self) -> tuple[Partition, ...]:
        """The partitions, none where there is no table."""
        return self.table.partitions if self.table else ()

    def partition(self, number: int) -> Partition | None:
        """Return the partition of that number, None where there is none, or no table."""
        return next((part for part in self.partitions if part.number == number), None)

    @property
    def all_uses(self) -> tuple[Use, ...]:
        """The uses of the disk itself and of each of its partitions."""
        return self.uses + tuple(use for part in self.partitions for use in part.uses)
