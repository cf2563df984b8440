"""A restore of the users' files: where from, what would come back, what came back."""

from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import PurePosixPath

from rescue import paths
from rescue.model.finding import Finding
from rescue.model.mirror.since import Since
from rescue.model.restore.owners import Owners
from rescue.model.storage.filesystem import FsKind
from rescue.model.storage.identity import DiskId

RESTORE_VERSION = 2

HOMES = "/home"
"""The tree whose first-level folders are users."""

NOT_RESTORED = frozenset({paths.OWN_FOLDER, "lost+found"})
"""On the root of a file system: never looked at, never copied; nor are those of restores."""


class OriginKind(StrEnum):
    """What the files are restored from."""

    DISK = "disk"
    PARTITION = "partition"
    IMAGE = "image"


@dataclass(frozen=True, kw_only=True)
class Origin:
    """The place the files are restored from.

    `name` is what a person types to mean it: the disk's serial or WWN, otherwise its table's
    id, or the image's path. `size` is in bytes.
    """

    kind: OriginKind
    path: str
    name: str
    size: int
    logical_sector: int = 512
    id: DiskId = field(default_factory=DiskId)


class Reading(StrEnum):
    """How a file system of the dead disk is read; never by writing to it."""

    CLEAN = "clean"
    REPLAYED = "replayed"
    REPAIRED = "repaired"
    LOOKED = "looked"
    BACKUP = "backup superblock"

    @property
    def is_whole(self) -> bool:
        """Whether everything that was on its way to the disk (in a journal) is seen."""
        return self in (Reading.CLEAN, Reading.REPLAYED, Reading.REPAIRED)


@dataclass(frozen=True, kw_only=True)
class Piece:
    """The part of one tree that lies on one file system.

    `inside` is the path within the file system ('' for all of it); `mount_point` is where the
    running system has its counterpart. `nested` are paths within it where other pieces begin;
    `covered` are those over which the running system has something else mounted: they are
    skipped with everything below them. `user` is whose home the tree is, where it is one
    outside of /home.
    """

    tree: str
    mount_point: str
    inside: str
    kind: FsKind
    source_uuid: str
    mirror_uuid: str
    nested: tuple[str, ...] = ()
    covered: tuple[str, ...] = ()
    user: str = ""

    @property
    def is_covered(self) -> bool:
        """Whether something is mounted over all of it, so that restored files would be hidden."""
        place = PurePosixPath(self.inside)
        return any(place.is_relative_to(each) for each in self.covered)


@dataclass(frozen=True, kw_only=True)
class Told:
    """What two sides hold of one user, or of one tree without users (`user` is '').

    Paths are relative to the tree. Folders count for nothing but `new_folders`; `doubtful` come
    back and what they replace is put aside. `bytes_back` is the content that comes.
    """

    tree: str
    user: str
    new: tuple[str, ...] = ()
    updated: tuple[str, ...] = ()
    doubtful: tuple[str, ...] = ()
    newer_here: tuple[str, ...] = ()
    only_here: tuple[str, ...] = ()
    other_kind: tuple[str, ...] = ()
    unreadable: tuple[str, ...] = ()
    new_folders: int = 0
    same: int = 0
    owners_differ: int = 0
    bytes_back: int = 0
    newest: float = 0.0

    @property
    def comes(self) -> tuple[str, ...]:
        """Everything that comes back, without folders."""
        return self.new + self.updated + self.doubtful


@dataclass(frozen=True, kw_only=True)
class Room:
    """The space that one file system of the running system needs, and has. In bytes and inodes.

    `inodes_free` is -1 where the file system makes inodes as it needs them.
    """

    mount_point: str
    needed: int
    free: int
    inodes_needed: int = 0
    inodes_free: int = -1


@dataclass(frozen=True, kw_only=True)
class Free:
    """What a file system of the running system has free: bytes, and inodes (-1: no limit)."""

    size: int
    inodes: int = -1


@dataclass(frozen=True, kw_only=True)
class Read:
    """How the file system of a mount point is read."""

    mount_point: str
    reading: Reading


@dataclass(frozen=True, kw_only=True)
class RestoreRequest:
    """What a person asked for: the dead disk by any name ('' to search for it), and which trees."""

    named: str = ""
    trees: tuple[str, ...] = ()
    keep_replaced: bool = False


@dataclass(frozen=True, kw_only=True)
class RestorePlan:
    """What would come back, complete before the first byte is written.

    `since` is when the mirror was last written by a run, `touched` when that run first read the
    dead disk: what was touched there later may differ in content from here. `planned` is now
    (seconds since the epoch). `future_there` and `future_here` are files with times in the
    future, as absolute paths. `owners` is the mapping of user and group numbers.
    """

    version: int = RESTORE_VERSION
    host: str
    mirror: str
    origin: Origin
    pieces: tuple[Piece, ...]
    reads: tuple[Read, ...]
    users: tuple[Told, ...]
    room: tuple[Room, ...]
    since: float
    planned: float
    touched: Since = field(default_factory=Since)
    keep_replaced: bool = False
    owners: Owners = field(default_factory=Owners)
    newest: tuple[str, ...] = ()
    future_there: tuple[str, ...] = ()
    future_here: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def is_whole(self) -> bool:
        """Whether every file system includes all data that was on its way to it."""
        return all(read.reading.is_whole for read in self.reads)


@dataclass(frozen=True, kw_only=True)
class RestoreReport:
    """What came back, by a look at both sides afterwards.

    In each `Told`, `new`, `updated` and `doubtful` have come back, and what should have come and
    did not is in `unreadable`. `replaced` are the folders where replaced files were put aside.
    """

    version: int = RESTORE_VERSION
    host: str
    origin: Origin
    started: float
    seconds: float
    complete: bool
    users: tuple[Told, ...]
    replaced: tuple[str, ...] = ()
    future_there: tuple[str, ...] = ()
    future_here: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()
    notes: tuple[str, ...] = ()


class TableState(StrEnum):
    """What is left of a partition table.

    SECOND is a GPT of which only the header at the disk's end is left (UEFI 2.10, section 5.3.2).
    """

    PRESENT = "present"
    SECOND = "second header only"
    ZEROED = "zeroed"
    GONE = "gone"
    UNREADABLE = "unreadable"
    NONE_NEEDED = "no table"
