"""The plan of a failback: from the running mirror to a new first disk, or every reason against it.

The new disk is the plan's target and, while it is written, its record's mirror: a disk that is
half written never passes for a first disk. The roles are changed when the audit has passed.
"""

from dataclasses import replace

from rescue import paths
from rescue.errors import ExitCode
from rescue.model.finding import Refusal, Refused
from rescue.model.mirror.partial import partial_folder
from rescue.model.mirror.plan import FailbackRequest, Plan, PlanKind, PrepareRequest
from rescue.model.mirror.record import MirrorRecord, MirrorState
from rescue.model.mirror.role import Role
from rescue.model.storage.disk import Disk
from rescue.model.storage.filesystem import FsKind
from rescue.model.storage.identity import spelled
from rescue.model.storage.machine import Machine
from rescue.plan.checks.drift import again, drift_refusals, left_out
from rescue.plan.checks.mirror_checks import direction_refusals, find_mirror
from rescue.plan.checks.obstacles import root_obstacles
from rescue.plan.checks.recognise import is_disk, names_of
from rescue.plan.checks.room import sharing_refusals
from rescue.plan.checks.target_checks import (
    find_target,
    in_order,
    nameless_refusal,
    root_refusals,
    target_refusals,
    tool_refusals,
    what_is_lost,
)
from rescue.plan.layout.contents import names
from rescue.plan.layout.leave_out import missing, new_notes
from rescue.plan.layout.settings import tune_steps
from rescue.plan.layout.survey import survey
from rescue.plan.mirror import recorded_esp
from rescue.plan.prepare import whole_copy
from rescue.plan.steps.grub import choose_platforms
from rescue.plan.steps.run import run_steps

_BRING_BACK = "bring it back first: 'rescue restore'"
_GOES_ON = (
    "this machine keeps running from its mirror: what is written from now on is not on the new "
    "disk. Stop the services, run the same command once more, then power off and start from the "
    "new disk"
)
_WITHOUT_RAID = (
    "this server was on RAID 1: the new disk starts without, on plain partitions. To make arrays "
    "again, begin with one of a second disk alone ('mdadm --create ... missing'), and remove what "
    "rescue wrote into mdadm.conf when no old disk is attached any more"
)
_NO_KINDS: frozenset[FsKind] = frozenset()


def plan_failback(machine: Machine, request: FailbackRequest) -> Plan | Refused:
    """Return the plan for a machine that runs from its mirror and the disk a person named.

    A disk that took over in this very session is brought up to date; any other is made from
    scratch. Raises ValueError where too few new UUIDs were drawn.
    """
    running, source = machine.running_mirror, machine.root_disk
    if running is None:
        why = nameless_refusal(machine) if machine.is_nameless_mirror else _not_on_a_mirror()
        return Refused(in_order([*root_refusals(machine), why]))
    target, unknown = find_target(machine, request.target)
    refusals = root_refusals(machine) + list(unknown)
    if source is None or source.table is None:
        return Refused(in_order([*refusals, *root_obstacles(machine)]))
    refusals += _own_disk_refusals(source, running)
    last = machine.handed_over
    if (
        target is not None
        and last is not None
        and is_disk(target, last.record.mirror)
        and spelled(request.give_up_content_of) not in names_of(machine, target)
    ):
        return _again(machine, request, target, source, last.record, refusals)
    return _anew(machine, request, target, source, running, refusals)


def is_normal_source(disk: Disk, running: MirrorRecord) -> bool:
    """Whether a disk is the one that a machine on its mirror normally runs from.

    A half-dead disk may show another serial behind another adapter, and a wiped table has no
    id: any of its recorded identifiers identifies it.
    """
    recorded = {running.source.table_uuid}
    for pair in running.identifiers.pairs:
        recorded |= {pair.old.uuid, pair.old.partuuid, pair.old.table_uuid}
    seen = {disk.table.uuid} if disk.table is not None else set()
    for part in disk.partitions:
        seen |= {part.uuid, names(part.content)[0]}
    known = {each.lower() for each in recorded if each}
    return disk.id.same_disk(running.source.id) or bool(known & {each.lower() for each in seen})


def _anew(
    machine: Machine,
    request: FailbackRequest,
    target: Disk | None,
    source: Disk,
    running: MirrorRecord,
    refusals: list[Refusal],
) -> Plan | Refused:
    """Plan the whole copy onto a disk that holds nothing, or whose content was given up by name."""
    if target is not None:
        refusals += _normal_source_refusals(machine, target, running, request.give_up_content_of)
        refusals += target_refusals(machine, target, source, give_up=request.give_up_content_of)
    found = survey(machine, source, but_not=target.path if target is not None else "")
    grub = choose_platforms(machine, found)
    kinds = frozenset(member.filesystem.kind for member in found.members)
    refusals += [
        *found.refusals,
        *sharing_refusals(machine, found),
        *grub.refusals,
        *tool_refusals(machine, kinds),
    ]
    if refusals or target is None or source.table is None:
        return Refused(in_order(refusals))
    plan = whole_copy(
        machine,
        PrepareRequest(
            target=request.target,
            new_ids=request.new_ids,
            secret=request.secret,
            name=running.name,
            # A new first disk is no place to ask: what it lacks is on its own disks.
            leave_out=tuple(each.what for each in missing(found.elsewhere, ())),
        ),
        target,
        source.table,
        found,
        grub,
        kind=PlanKind.FAILBACK,
        role=Role.SOURCE,
    )
    loses = plan.loses
    if is_normal_source(target, running):
        loses = (f"{_newest(target)}: it will be lost", *loses)
    return replace(
        plan,
        record=replace(plan.record, generation=running.generation),
        loses=loses,
        notes=(*machine.damage, *plan.notes, *_notes(request, running)),
    )


