"""The plan of a first mirror on a bare disk, or every reason against it."""

import re
from dataclasses import replace

from rescue.errors import ExitCode
from rescue.model.finding import Refusal, Refused
from rescue.model.mirror.elsewhere import Elsewhere
from rescue.model.mirror.plan import Plan, PlanKind, PrepareRequest
from rescue.model.mirror.record import DiskRef, FilesystemPair, MirrorRecord, MirrorState, SwapPair
from rescue.model.mirror.role import Role
from rescue.model.mirror.step import WipeSignatures, WriteTable
from rescue.model.storage.disk import Disk, PartitionTable
from rescue.model.storage.filesystem import FileSystem, FsKind, SwapArea
from rescue.model.storage.machine import Machine
from rescue.model.storage.place import place_of
from rescue.model.storage.raid1 import seen_through
from rescue.plan.checks.loader import loader_refusals
from rescue.plan.checks.obstacles import root_obstacles, subvolume_refusals
from rescue.plan.checks.recognise import is_disk, names_of
from rescue.plan.checks.room import sharing_notes, sharing_refusals
from rescue.plan.checks.target_checks import (
    find_target,
    in_order,
    machine_refusals,
    target_refusals,
    tool_refusals,
    what_is_lost,
)
from rescue.plan.layout.filesystems import PartitionPair, make_steps, partition_pairs
from rescue.plan.layout.identifiers import identifier_map
from rescue.plan.layout.leave_out import all_notes, missing, missing_refusals
from rescue.plan.layout.new_ids import NewIds, taken_ids, taken_labels
from rescue.plan.layout.raid import raid_notes, unseen_refusals
from rescue.plan.layout.settings import quota_notes
from rescue.plan.layout.survey import Survey, survey
from rescue.plan.layout.table import mirror_table
from rescue.plan.steps.grub import GrubChoice, choose_platforms
from rescue.plan.steps.run import run_steps
from rescue.plan.steps.small_drift import fstab_lines

_SAFE_NAME = re.compile(r"[0-9A-Za-z][0-9A-Za-z._-]{0,99}")


def plan_prepare(machine: Machine, request: PrepareRequest) -> Plan | Refused:
    """Given the running system and what was asked for, return the plan or all refusals.

    The plan is complete: it holds every sector, size and new identifier, and the record that
    will be true after it. Raises ValueError where too few new UUIDs were drawn.
    """
    source = machine.root_disk
    target, unknown = find_target(machine, request.target)
    refusals = machine_refusals(machine) + list(unknown) + _name_refusals(request.name)
    if target is not None:
        give_up = request.give_up_content_of
        refusals += target_refusals(machine, target, source, give_up=give_up)
        refusals += _taken_refusals(request, target)
    if source is None or source.table is None:
        refusals += [*root_obstacles(machine), *loader_refusals(machine)]
        return Refused(in_order([*refusals, *tool_refusals(machine, _NO_KINDS)]))
    found = survey(machine, source, but_not=target.path if target is not None else "")
    grub = choose_platforms(machine, found)
    kinds = frozenset(member.filesystem.kind for member in found.members)
    refusals += [
        *found.refusals,
        *subvolume_refusals(
            mount for each in found.mounted if (mount := machine.mount_at(each.mount_point))
        ),
        *sharing_refusals(machine, found),
        *grub.refusals,
        *tool_refusals(machine, kinds),
    ]
    refusals += missing_refusals(found.elsewhere, request.leave_out) + unseen_refusals(machine)
    if refusals or target is None:
        return Refused(in_order(refusals))
    return whole_copy(machine, request, target, source.table, found, grub)


_NO_KINDS: frozenset[FsKind] = frozenset()


def left_to_ask(machine: Machine, request: PrepareRequest) -> tuple[Elsewhere, ...]:
    """Return what a mirror would lack without anybody having agreed to it.

    Nothing is returned where there are other reasons against the mirror.
    """
    target, _ = find_target(machine, request.target)
    asked = could_do_without(machine, target, agreed=request.leave_out)
    agreed = (*request.leave_out, *(each.what for each in asked))
    done = plan_prepare(machine, replace(request, leave_out=agreed))
    return asked if isinstance(done, Plan) else ()


def could_do_without(
    machine: Machine, target: Disk | None, *, agreed: tuple[str, ...] = ()
) -> tuple[Elsewhere, ...]:
    """Return what a mirror on that disk could omit, if somebody agreed to it."""
    source = machine.root_disk
    if source is None:
        return ()
    but_not = target.path if target is not None else ""
    return missing(survey(machine, source, but_not=but_not).elsewhere, agreed)


def safe_name(text: str) -> str:
    """Return a text as the name of a mirror and its files: 'WD-WCC4N1', never a path."""
    return re.sub(r"[^0-9A-Za-z._-]+", "_", text).lstrip("._-")[:100] or "mirror"


def _name_refusals(name: str) -> list[Refusal]:
    if not name or _SAFE_NAME.fullmatch(name):
        return []
    return [
        Refusal(
            code=ExitCode.USAGE,
            reason=f"'{name}' cannot be the name of a mirror",
            hint="use letters, digits, '.', '_' and '-', beginning with a letter or digit",
        )
    ]


