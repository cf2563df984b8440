"""Selection of the mirror that a command is for, with an explanation where it is missing."""

import contextlib
from collections.abc import Iterable
from dataclasses import replace
from math import isfinite
from time import time

from rescue import paths
from rescue.discover.marker import Marker, read_marker
from rescue.errors import DamagedError, RefusedError, RescueError, SkippedError, UsageError
from rescue.mirrors.rotation import HOUR, Turn, Wait, age, next_turn, waited_since, whole
from rescue.model.mirror.record import MirrorRecord
from rescue.model.storage.disk import Disk
from rescue.model.storage.machine import Machine
from rescue.plan.checks.recognise import is_attached, stands_in
from rescue.store import config
from rescue.store.config import Config
from rescue.store.records import load_record


def choose(machine: Machine, settings: Config, *, name: str) -> MirrorRecord:
    """Return the record of the named mirror, or of the attached one that waited longest.

    Raises UsageError for an unknown name; where no enrolled mirror is attached: RefusedError if
    another disk is there in its place, RescueError if a mirror is overdue, else SkippedError.
    """
    records, damage = _records(settings, name=name)
    attached = _there(machine, records)
    if not attached:
        limit = settings.intervals[name] if name else settings.run.overdue_hours
        raise _why_none(machine, records, overdue_hours=limit, damage=damage)
    now = time()
    return min(attached, key=lambda record: waited_since(record, now=now))


def choose_for_run(machine: Machine, settings: Config, *, name: str) -> Turn:
    """Return the mirror that a run goes to: the named one, or the one whose turn it is.

    One whose record is damaged has no turn, which the turn's note says. Raises what `choose`
    raises, and SkippedError where the mirror whose turn it is is away and none of the others is
    overdue.
    """
    if name:
        return Turn(record=choose(machine, settings, name=name))
    records, damage = _records(settings)
    found = next_turn(
        records,
        [record.name for record in _there(machine, records)],
        order=settings.rotation.order,
        now=time(),
        overdue_hours=settings.run.overdue_hours,
        intervals=settings.intervals,
    )
    if found is None:
        limit = settings.run.overdue_hours
        raise _why_none(machine, records, overdue_hours=limit, damage=damage)
    if isinstance(found, Wait):
        raise _not_its_turn(found)
    return replace(found, note="; ".join(each for each in (found.note, *damage) if each))


def known_records(settings: Config | None = None) -> tuple[MirrorRecord, ...]:
    """Return the records of all mirrors enrolled here; none without a configuration.

    A mirror whose record is missing or not readable is left out: `choose` complains of it.
    """
    if settings is None and paths.CONFIG.exists():
        settings = config.load()
    found = []
    for entry in settings.mirror if settings else ():
        with contextlib.suppress(UsageError, OSError):
            found.append(load_record(entry.name))
    return tuple(found)


def marker_on(disk: Disk, record: MirrorRecord) -> Marker | None:
    """Return the marker of the disk that can be this mirror, None where it carries none.

    Raises RefusedError where no copy of it can be read, UsageError where a newer rescue wrote it.
    """
    try:
        return read_marker(disk)
    except DamagedError as error:
        raise RefusedError(
            f"no copy of the marker on {disk.path} ({disk.id.name or 'no serial'}) can be read, "
            f"and without one nothing shows that this is mirror '{record.name}': {error.message}",
            hint="nothing was written; see with 'rescue status' whether the disk is failing. If it "
            f"is your mirror, prepare it again: 'rescue prepare {disk.path} --name {record.name}'",
        ) from error


def _there(machine: Machine, records: list[MirrorRecord]) -> list[MirrorRecord]:
    """Return the records of the mirrors that are attached.

    Where none is, those in whose place something else is attached: the guard says so.
    """
    attached = [record for record in records if is_attached(machine, record)]
    return attached or [record for record in records if stands_in(machine, record)]


