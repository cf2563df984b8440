"""Places: where on its disk a file system or a swap area lies, whatever layers are between."""

from dataclasses import dataclass
from typing import NoReturn, assert_never

from rescue.errors import ExitCode, UsageError
from rescue.model.storage.disk import Disk, Partition, PartitionTable


@dataclass(frozen=True, kw_only=True)
class OnPartition:
    """On the partition of that number, and nothing between."""

    number: int


@dataclass(frozen=True, kw_only=True)
class InLuks:
    """In the LUKS container of that UUID, which lies at `on` (man 8 cryptsetup)."""

    uuid: str
    on: "Place"


@dataclass(frozen=True, kw_only=True)
class InVolume:
    """In a logical volume of a volume group, by their names (man 8 lvm)."""

    group: str
    volume: str


@dataclass(frozen=True, kw_only=True)
class OnArray:
    """On the md array of that UUID, a member of which lies at `on` (man 4 md)."""

    uuid: str
    on: "Place"


@dataclass(frozen=True, kw_only=True)
class Subvolume:
    """In a subvolume, by its path from the top of the btrfs that lies at `of`."""

    path: str
    of: "Place"


Place = OnPartition | InLuks | InVolume | OnArray | Subvolume


class PlaceError(UsageError):
    """A record names a place that this program cannot reach yet."""

    code = ExitCode.UNSUPPORTED


def node_of(place: Place, disk: Disk | PartitionTable) -> Partition | None:
    """Return what carries a file system at that place of a disk, None where the disk lacks it.

    The one resolver of places: whoever wants device, sectors or content of a recorded file system
    asks it. Raises PlaceError for one in a layer.
    """
    match place:
        case OnPartition(number=number):
            return next((part for part in disk.partitions if part.number == number), None)
        case _:
            _refuse(place)


def number_of(place: Place) -> int:
    """Return the number of the partition that a place is. Raises PlaceError for one in a layer."""
    match place:
        case OnPartition(number=number):
            return number
        case _:
            _refuse(place)


def place_of(part: Partition) -> Place:
    """Return the place of what lies on a partition, and nothing between."""
    return OnPartition(number=part.number)


def in_words(place: Place) -> str:
    """Return a place as people read it: 'partition 4', 'LUKS 1c2d-... on partition 3'."""
    match place:
        case OnPartition(number=number):
            return f"partition {number}"
        case InLuks(uuid=uuid, on=on):
            return f"LUKS {uuid} on {in_words(on)}"
        case InVolume(group=group, volume=volume):
            return f"LVM volume {group}/{volume}"
        case OnArray(uuid=uuid, on=on):
            return f"RAID array {uuid} on {in_words(on)}"
        case Subvolume(path=path, of=of):
            return f"subvolume {path} on {in_words(of)}"
        case _:
            assert_never(place)


def _refuse(place: Place) -> NoReturn:
    raise PlaceError(
        f"the mirror's record names {in_words(place)}: this rescue reaches plain partitions alone",
        hint="use the rescue that prepared this mirror",
    )