def _taken_refusals(request: PrepareRequest, target: Disk) -> list[Refusal]:
    """Refuse to let a whole mirror be forgotten because its disk shows the same serial.

    It may be another disk in the same dock. A name that was given says what is meant.
    """
    name = safe_name(target.id.name)
    taken = (each for each in request.enrolled if each.name == name)
    return [
        Refusal(
            code=ExitCode.REFUSED,
            reason=(
                f"another mirror is already called '{name}', and it is not the one on {target.path}"
            ),
            hint=f"give this one a different name: --name NAME; if '{name}' no longer exists, "
            f"--name {name} replaces it",
        )
        for each in taken
        if not request.name
        and each.state is MirrorState.COMPLETE
        and not is_disk(target, each.mirror)
    ]


def _same_serial_notes(request: PrepareRequest, target: Disk, name: str) -> tuple[str, ...]:
    return tuple(
        f"mirror '{each.name}' showed the same identity. If this was its disk, that mirror is "
        f"gone: 'rescue mirrors forget {each.name}'; if the adapter shows the same identity for "
        "every disk, each mirror is recognised by its contents"
        for each in request.enrolled
        if each.name != name
        and target.id.same_disk(each.mirror.id)
        and not is_disk(target, each.mirror)
    )


def whole_copy(
    machine: Machine,
    request: PrepareRequest,
    target: Disk,
    source_table: PartitionTable,
    found: Survey,
    grub: GrubChoice,
    *,
    kind: PlanKind = PlanKind.PREPARE,
    role: Role = Role.MIRROR,
) -> Plan:
    """Make the plan for a disk from scratch, once nothing prevents it.

    `role` is what the disk will be.
    """
    new_ids = NewIds(drawn=request.new_ids, taken=taken_ids(machine.disks))
    table = mirror_table(source_table, new_ids)
    made = partition_pairs(found, new_ids, taken_labels(machine.disks))
    twins = tuple(seen_through(disk, machine.graph) for disk in machine.twin_disks)
    record = MirrorRecord(
        name=request.name or safe_name(target.id.name),
        host=machine.host,
        machine_id=machine.machine_id,
        source=DiskRef(id=found.disk.id, table_uuid=source_table.uuid),
        twins=tuple(
            DiskRef(id=disk.id, table_uuid=disk.table.uuid if disk.table else "") for disk in twins
        ),
        mirror=DiskRef(id=target.id, table_uuid=table.uuid),
        filesystems=_filesystem_pairs(found, table, made),
        swaps=_swap_pairs(made),
        identifiers=identifier_map(found.disk, target, table, made, twins),
        platforms=grub.platforms,
        fstab=fstab_lines(machine),
        left_out=request.leave_out,
        secret=request.secret,
    )
    run = run_steps(machine, found, record, esp=grub.esp, first=True, role=role)
    return Plan.on(
        target,
        kind=kind,
        record=record,
        names=names_of(machine, target),
        steps=(WipeSignatures(), WriteTable(table=table), *make_steps(made), *run.steps),
        loses=what_is_lost(target),
        notes=(
            *found.notes,
            *raid_notes(machine, found.disk),
            *all_notes(found.elsewhere, record.left_out),
            *grub.notes,
            *run.notes,
            *_layout_notes(machine, target),
            *_same_serial_notes(request, target, record.name),
            *quota_notes(machine, found),
            *sharing_notes(machine, found),
        ),
    )


def _filesystem_pairs(
    found: Survey, table: PartitionTable, made: tuple[PartitionPair, ...]
) -> tuple[FilesystemPair, ...]:
    """Return the mirrored file systems, parents first; those not mounted now are not among them."""
    by_number = {pair.part.number: pair.made for pair in made}
    pairs = []
    for member in found.mounted:
        pair = by_number[member.part.number]
        if isinstance(pair, FileSystem):
            pairs.append(
                FilesystemPair(
                    mount_point=member.mount_point,
                    kind=member.filesystem.kind,
                    place=place_of(member.part),
                    source_uuid=member.filesystem.uuid,
                    mirror_uuid=pair.uuid,
                    mirror_partuuid=table.partition(member.part.number).uuid,
                )
            )
    return tuple(pairs)


def _swap_pairs(made: tuple[PartitionPair, ...]) -> tuple[SwapPair, ...]:
    return tuple(
        SwapPair(
            place=place_of(pair.part),
            source_uuid=pair.part.content.uuid,
            mirror_uuid=pair.made.uuid,
        )
        for pair in made
        if isinstance(pair.made, SwapArea) and isinstance(pair.part.content, SwapArea)
    )


def _layout_notes(machine: Machine, target: Disk) -> tuple[str, ...]:
    """Note what fstab names that this machine no longer has."""
    nodes = {target.path, *(part.path for part in target.partitions)}
    return tuple(
        f"fstab names {entry.spec} on {target.path} for {entry.target}: it will be gone"
        for entry in machine.fstab
        if entry.device in nodes
    )
