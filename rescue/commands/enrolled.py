"""Which of the enrolled mirrors is meant, and what to say when it is not there."""

import contextlib
from time import time

from rescue import config
from rescue.discover.marker import read_marker
from rescue.errors import RefusedError, RescueError, SkippedError, UsageError
from rescue.model.machine import Machine
from rescue.model.record import MirrorRecord
from rescue.state import load_record

HOUR = 3600.0


def choose(machine: Machine, *, name: str) -> MirrorRecord:
    """Return the record of the named mirror, or of the attached one that waited longest.

    Raises UsageError for an unknown name; where no enrolled mirror is attached: RefusedError if
    another disk is there in its place, RescueError if a mirror is overdue, else SkippedError.
    """
    settings = config.load()
    names = [entry.name for entry in settings.mirror]
    if name and name not in names:
        raise UsageError(
            f"no mirror is called '{name}'", hint=f"enrolled are: {', '.join(names) or 'none'}"
        )
    records = [load_record(each) for each in ([name] if name else names)]
    attached = [record for record in records if is_attached(machine, record)]
    if attached:
        return min(attached, key=lambda record: record.last_complete)
    raise _why_none(machine, records, overdue_hours=settings.run.overdue_hours)


def known_records() -> tuple[MirrorRecord, ...]:
    """Return the records of all mirrors enrolled here; without a configuration there are none.

    A mirror whose record is missing or not readable is left out: `choose` complains of it.
    """
    found = []
    names = [entry.name for entry in config.load().mirror] if config.CONFIG_PATH.exists() else []
    for name in names:
        with contextlib.suppress(UsageError):
            found.append(load_record(name))
    return tuple(found)


def is_attached(machine: Machine, record: MirrorRecord) -> bool:
    """Whether a disk with the mirror's hardware identity is there."""
    return any(disk.id.same_disk(record.mirror.id) for disk in machine.disks)


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
    newest = max((record.last_complete for record in records), default=0.0)
    hours = (time() - newest) / HOUR
    if hours > overdue_hours:
        return RescueError(
            f"no mirror is attached, and the last complete run is {hours:.0f} h old "
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
