"""The plan of a run onto an enrolled mirror, or every reason against it."""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from rescue.model.finding import Refusal, Refused
from rescue.model.mirror.differences import Differences
from rescue.model.mirror.plan import MirrorRequest, Plan, PlanKind
from rescue.model.mirror.record import MirrorRecord
from rescue.model.mirror.step import Step, SyncTree, TakeContent
from rescue.model.run.hook import Hook, HookWhen
from rescue.model.storage.disk import Disk
from rescue.model.storage.filesystem import FsKind
from rescue.model.storage.machine import Machine
from rescue.model.storage.partition_type import is_esp
from rescue.model.storage.place import node_of
from rescue.plan.checks.drift import drift_refusals, left_out
from rescue.plan.checks.failing_source import failing_source, without_deletions
from rescue.plan.checks.mirror_checks import (
    booted_refusals,
    direction_refusals,
    find_mirror,
    marker_refusals,
    secret_refusals,
    with_secret_of,
)
from rescue.plan.checks.obstacles import root_obstacles
from rescue.plan.checks.recognise import as_seen, led_by, names_of
from rescue.plan.checks.target_checks import in_order, machine_refusals, tool_refusals
from rescue.plan.layout.leave_out import new_notes
from rescue.plan.layout.raid import raid_notes, unseen_refusals
from rescue.plan.layout.settings import tune_steps
from rescue.plan.layout.survey import Survey, survey
from rescue.plan.steps.run import Run, run_steps
from rescue.plan.steps.small_drift import follow, size_notes


def plan_mirror(
    machine: Machine,
    record: MirrorRecord,
    marker: MirrorRecord | None,
    request: MirrorRequest,
    *,
    boots: tuple[str, ...] = (),
) -> Plan | Refused:
    """Given the running system and the record of one mirror, return the run's plan or refusals.

    `marker` is what was read from the root of the attached mirror, None where there is none;
    `boots` are the times at which it was started as the running system since its last run.
    """
    source = machine.root_disk
    record = led_by(source, record) if source is not None else record
    mirror, refusals = find_mirror(machine, record)
    refusals += machine_refusals(machine) + direction_refusals(machine, source, record)
    if mirror is not None:
        refusals += _mirror_refusals(record, marker, mirror, request, boots=boots)
    refusals += tool_refusals(machine, _MADE)
    if source is None:
        return Refused(in_order([*refusals, *root_obstacles(machine)]))
    found = survey(machine, source, but_not=mirror.path if mirror is not None else "")
    esp = recorded_esp(record, source)
    followed = follow(machine, source, record)
    refusals += drift_refusals(machine, found, followed.record, mirror, esp=esp)
    refusals += unseen_refusals(machine)
    if refusals or mirror is None:
        return Refused(in_order(refusals))
    known = as_seen(with_secret_of(followed.record, marker), source=source, mirror=mirror)
    record = replace(known.record, partial=request.partial)
    run = _run(machine, found, record, request, esp=esp)
    plan = Plan.on(
        mirror,
        kind=PlanKind.MIRROR,
        record=record,
        steps=(*tune_steps(source, mirror, record), *run.steps),
        names=(record.mirror.table_uuid, *names_of(machine, mirror)),
        notes=(
            *known.notes,
            *raid_notes(machine, source, record),
            *run.notes,
            *new_notes(found.elsewhere, record.left_out),
            *followed.notes,
            *size_notes(source, mirror, record),
            *_notes(machine, record, left_out(machine, record, esp=esp)),
        ),
    )
    return without_deletions(plan, failing_source(machine))


def _mirror_refusals(
    record: MirrorRecord,
    marker: MirrorRecord | None,
    mirror: Disk,
    request: MirrorRequest,
    *,
    boots: tuple[str, ...],
) -> list[Refusal]:
    """Return what the attached mirror itself has against being written to."""
    refusals = marker_refusals(record, marker, mirror=mirror)
    if request.hotplug:
        refusals += secret_refusals(record)
    if not request.accept_booted:
        refusals += booted_refusals(record, boots)
    return refusals


def _run(
    machine: Machine, found: Survey, record: MirrorRecord, request: MirrorRequest, *, esp: str
) -> Run:
    return run_steps(
        machine,
        found,
        record,
        esp=esp,
        checksum=request.checksum,
        paths=request.paths,
        without=left_out(machine, record, esp=esp),
        bandwidth_kib=request.bandwidth_kib,
    )


_MADE: frozenset[FsKind] = frozenset()


def recorded_esp(record: MirrorRecord, source: Disk) -> str:
    """Return the recorded mount point of the EFI system partition, or ''."""
    places = (
        pair.mount_point
        for pair in record.filesystems
        if pair.kind is FsKind.VFAT and (part := node_of(pair.place, source)) and is_esp(part)
    )
    return next(places, "")


def _notes(machine: Machine, record: MirrorRecord, absent: frozenset[str]) -> tuple[str, ...]:
    notes = [
        f"{place} is not mounted (noauto): it stays as it is on the mirror"
        for place in sorted(absent)
    ]
    if machine.host != record.host:
        notes.append(f"this machine was called '{record.host}' when the mirror was prepared")
    return tuple(notes)


def with_differences(
    plan: Plan, found: Iterable[tuple[str, Differences]], hooks: tuple[Hook, ...] = ()
) -> Plan:
    """Return the plan whose copies carry out what a look at both sides found, and look no more.

    The other file systems are compared once more while they are copied; so are those where a step
    before writes files, since that gives their folders the right times again, and all of them where
    a hook runs before the copy: what it makes, a dump of a database, is there only after the look.
    """
    if any(hook.when is HookWhen.BEFORE for hook in hooks):
        return plan
    written = {step.mount_point for step in plan.steps if isinstance(step, TakeContent)}
    known = {point: each for point, each in found if point not in written}
    return replace(plan, steps=tuple(_by_name(step, known) for step in plan.steps))


def _by_name(step: Step, known: Mapping[str, Differences]) -> Step:
    if isinstance(step, SyncTree):
        return replace(step, differences=known.get(step.mount_point))
    return step
