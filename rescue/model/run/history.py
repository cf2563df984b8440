"""The history of runs: what each did, how long it took, how it ended."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from rescue.errors import ExitCode
from rescue.model.mirror.plan import PlanKind
from rescue.model.mirror.record import FreeSpace, RunSummary
from rescue.model.run.exposure import Proven
from rescue.model.storage.disk_health import DiskHealth, SmartVerdict

HISTORY_VERSION = 1


class RunEnd(StrEnum):
    """How a run ended.

    RUNNING has begun and reported no end: where no run is active, it was CUT (a power cut, a
    kill). REFUSED has written nothing. After COMPLETE and DEGRADED (some files could not be
    read) the mirror is whole.
    """

    RUNNING = "running"
    CUT = "cut"
    COMPLETE = "complete"
    DEGRADED = "degraded"
    FAILED = "failed"
    REFUSED = "refused"


_WHOLE = (RunEnd.COMPLETE, RunEnd.DEGRADED)
_NOTHING_WRITTEN = (
    ExitCode.USAGE,
    ExitCode.REFUSED,
    ExitCode.UNSUPPORTED,
    ExitCode.DRIFTED,
    ExitCode.BRAKE,
    ExitCode.BUSY,
    ExitCode.SKIPPED,
)


def end_of(code: ExitCode) -> RunEnd:
    """Given the exit code of a run, return how it ended."""
    if code is ExitCode.DONE:
        return RunEnd.COMPLETE
    if code is ExitCode.DEGRADED:
        return RunEnd.DEGRADED
    return RunEnd.REFUSED if code in _NOTHING_WRITTEN else RunEnd.FAILED


@dataclass(frozen=True, kw_only=True)
class RunFigures:
    """A run's figures as in RunSummary, but only the number of vanished and unreadable files."""

    files_total: int
    files_changed: int
    bytes_changed: int
    deletions: int
    vanished: int
    unreadable: int

    @classmethod
    def of(cls, summary: RunSummary) -> "RunFigures":
        """Return the figures of a summary."""
        return cls(
            files_total=summary.files_total,
            files_changed=summary.files_changed,
            bytes_changed=summary.bytes_changed,
            deletions=summary.deletions,
            vanished=summary.vanished,
            unreadable=len(summary.unreadable),
        )


@dataclass(frozen=True, kw_only=True)
class DiskNote:
    """A disk's state when a run began: its SMART state, and the number of kernel read errors."""

    disk: str
    smart: SmartVerdict
    read_errors: int = 0

    @classmethod
    def of(cls, disk: str, health: DiskHealth) -> "DiskNote":
        """Return the part of a disk's health that the history keeps."""
        return cls(disk=disk, smart=health.smart, read_errors=len(health.read_errors))


@dataclass(frozen=True, kw_only=True)
class RunEntry:
    """One run. `started` is in seconds since the epoch (UTC), `seconds` the time to its end.

    `generation` is the mirror's after the run; `said` is why it did not end well; `proof` is
    the result of booting it. What the run did not reach is None or empty.
    """

    version: int = HISTORY_VERSION
    kind: PlanKind
    mirror: str
    started: float
    seconds: float = 0.0
    end: RunEnd = RunEnd.RUNNING
    exit_code: int = 0
    generation: int = 0
    checksum: bool = False
    said: str = ""
    figures: RunFigures | None = None
    free: tuple[FreeSpace, ...] = ()
    source_disk: DiskNote | None = None
    mirror_disk: DiskNote | None = None
    proof: Proven | None = None

    @property
    def is_closed(self) -> bool:
        """Whether the run has ended in any way."""
        return self.end is not RunEnd.RUNNING

    @property
    def is_whole(self) -> bool:
        """Whether the mirror was whole after this run."""
        return self.end in _WHOLE


def begun(runs: Sequence[RunEntry], entry: RunEntry, *, whole: int) -> tuple[RunEntry, ...]:
    """Return the history with a run that begins now; one that never ended was cut.

    `whole` is the mirror's `whole_generation` when it begins.
    """
    return (*(_settled(each, generation=whole) for each in runs), entry)


def ended(runs: Sequence[RunEntry], entry: RunEntry) -> tuple[RunEntry, ...]:
    """Return the history in which the run that began then has ended like this."""
    others = (each for each in runs if each.started != entry.started)
    return (*(_settled(each, generation=each.generation) for each in others), entry)


def proven(runs: Sequence[RunEntry], proof: Proven) -> tuple[RunEntry, ...]:
    """Return the history in which the run that was booted has this proof result."""
    return tuple(
        replace(run, proof=proof) if run.is_whole and run.generation == proof.generation else run
        for run in runs
    )


def seen(runs: Sequence[RunEntry], *, generation: int, active: bool) -> tuple[RunEntry, ...]:
    """Return the history as it is to be read: the newest run may still be at work.

    `generation` is the mirror's `whole_generation`.
    """
    last = runs[-1:] if active else ()
    others = runs[: len(runs) - len(last)]
    return (*(_settled(each, generation=generation) for each in others), *last)


def pruned(runs: Sequence[RunEntry], *, keep: int) -> tuple[RunEntry, ...]:
    """Return the newest `keep` runs, oldest first, and those that figures are taken from.

    These are the last whole run, and the last whole preparing: it is what a failback takes.
    """
    whole = [index for index, run in enumerate(runs) if run.is_whole]
    prepared = [index for index in whole if runs[index].kind is PlanKind.PREPARE]
    kept = {*range(max(0, len(runs) - keep), len(runs)), *whole[-1:], *prepared[-1:]}
    return tuple(runs[index] for index in sorted(kept))


def last_whole(runs: Sequence[RunEntry]) -> RunEntry | None:
    """Return the newest run after which the mirror was whole."""
    return next((run for run in reversed(runs) if run.is_whole), None)


def _settled(entry: RunEntry, *, generation: int) -> RunEntry:
    """Return a run that is no longer active with the end it must have had.

    The history is copied with everything else while the run that copies it is active: on a disk
    made from the mirror, that run has no end. That the mirror has a newer generation than it
    began with shows that the run did complete.
    """
    if entry.is_closed:
        return entry
    if generation > entry.generation:
        return replace(entry, end=RunEnd.COMPLETE, generation=generation, said=COPIED_BY_ITSELF)
    return replace(entry, end=RunEnd.CUT)


COPIED_BY_ITSELF = "its figures are on the disk that it was run from"
