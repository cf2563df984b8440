"""The history line of a run, written however the run ends."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from time import time

from rescue import paths
from rescue.apply.engine import Outcome
from rescue.errors import ExitCode, RescueError, UsageError, in_words
from rescue.model.mirror.plan import PlanKind
from rescue.model.mirror.record import MirrorRecord, MirrorState
from rescue.model.run.alarm import AlarmSettings
from rescue.model.run.exposure import Proven
from rescue.model.run.history import (
    DiskNote,
    RunEntry,
    RunFigures,
    begun,
    end_of,
    ended,
    proven,
    pruned,
)
from rescue.model.storage.disk import Disk
from rescue.model.storage.machine import Machine
from rescue.plan.checks.recognise import attached_mirror
from rescue.status.metrics_file import publish
from rescue.store import config
from rescue.store.history import (
    LAST_ON_MIRROR,
    ON_MIRROR,
    as_lines,
    known_runs,
    load_history,
    put_aside,
    save_runs,
)
from rescue.store.records import load_record
from rescue.system.notify import journal
from rescue.ui.screen import Screen


@dataclass(kw_only=True)
class OpenRun:
    """The line of one run while it grows.

    Whoever carries the run out puts the `outcome` in. `whole` is the mirror's newest whole
    generation when it begins.
    """

    entry: RunEntry
    whole: int
    folder: Path
    outcome: Outcome | None = None

    @property
    def code(self) -> ExitCode:
        """The run's exit code unless something else goes wrong."""
        degraded = self.outcome is not None and self.outcome.summary.is_degraded
        return ExitCode.DEGRADED if degraded else ExitCode.DONE

    def closed(self, code: ExitCode, record: MirrorRecord, *, said: str = "") -> RunEntry:
        """Return the entry of the run that ends now, with this record of the mirror.

        A failure after the mirror was complete (a hook) leaves the mirror whole.
        """
        summary = self.outcome.summary if self.outcome else None
        further = record.generation > self.entry.generation
        whole = further and record.state is MirrorState.COMPLETE
        return replace(
            self.entry,
            seconds=max(0.0, time() - self.entry.started),
            end=end_of(self.code if whole else code),
            exit_code=int(code),
            generation=record.generation,
            checksum=summary.checksum if summary else False,
            said=said,
            figures=RunFigures.of(summary) if summary else None,
            free=summary.free if summary else (),
        )

    def recovery_files(self, complete: MirrorRecord) -> dict[str, bytes]:
        """Return the file of recent runs, including this one, that is put on a complete mirror."""
        known = known_runs(self.entry.mirror, self.folder)
        runs = ended(known, self.closed(self.code, complete))
        return {ON_MIRROR: as_lines(runs[-LAST_ON_MIRROR:])}


@contextmanager
def noted(
    machine: Machine,
    record: MirrorRecord,
    *,
    kind: PlanKind,
    screen: Screen,
    target: Disk | None = None,
    folder: Path = paths.HISTORY,
) -> Iterator[OpenRun]:
    """Note the run of the block in the history of this mirror, however it ends.

    What speaks against the health of either disk is said before it begins. `target` is the disk
    that is written, where the record does not name what lies on it yet.
    """
    source = machine.root_disk
    target = target or attached_mirror(machine, record)
    for disk in (source, target):
        _warn(machine, disk, screen)
    book = OpenRun(
        entry=RunEntry(
            kind=kind,
            mirror=record.name,
            started=time(),
            generation=record.generation,
            source_disk=_note_of(machine, source),
            mirror_disk=_note_of(machine, target),
        ),
        whole=record.whole_generation,
        folder=folder,
    )
    _write(book, book.entry, screen)
    try:
        yield book
    except BaseException as error:
        code = error.code if isinstance(error, RescueError) else ExitCode.FAILED
        said = in_words(error)
        after = _after(record)
        if isinstance(error, RescueError):
            error.mirror, error.generation = record.name, after.generation
        _write(book, book.closed(code, after, said=said), screen)
        publish(machine, screen)
        raise
    _write(book, book.closed(book.code, _after(record)), screen)
    publish(machine, screen)


def note_proof(proof: Proven, *, mirror: str, screen: Screen, folder: Path = paths.HISTORY) -> None:
    """Add a proof's result to the history entry of the run that it booted.

    A history that cannot be written is reported, and stops nothing: the verdict is kept
    elsewhere.
    """
    with _said_where_it_fails(mirror, screen):
        save_runs(mirror, proven(_undamaged(mirror, folder, screen), proof), folder)


def _note_of(machine: Machine, disk: Disk | None) -> DiskNote | None:
    health = machine.health_of(disk)
    return DiskNote.of(disk.id.name, health) if disk is not None and health is not None else None


def _warn(machine: Machine, disk: Disk | None, screen: Screen) -> None:
    """Report signs of a failing disk, here and in the system's log."""
    health = machine.health_of(disk)
    if disk is None or health is None:
        return
    for reason in health.reasons:
        said = f"disk {disk.id.name or disk.path}: {reason}"
        screen.warn(said)
        journal.report_alarm(said)


def _after(record: MirrorRecord) -> MirrorRecord:
    """Return the record as the run left it."""
    try:
        return load_record(record.name)
    except (UsageError, OSError):
        return record


def _write(book: OpenRun, entry: RunEntry, screen: Screen) -> None:
    """Add the entry to the history. A failure to write it is reported but stops no run."""
    with _said_where_it_fails(entry.mirror, screen):
        runs = _undamaged(entry.mirror, book.folder, screen)
        new = ended(runs, entry) if entry.is_closed else begun(runs, entry, whole=book.whole)
        save_runs(entry.mirror, pruned(new, keep=_kept()), book.folder)


def _undamaged(mirror: str, folder: Path, screen: Screen) -> tuple[RunEntry, ...]:
    """Return the history to append to; one with damaged lines is first set aside unchanged."""
    found = load_history(mirror, folder)
    if found.damage:
        said = (
            f"the history of mirror '{mirror}' continues without its damaged lines, and the old "
            f"one is kept as {put_aside(mirror, folder)}: {'; '.join(found.damage[:3])}"
        )
        screen.warn(said)
        journal.report_alarm(said, mirror=mirror)
    return found.runs


@contextmanager
def _said_where_it_fails(mirror: str, screen: Screen) -> Iterator[None]:
    try:
        yield
    except (UsageError, OSError) as error:
        said = f"the history of mirror '{mirror}' was not written: {error}"
        screen.warn(said)
        journal.report_alarm(said, mirror=mirror)


def _kept() -> int:
    settings = config.load().alarm if paths.CONFIG.exists() else AlarmSettings()
    return settings.history_runs
