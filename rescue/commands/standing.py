"""Where a machine stands: which disk it runs from, how its mirrors are, and what to do next."""

from collections.abc import Mapping
from dataclasses import replace
from math import isfinite
from pathlib import Path
from time import time

from rescue import config, paths
from rescue.commands.enrolled import readable
from rescue.config import Config
from rescue.discover.diskhealth import with_health
from rescue.drill.filed import rehearsed_failback
from rescue.errors import UsageError
from rescue.history import known_runs, known_runs_on_mirror
from rescue.model.disk import Disk
from rescue.model.diskhealth import DiskHealth
from rescue.model.history import RunEntry, RunFigures, last_whole, seen
from rescue.model.machine import Machine
from rescue.model.record import MirrorRecord, MirrorState
from rescue.model.role import Role
from rescue.model.rotation import Order
from rescue.model.status import Health, MirrorStatus, Status
from rescue.plan.failback import is_normal_source
from rescue.plan.recognise import attached_mirror, is_attached, is_disk
from rescue.plan.rotation import HOUR, age, whose_day
from rescue.plan.stake import Known, at_stake
from rescue.plan.table import sectors_needed
from rescue.state import load_boots
from rescue.system.lock import is_held
from rescue.ui.content import distrust_lines, suspect_counts

_RECENT = 30


def standing(machine: Machine) -> Status:
    """Say how the machine stands now, on whichever disk it runs.

    A record that is damaged is a part of what is said. Raises UsageError without root, and where
    configuration and records do not fit together.
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


def with_damage(status: Status, damage: tuple[str, ...]) -> Status:
    """Return the status with what cannot be read of the state files: nobody can rely on it then."""
    if not damage:
        return status
    return replace(status, health=Health.CRITICAL, damage=(*status.damage, *damage))


def _on_source_now(machine: Machine, settings: Config | None) -> Status:
    """Say how a machine on its first disk stands now, from its records and from its disks.

    Raises UsageError where configuration and records do not fit together.
    """
    intervals = settings.intervals if settings else {}
    known_here, damage = readable(intervals)
    records = tuple(known_here)
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


def on_source(
    machine: Machine,
    records: tuple[MirrorRecord, ...],
    *,
    now: float,
    overdue_hours: float,
    critical_hours: float = float("inf"),
    intervals: Mapping[str, float] | None = None,
    known: Mapping[str, Known] | None = None,
) -> Status:
    """Given the records of the enrolled mirrors, say how a machine on its first disk stands.

    `intervals` are hours by name: each mirror has its own, and is overdue however young the others
    are. The machine as a whole is, where its youngest mirror is older than `overdue_hours`, and
    it is critical after `critical_hours`. `known` is by name.
    """
    limits, about = intervals or {}, known or {}
    mirrors = tuple(
        _mirror(
            machine,
            record,
            now=now,
            overdue_hours=limits.get(record.name, overdue_hours),
            known=about.get(record.name, Known()),
        )
        for record in records
    )
    root = machine.root_disk
    own = [record for record in records if root is not None and is_disk(root, record.source)]
    strange = bool(records) and not own
    old = age(records, now=now) > overdue_hours * HOUR
    steps = _source_steps(mirrors)
    if old and records and not steps:
        steps = (f"rescue mirror   # no mirror is younger than {overdue_hours:.0f} h",)
    if strange:
        steps = ("rescue disks   # this disk is not the one that any mirror was made from", *steps)
    bad = Health.CRITICAL if strange or not mirrors else Health.GOOD
    if old:
        bad = max(bad, Health.WARNING)
    if age(records, now=now) > critical_hours * HOUR:
        bad = Health.CRITICAL
    bad = max(bad, of_disk(machine.health_of(root)))
    return Status(
        host=machine.host,
        health=max((bad, *(each.health for each in mirrors))),
        runs_from=Role.SOURCE if own else Role.NONE,
        device=root.path if root else "",
        disk=root.id.name if root else "",
        source=records[0].source.id.name if records else "",
        mirrors=mirrors,
        next_steps=steps,
        at=now,
        overdue_after=overdue_hours * HOUR,
        critical_after=critical_hours * HOUR if isfinite(critical_hours) else 0.0,
        disk_health=machine.health_of(root),
        stake=at_stake(records, about, now=now),
    )


def on_mirror(
    machine: Machine,
    running: MirrorRecord,
    *,
    now: float,
    boots: tuple[str, ...],
    runs: tuple[RunEntry, ...] = (),
) -> Status:
    """Say how a machine stands that runs from its mirror: always CRITICAL, it has no other disk."""
    root, last = machine.root_disk, machine.handed_over
    return Status(
        host=machine.host,
        health=Health.CRITICAL,
        runs_from=Role.MIRROR,
        device=root.path if root else "",
        disk=root.id.name if root else "",
        source=running.source.id.name,
        own=_mirror(machine, running, now=now, overdue_hours=float("inf"), known=Known(runs=runs)),
        at=now,
        since=boots,
        handed_over_to=last.record.mirror.id.name if last else "",
        next_steps=_handed_over_steps(last.record) if last else _mirror_steps(machine, running),
        damage=machine.damage,
    )


def _mirror(
    machine: Machine, record: MirrorRecord, *, now: float, overdue_hours: float, known: Known
) -> MirrorStatus:
    old = max(0.0, now - record.last_complete) if record.last_complete else 0.0
    overdue = age([record], now=now) > overdue_hours * HOUR
    last, disk_health = record.last_run, machine.health_of(attached_mirror(machine, record))
    troubles = run_troubles(record)
    whole = last_whole(known.runs)
    same = whole is not None and whole.generation == record.generation
    # Every night it is not whole for a while: that is no alarm, and its age counts on.
    at_work = record.state is MirrorState.RUNNING and known.active
    if not record.last_complete or not (at_work or record.state is MirrorState.COMPLETE):
        health = Health.CRITICAL
    elif overdue or record.last_error or troubles:
        health = Health.WARNING
    else:
        health = Health.GOOD
    found = MirrorStatus(
        name=record.name,
        disk=record.mirror.id.name,
        health=max(health, of_disk(disk_health)),
        state=record.state,
        generation=record.generation,
        last_complete=record.last_complete,
        age=old,
        overdue_after=overdue_hours * HOUR if overdue else 0.0,
        last_error=record.last_error,
        attached=is_attached(machine, record),
        vanished=last.vanished if last else 0,
        troubles=troubles,
        notes=last.notes if last else (),
        took=whole.seconds if whole and same else last.seconds if last else 0.0,
        figures=RunFigures.of(last) if last else None,
        free=last.free if last else (),
        last_checksum=record.last_checksum,
        ill_runs=_ill(known.runs, now=now),
        recent=known.runs[-_RECENT:],
        disk_health=disk_health,
        proof=known.proof,
    )
    return replace(found, health=Health.CRITICAL) if found.failed_its_proof else found


def of_disk(health: DiskHealth | None) -> Health:
    """Return how much a disk's own health weighs."""
    if health is None or not health.reasons:
        return Health.GOOD
    return Health.CRITICAL if health.is_failing else Health.WARNING


