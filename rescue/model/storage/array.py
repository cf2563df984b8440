"""RAID arrays of the kernel's md driver: what one is made of, and how it is (man 4 md)."""

from dataclasses import dataclass
from enum import StrEnum

from rescue.units import Bytes

IN_SYNC = "in_sync"
"""The state of a member that holds all that the array holds (md.rst of the kernel)."""

_AT_THE_BEGINNING = Bytes(0)
_IDLE = ("", "idle", "frozen")


class Level(StrEnum):
    """The levels that matter by name; there are others."""

    RAID1 = "raid1"


@dataclass(frozen=True, kw_only=True)
class ArrayMember:
    """A member of an array: `key` is its device's in the graph.

    `offset` is where on it the array's data begins, in bytes: 0 where the superblock stands behind
    the data (metadata 0.90 and 1.0). `state` is sysfs's: 'in_sync', 'spare', 'faulty'.
    """

    key: str
    offset: Bytes = _AT_THE_BEGINNING
    state: str = IN_SYNC


@dataclass(frozen=True, kw_only=True)
class Array:
    """How an array is.

    `uuid` is spelled as mdadm spells it, in four words of eight digits. `metadata` is the format
    of its superblocks: '1.2', '0.90', 'external:imsm'. `wanted` is how many members it has when it
    is whole, `missing` how many of them are not there. `action` is what the kernel does with it:
    'idle', 'resync', 'recover', 'check', 'reshape'.
    """

    uuid: str
    level: str
    metadata: str = ""
    wanted: int = 0
    missing: int = 0
    action: str = ""
    members: tuple[ArrayMember, ...] = ()

    @property
    def whole(self) -> tuple[ArrayMember, ...]:
        """The members that hold everything."""
        return tuple(each for each in self.members if IN_SYNC in each.state.split(","))

    @property
    def is_busy(self) -> bool:
        """Whether the kernel works on it: copies onto a member, compares, or reshapes."""
        return self.action not in _IDLE

    @property
    def trouble(self) -> str:
        """What is the matter with it, in words; '' where it is whole and at rest."""
        missing = f"{self.missing} of {self.wanted} members missing" if self.missing else ""
        return ", ".join(filter(None, (missing, self.action if self.is_busy else "")))
