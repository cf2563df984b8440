"""The assessment of a machine: which disk it runs from, the state of its mirrors, the next step."""

from collections.abc import Mapping
from dataclasses import replace
from math import isfinite

from rescue.mirrors.rotation import HOUR, age, whole
from rescue.model.mirror.record import MirrorRecord, MirrorState
from rescue.model.mirror.role import Role
from rescue.model.run.history import RunEntry, RunFigures, last_whole
from rescue.model.run.next_step import Next, NextStep
from rescue.model.run.status import Health, MirrorStatus, RunTroubles, Status
from rescue.model.storage.disk_health import DiskHealth
from rescue.model.storage.machine import Machine
from rescue.plan.checks.recognise import attached_mirror, is_a_source, is_attached
from rescue.status.exposure import Known, exposure_of
from rescue.status.next_steps import handed_over_steps, mirror_steps, source_steps

_RECENT = 30


def with_damage(status: Status, damage: tuple[str, ...]) -> Status:
    """Return the status with the unreadable state files: nobody can rely on it then."""
    if not damage:
        return status
    return replace(status, health=Health.CRITICAL, damage=(*status.damage, *damage))


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
    own = [record for record in records if root is not None and is_a_source(root, record)]
    strange = bool(records) and not own
    in_work = [name for name, known_of in about.items() if known_of.active]
    youngest = age(whole(records, in_work=in_work), now=now)
    old = youngest > overdue_hours * HOUR
    steps = source_steps(mirrors)
    if old and records and not steps:
        steps = (NextStep(what=Next.MIRROR_ANY, hours=overdue_hours),)
    if strange:
        steps = (NextStep(what=Next.LOOK_AGAIN), *steps)
    bad = Health.CRITICAL if strange or not mirrors else Health.GOOD
    if old:
        bad = max(bad, Health.WARNING)
    if youngest > critical_hours * HOUR:
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
        exposure=exposure_of(records, about, now=now),
    )


def on_mirror(
    machine: Machine,
    running: MirrorRecord,
    *,
    now: float,
    boots: tuple[str, ...],
    runs: tuple[RunEntry, ...] = (),
) -> Status:
    """Return the status of a machine running from its mirror: CRITICAL, with no other disk."""
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
        next_steps=handed_over_steps(last.record) if last else mirror_steps(machine, running),
        damage=machine.damage,
    )


def _mirror(
    machine: Machine, record: MirrorRecord, *, now: float, overdue_hours: float, known: Known
) -> MirrorStatus:
    old = max(0.0, now - record.last_complete) if record.last_complete else 0.0
    overdue = age([record], now=now) > overdue_hours * HOUR
    last, disk_health = record.last_run, machine.health_of(attached_mirror(machine, record))
    troubles = run_troubles(record)
    last_good = last_whole(known.runs)
    same = last_good is not None and last_good.generation == record.generation
    # Every night it is not whole for a while: that is no alarm, and it keeps ageing.
    at_work = record.state is MirrorState.RUNNING and known.active
    if not record.last_complete or not (at_work or record.state is MirrorState.COMPLETE):
        health = Health.CRITICAL
    elif overdue or record.last_error or troubles.are_there:
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
        took=last_good.seconds if last_good and same else last.seconds if last else 0.0,
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
    """Return the severity of a disk's own health."""
    if health is None or not health.reasons:
        return Health.GOOD
    return Health.CRITICAL if health.is_failing else Health.WARNING


def _ill(runs: tuple[RunEntry, ...], *, now: float) -> tuple[RunEntry, ...]:
    """Return the runs of the last 30 days that ended, and did not leave a whole mirror."""
    recent = (run for run in runs if run.started >= now - 30 * 24 * HOUR)
    return tuple(run for run in recent if run.is_closed and not run.is_whole)


def run_troubles(record: MirrorRecord) -> RunTroubles:
    """Return what was not in order in a completed run.

    The findings of the last full content comparison stand until the next one.
    """
    run = record.last_run
    if run is None:
        return RunTroubles(suspects=record.suspects)
    return RunTroubles(
        hooks_failed=run.hooks_failed,
        failing_source=run.failing_source,
        kept=run.kept if run.failing_source else (),
        unreadable=run.unreadable,
        suspects=record.suspects,
    )