def _ill(runs: tuple[RunEntry, ...], *, now: float) -> tuple[RunEntry, ...]:
    """Return the runs of the last 30 days that ended, and did not leave a whole mirror."""
    recent = (run for run in runs if run.started >= now - 30 * 24 * HOUR)
    return tuple(run for run in recent if run.is_closed and not run.is_whole)


def run_troubles(record: MirrorRecord) -> tuple[str, ...]:
    """Return what was not as it should be in a run that came to its end.

    What the last comparison of every content found stands until the next one.
    """
    run = record.last_run
    troubles = [*run.hooks_failed, *distrust_lines(run)] if run else []
    if run and run.unreadable:
        more = f" and {len(run.unreadable) - 1} more" if len(run.unreadable) > 1 else ""
        troubles.append(f"the last run could not read {run.unreadable[0]}{more}")
    return (*troubles, *suspect_counts(record.suspects))


def _source_steps(mirrors: tuple[MirrorStatus, ...]) -> tuple[str, ...]:
    if not mirrors:
        return ("rescue disks", "rescue prepare DISK   # make a second disk a mirror that boots")
    steps = []
    for each in mirrors:
        if each.health is not Health.GOOD:
            first = "" if each.attached else f"   # attach {each.disk} first"
            steps.append(f"rescue mirror {each.name}{first}")
        if each.failed_its_proof:
            seen = f"{paths.PROOFS / each.name} has its console and screen"
            steps.append(f"rescue prove {each.name}   # {seen}")
    return tuple(steps)


def _mirror_steps(machine: Machine, running: MirrorRecord) -> tuple[str, ...]:
    """Return the way home, with the disks that are attached now."""
    if running.state is not MirrorState.COMPLETE:
        other = running.source.id.name or "the other disk"
        return (f"start this machine from {other}: this disk was being written and is not whole",)
    old = [disk for disk in machine.disks if _is_old_source(disk, machine, running)]
    there = old[0].path if old else "it is not attached now"
    bare = [
        disk
        for disk in machine.disks
        if _could_be_first(disk, machine) and not is_normal_source(disk, running)
    ]
    target = bare[0].id.name if bare else "DISK"
    wanted = "" if bare else "   # attach a new or repaired disk; 'rescue disks' shows its name"
    return (
        f"rescue restore   # bring the homes back from {running.source.id.name or '?'} ({there})",
        f"rescue failback {target}{wanted}",
    )


def _handed_over_steps(record: MirrorRecord) -> tuple[str, ...]:
    disk = record.mirror.id.name
    return (
        "stop the services that write (mail, databases)",
        f"rescue failback {disk}",
        f"systemctl poweroff   # then start from {disk}",
        "rescue mirror   # there: makes this disk its mirror again",
    )


def _is_old_source(disk: Disk, machine: Machine, running: MirrorRecord) -> bool:
    return disk is not machine.root_disk and is_normal_source(disk, running)


def _could_be_first(disk: Disk, machine: Machine) -> bool:
    """Whether a disk is bare, can be told from others, and holds what this one does."""
    root = machine.root_disk
    bare = disk.table is None and not disk.all_uses and disk.id.is_stable
    return bare and root is not None and disk.sectors >= sectors_needed(root)