def _again(
    machine: Machine,
    request: FailbackRequest,
    target: Disk,
    source: Disk,
    record: MirrorRecord,
    refusals: list[Refusal],
) -> Plan | Refused:
    """Plan a run onto the disk that took over in this session: only what has changed since."""
    _, stands_against = find_mirror(machine, record)
    anew = (
        f"or make it from scratch: rescue failback {target.path} --erase {_name(machine, target)}"
    )
    refusals += [replace(each, hint=anew) for each in stands_against]
    refusals += direction_refusals(machine, source, record) + tool_refusals(machine, _NO_KINDS)
    esp = recorded_esp(record, source)
    found = survey(machine, source, but_not=target.path)
    refusals += [
        replace(each, hint=anew) if again(record) in each.hint else each
        for each in drift_refusals(machine, found, record, target, esp=esp)
    ]
    if refusals:
        return Refused(in_order(refusals))
    absent = left_out(machine, record, esp=esp)
    record = replace(record, partial=partial_folder(request.new_ids[0]))
    run = run_steps(machine, found, record, esp=esp, without=absent, role=Role.SOURCE)
    return Plan.on(
        target,
        kind=PlanKind.FAILBACK,
        record=record,
        steps=(*tune_steps(source, target, record), *run.steps),
        names=names_of(machine, target),
        notes=(
            *machine.damage,
            *run.notes,
            *new_notes(found.elsewhere, record.left_out),
            *_notes(request, record),
        ),
    )


def _name(machine: Machine, disk: Disk) -> str:
    return next(iter(names_of(machine, disk)), disk.id.name)


def _notes(request: FailbackRequest, running: MirrorRecord) -> tuple[str, ...]:
    others = [name for name in request.enrolled if name != running.name]
    stale = (
        f"mirror '{name}' was made from the old first disk: enrol it again with 'rescue prepare'"
        for name in others
    )
    cut = (
        ("the last run onto this mirror did not finish: check what it holds first",)
        if running.state not in (MirrorState.COMPLETE, MirrorState.NEW)
        else ()
    )
    raid = (_WITHOUT_RAID,) if running.identifiers.arrays else ()
    return (*cut, *stale, *raid, _GOES_ON)


def _not_on_a_mirror() -> Refusal:
    return Refusal(
        code=ExitCode.REFUSED,
        reason="this machine does not run from a mirror: there is nothing to move back",
        hint="'rescue mirror' updates the mirror; after a failure, start from the mirror first",
    )


def _own_disk_refusals(source: Disk, running: MirrorRecord) -> list[Refusal]:
    """Refuse where the running root carries the marker of another disk.

    The table tells it: behind another adapter the same disk may show another serial.
    """
    if source.table is not None and source.table.uuid == running.mirror.table_uuid:
        return []
    return [
        Refusal(
            code=ExitCode.REFUSED,
            reason=f"/{paths.MARKER} is of disk {running.mirror.id.name or '?'} (table "
            f"{running.mirror.table_uuid}), and this machine runs from {source.path} "
            f"({source.id.name or 'no serial'})",
            hint="was this disk copied from a mirror by another program? Remove "
            f"/{paths.OWN_FOLDER} if it is not a mirror",
        )
    ]


def _normal_source_refusals(
    machine: Machine, target: Disk, running: MirrorRecord, give_up: str
) -> list[Refusal]:
    """Refuse the disk that the machine normally runs from, unless its content was given up.

    Also where it looks empty: a table that was wiped leaves everything behind it.
    """
    names = names_of(machine, target)
    if not is_normal_source(target, running) or spelled(give_up) in names:
        return []
    return [
        Refusal(
            code=ExitCode.REFUSED,
            reason=_newest(target),
            hint=f"{_BRING_BACK}; if all of it may be lost: --erase {next(iter(names), 'SERIAL')}",
        )
    ]


def _newest(target: Disk) -> str:
    empty = "" if what_is_lost(target) else ", though it looks empty (was its table wiped?)"
    return (
        f"{target.path} ({target.id.name or 'no serial'}) is the disk this machine normally runs "
        f"from: it may hold newer data that has not been brought back yet{empty}"
    )