def readable(names: Iterable[str]) -> tuple[list[MirrorRecord], tuple[str, ...]]:
    """Return the records of these mirrors, and sentences on those that are damaged or gone.

    Raises UsageError where one is of a newer rescue.
    """
    records, damage = [], []
    for name in names:
        try:
            records.append(load_record(name))
        except DamagedError as error:
            damage.append(f"mirror '{name}' is left out: {error.message}; {error.hint}")
    return records, tuple(damage)


def _records(settings: Config, *, name: str = "") -> tuple[list[MirrorRecord], tuple[str, ...]]:
    """Return the records of all mirrors, or of the named one, and what is said of damaged ones.

    Raises UsageError for a name that is none, DamagedError where no record is left.
    """
    names = [entry.name for entry in settings.mirror]
    if name and name not in names:
        raise UsageError(
            f"no mirror is called '{name}'", hint=f"enrolled are: {', '.join(names) or 'none'}"
        )
    if name:
        return [load_record(name)], ()
    records, damage = readable(names)
    if damage and not records:
        raise DamagedError("; ".join(damage))
    return records, damage


def _not_its_turn(found: Wait) -> SkippedError:
    due = found.due
    there = ", ".join(f"'{record.name}'" for record in found.attached)
    return SkippedError(
        f"it is the turn of mirror '{due.name}' ({due.mirror.id.name}), which is not attached; "
        f"attached is {there}, and it is recent enough to wait for its own day",
        hint=f"nothing was done; attach '{due.name}', or name the mirror to update: 'rescue "
        f"mirror {found.attached[0].name}'",
    )


def _why_none(
    machine: Machine,
    records: list[MirrorRecord],
    *,
    overdue_hours: float,
    damage: tuple[str, ...] = (),
) -> RescueError:
    """Return the error for when none of the enrolled mirrors is attached.

    `damage` are sentences on records that could not be read. Anything unreadable on an attached
    disk is reported but changes nothing: it may be anybody's.
    """
    wanted = ", ".join(f"'{record.name}' ({record.mirror.id.name})" for record in records)
    strangers, odd = _strangers(machine)
    besides = "".join(f"; {said}" for said in (*damage, *odd))
    if strangers:
        return RefusedError(
            f"no enrolled mirror is attached: expected {wanted or 'none'}; found "
            + "; ".join(strangers),
            hint="attach the enrolled disk, or enrol this one with 'rescue prepare'",
        )
    hours = age(whole(records), now=time()) / HOUR
    if hours > overdue_hours:
        why = "no mirror is attached, and none of them is complete"
        if isfinite(hours):
            why = (
                f"no mirror is attached, and the last complete run is {hours:.0f} h old "
                f"(overdue after {overdue_hours:.0f} h)"
            )
        return RescueError(
            f"{why}: expected {wanted or 'none'}{besides}",
            hint="attach the mirror and run 'rescue mirror'",
        )
    return SkippedError(
        f"no mirror is attached: expected {wanted}; the last complete run is {hours:.1f} h old"
        f"{besides}",
        hint="nothing was done; attach the mirror and run 'rescue mirror'",
    )


def _strangers(machine: Machine) -> tuple[list[str], list[str]]:
    """Return what the mirrors are that are attached and not enrolled, and what cannot be read."""
    strangers, odd = [], []
    for disk in machine.disks:
        if disk.all_uses:
            continue
        named = f"{disk.path} ({disk.id.name or 'no serial'})"
        try:
            marker = read_marker(disk)
        except UsageError as error:
            odd.append(f"the marker on {named} cannot be read: {error.message}")
        else:
            if marker is not None:
                strangers.append(f"{named} {_what_it_is(machine, marker.record)}")
    return strangers, odd


def _what_it_is(machine: Machine, marker: MirrorRecord) -> str:
    if marker.machine_id != machine.machine_id:
        return f"is the mirror of another machine, '{marker.host}'"
    return f"is a mirror of this machine, '{marker.name}', that is not enrolled here"
