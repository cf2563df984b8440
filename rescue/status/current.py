"""How a machine stands now: its records and its disks are read, and assessed."""

from dataclasses import replace
from pathlib import Path
from time import time

from rescue import paths
from rescue.discover.diskhealth import with_health
from rescue.errors import UsageError
from rescue.mirrors.belief import as_the_mirror_says
from rescue.mirrors.rotation import whose_day
from rescue.mirrors.select import readable
from rescue.model.mirror.record import MirrorRecord
from rescue.model.mirror.role import Role
from rescue.model.mirror.rotation import Order
from rescue.model.run.history import seen
from rescue.model.run.status import Status
from rescue.model.storage.machine import Machine
from rescue.plan.checks.recognise import attached_mirror
from rescue.rehearsal.store import rehearsed_failback
from rescue.status.assess import on_mirror, on_source, with_damage
from rescue.status.exposure import Known
from rescue.store import config
from rescue.store.config import Config
from rescue.store.history import known_runs, known_runs_on_mirror
from rescue.store.records import load_boots
from rescue.system.process.lock import is_held

_RECENT = 30


def current_status(machine: Machine) -> Status:
    """Return the machine's current status, whichever disk it runs from.

    A damaged record becomes part of the status. Raises UsageError without root, and where
    configuration and records do not match.
    """
    if not machine.is_root:
        raise UsageError("only root can read the records", hint="try it with sudo")
    if machine.running_mirror is not None:
        boots = load_boots(Path("/"))
        runs = known_runs_on_mirror(Path("/"))
        return on_mirror(machine, machine.running_mirror, now=time(), boots=boots, runs=runs)
    found = _on_source_now(machine, config.load() if paths.CONFIG.exists() else None)
    if machine.is_nameless_mirror:
        found = replace(found, runs_from=Role.MIRROR)
    return with_damage(found, machine.damage)


def _on_source_now(machine: Machine, settings: Config | None) -> Status:
    """Return the current status of a machine on its first disk, from its records and disks.

    Raises UsageError where configuration and records do not fit together.
    """
    intervals = settings.intervals if settings else {}
    known_here, damage = readable(intervals)
    records = tuple(known_here)
    if not is_held():
        records = tuple(as_the_mirror_says(machine, record) for record in records)
    mirrors = (attached_mirror(machine, record) for record in records)
    machine = with_health(machine, machine.root_disk, *mirrors)
    found = on_source(
        machine,
        records,
        now=time(),
        overdue_hours=settings.run.overdue_hours if settings else 0.0,
        critical_hours=settings.alarm.critical_hours if settings else float("inf"),
        intervals=intervals,
        known={record.name: _known(record) for record in records},
    )
    found = with_damage(found, damage)
    if settings and settings.rotation.order is Order.ALTERNATE and len(records) > 1:
        return replace(found, turn=whose_day(records, now=time()).name)
    return found


def _known(record: MirrorRecord) -> Known:
    """Return what is known of a mirror beside its record."""
    active = is_held()
    return Known(
        runs=seen(known_runs(record.name), generation=record.whole_generation, active=active),
        proof=record.last_proof,
        rehearsed=rehearsed_failback(record.name),
        active=active,
    )
