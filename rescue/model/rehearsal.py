"""A rehearsal of the night: what would be played, what the guests reported, the result."""

import hashlib
from dataclasses import dataclass
from enum import StrEnum

from rescue.model.boot.firmware import Firmware
from rescue.model.storage.identity import DiskId
from rescue.units import Bytes

DRILL_VERSION = 1

MOST_CONSOLE = 30
"""Lines of the console's end that a failed phase keeps."""


class Phase(StrEnum):
    """The phases of the rehearsed night, in order; each needs the one before it."""

    SERVICE = "service"
    HOMES = "homes"
    FAILBACK = "failback"
    NEW_DISK = "new-disk"


class Part(StrEnum):
    """The part a guest plays: the night on the mirror, or the first start of the new disk."""

    NIGHT = "night"
    HOME = "home"


@dataclass(frozen=True, kw_only=True)
class Mark:
    """A small file in the homes that shows how users' data travels through the rehearsal.

    Each is the content at one moment, '' where the file does not exist then: at the `last_run`,
    on the `dead` disk when it died, `here` on the mirror before the homes come back, and `late`
    on the mirror between the two passes of the failback. Only ASCII, so that a shell writes it.
    """

    name: str
    last_run: str = ""
    dead: str = ""
    here: str = ""
    late: str = ""

    @property
    def after_restore(self) -> str:
        """The file's content on the mirror once the homes are back: nothing newer is replaced.

        What no longer exists on the dead disk stays: nothing is deleted.
        """
        return self.here or self.dead or self.last_run

    @property
    def at_home(self) -> str:
        """The file's content on the new disk."""
        return self.late or self.after_restore


def digest(content: str) -> str:
    """Return the SHA-256 of a mark's content, as sha256sum prints it."""
    return hashlib.sha256(content.encode()).hexdigest()


@dataclass(frozen=True, kw_only=True)
class PartIds:
    """A partition of the throw-away first disk, and the identifiers that it gets back.

    `start` and `length` are in bytes; `kind` is libblkid's word ('ext4', 'swap', '' for nothing
    that has a UUID), `features` are the file system's. `partuuid` is '' where the table gives it.
    """

    number: int
    start: Bytes
    length: Bytes
    kind: str = ""
    features: tuple[str, ...] = ()
    uuid: str = ""
    partuuid: str = ""


@dataclass(frozen=True, kw_only=True)
class FirstDisk:
    """The throw-away disk that plays the dead first one: the mirror with its source's identifiers.

    `serial` is what it shows; `table_uuid` is the source's, as sfdisk takes it. The first
    `wreck` bytes are overwritten at the end: the whole partition table, or only the boot
    sector's code where `keeps_table` says that nothing else identifies the disk.
    """

    serial: str
    table_uuid: str
    parts: tuple[PartIds, ...]
    wreck: int
    keeps_table: bool


@dataclass(frozen=True, kw_only=True)
class Homes:
    """Where the marks lie: `folder` below the file system of that UUID on the mirror.

    `start` and `length` are its place on the disk in bytes, `path` is the folder as the running
    system names it.
    """

    start: Bytes
    length: Bytes
    kind: str
    folder: str
    path: str


@dataclass(frozen=True, kw_only=True)
class RootPlace:
    """The root file system of the mirror: its place on the disk in bytes."""

    start: Bytes
    length: Bytes
    kind: str


@dataclass(frozen=True, kw_only=True)
class DrillPlan:
    """The whole rehearsal, before a byte is written; it writes only to files in one folder.

    `room` is what it takes in that folder at most, `free` what is free there, in bytes. Times are
    seconds since the epoch (UTC): the marks of the last run are as old as that run, those of the
    dead disk were changed at `died`. `limit` is in seconds.
    """

    version: int = DRILL_VERSION
    mirror: str
    host: str
    generation: int
    last_complete: float
    died: float
    mirror_path: str
    mirror_disk: DiskId
    size: Bytes
    new_size: Bytes
    new_serial: str
    firmware: Firmware
    root: RootPlace
    homes: Homes
    first: FirstDisk
    marks: tuple[Mark, ...]
    work_dir: str
    room: Bytes
    free: Bytes
    limit: float
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Line:
    """A line of a guest's report, and its time: seconds since power-on, on the host's clock."""

    at: float
    text: str


@dataclass(frozen=True, kw_only=True)
class Boot:
    """What was observed of one guest: its report, its console, and whether it switched itself off.

    `seconds` are from power-on to its end; `trouble` is the machinery's explanation where it
    did not end by itself ('' where it did).
    """

    lines: tuple[Line, ...] = ()
    console: str = ""
    seconds: float = 0.0
    trouble: str = ""


@dataclass(frozen=True, kw_only=True)
class PhaseResult:
    """The result of one phase: `seconds` it took, and `at` since power-on it was reached.

    `problem` is '' for a phase that was passed; `console` is the end of what the machine showed,
    kept only for the one that failed. A phase that was not reached has no times and no problem.
    """

    phase: Phase
    reached: bool
    seconds: float = 0.0
    at: float = 0.0
    problem: str = ""
    console: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether the phase was reached and nothing was wrong."""
        return self.reached and not self.problem


@dataclass(frozen=True, kw_only=True)
class DrillTimes:
    """What the rehearsal measured, in seconds; 0.0 means not measured.

    `service` and `homes` are from power-on with the medium: until every service is up, and until
    the users' files are back. `failback` is the copy to the new disk, `again` its second pass,
    during which the services stand still; `new_disk` is from the new disk's power-on to its
    services.
    """

    service: float = 0.0
    homes: float = 0.0
    failback: float = 0.0
    again: float = 0.0
    new_disk: float = 0.0


@dataclass(frozen=True, kw_only=True)
class DrillResult:
    """The stored result of a rehearsal: result.json in its own folder below the drills' folder.

    `emulated` says that the processor was emulated: its times then say nothing of the machine
    itself. `generation` and `last_complete` are of the mirror that was started.
    """

    version: int = DRILL_VERSION
    mirror: str
    host: str
    generation: int
    last_complete: float
    started: float
    seconds: float
    firmware: Firmware
    emulated: bool
    phases: tuple[PhaseResult, ...]
    times: DrillTimes
    notes: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether every phase was passed."""
        return all(phase.passed for phase in self.phases)

    @property
    def failed(self) -> PhaseResult | None:
        """The phase at which it ended, None where all were passed."""
        return next((phase for phase in self.phases if not phase.passed), None)
