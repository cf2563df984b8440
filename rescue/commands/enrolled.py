"""Which of the enrolled mirrors is meant, and what to say when it is not there."""

import contextlib
from math import isfinite
from time import time

from rescue import config
from rescue.config import Config
from rescue.discover.marker import read_marker
from rescue.errors import RefusedError, RescueError, SkippedError, UsageError
from rescue.model.machine import Machine
from rescue.model.record import MirrorRecord
from rescue.plan.recognise import is_attached, pretenders
from rescue.plan.rotation import HOUR, Turn, Wait, age, next_turn, waited_since
from rescue.state import load_record


def choose(machine: Machine, settings: Config, *, name: str) -> MirrorRecord:
    """Return the record of the named mirror, or of the attached one that waited longest.

    Raises UsageError for an unknown name; where no enrolled mirror is attached: RefusedError if
    another disk is there in its place, RescueError if a mirror is overdue, else SkippedError.
    """
    records = _records(settings, name=name)
    attached = _there(machine, records)
    if not attached:
        limit = settings.intervals[name] if name else settings.run.overdue_hours
        raise _why_none(machine, records, overdue_hours=limit)
    now = time()
    return min(attached, key=lambda record: waited_since(record, now=now))


def choose_for_run(machine: Machine, settings: Config, *, name: str) -> Turn:
    """Return the mirror that a run goes to: the named one, or the one whose turn it is.

    Raises what `choose` raises, and SkippedError where the mirror whose turn it is is away and
    none of the others is overdue.
    """
    if name:
        return Turn(record=choose(machine, settings, name=name))
    records = _records(settings)
    found = next_turn(
        records,
        [record.name for record in _there(machine, records)],
        order=settings.rotation.order,
        now=time(),
        overdue_hours=settings.run.overdue_hours,
        intervals=settings.intervals,
    )
    if found is None:
        raise _why_none(machine, records, overdue_hours=settings.run.overdue_hours)
    if isinstance(found, Wait):
        raise _not_its_turn(found)
    return found


def known_records(settings: Config | None = None) -> tuple[MirrorRecord, ...]:
    """Return the records of all mirrors enrolled here; without a configuration there are none.

    A mirror whose record is missing or not readable is left out: `choose` complains of it.
    """
    if settings is None and config.CONFIG_PATH.exists():
        settings = config.load()
    found = []
    for entry in settings.mirror if settings else ():
        with contextlib.suppress(UsageError, OSError):
            found.append(load_record(entry.name))
    return tuple(found)


def _there(machine: Machine, records: list[MirrorRecord]) -> list[MirrorRecord]:
    """Return the records of the mirrors that are attached.

    Where none is, those whose hardware shows itself with something else on it: the guard says so.
    """
    attached = [record for record in records if is_attached(machine, record)]
    return attached or [record for record in records if pretenders(machine, record)]


def _records(settings: Config, *, name: str = "") -> list[MirrorRecord]:
    """Return the records of all mirrors, or of the named one. Raises UsageError for no name."""
    names = [entry.name for entry in settings.mirror]
    if name and name not in names:
        raise UsageError(
            f"no mirror is called '{name}'", hint=f"enrolled are: {', '.join(names) or 'none'}"
        )
    return [load_record(each) for each in ([name] if name else names)]


def _not_its_turn(found: Wait) -> SkippedError:
    due = found.due
    there = ", ".join(f"'{record.name}'" for record in found.attached)
    return SkippedError(
        f"it is the turn of mirror '{due.name}' ({due.mirror.id.name}), which is not attached; "
        f"attached is {there}, and it is young enough to wait for its own day",
        hint=f"nothing was done; attach '{due.name}', or name the mirror that shall have the "
        f"run: 'rescue mirror {found.attached[0].name}'",
    )


def _why_none(
    machine: Machine, records: list[MirrorRecord], *, overdue_hours: float
) -> RescueError:
    """Return what is the matter where none of the enrolled mirrors is attached."""
    wanted = ", ".join(f"'{record.name}' ({record.mirror.id.name})" for record in records)
    strangers = [
        f"{disk.path} ({disk.id.name or 'no serial'}) {_what_it_is(machine, marker.record)}"
        for disk in machine.disks
        if not disk.all_uses and (marker := read_marker(disk)) is not None
    ]
    if strangers:
        return RefusedError(
            f"no enrolled mirror is attached: expected {wanted or 'none'}; found "
            + "; ".join(strangers),
            hint="attach the enrolled disk, or enrol this one with 'rescue prepare'",
        )
    hours = age(records, now=time()) / HOUR
    if hours > overdue_hours:
        old = f"{hours:.0f} h old" if isfinite(hours) else "not there yet"
        return RescueError(
            f"no mirror is attached, and the last complete run is {old} "
            f"(overdue after {overdue_hours:.0f} h): expected {wanted or 'none'}",
            hint="attach the mirror and run 'rescue mirror'",
        )
    return SkippedError(
        f"no mirror is attached: expected {wanted}; the last complete run is {hours:.1f} h old",
        hint="nothing was done; attach the mirror and run 'rescue mirror'",
    )


def _what_it_is(machine: Machine, marker: MirrorRecord) -> str:
    if marker.machine_id != machine.machine_id:
        return f"is the mirror of another machine, '{marker.host}'"
    return f"is a mirror of this machine, '{marker.name}', that is not enrolled here"
