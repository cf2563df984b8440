"""Candidate disks for a task, with everything that speaks for or against each of them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rescue.medium.plan import is_removable, medium_refusals
from rescue.model.finding import Refusal, Refused
from rescue.model.medium import MediumRequest
from rescue.model.mirror.plan import FailbackRequest, Plan, PrepareRequest
from rescue.model.mirror.record import MirrorRecord
from rescue.model.storage.disk import Disk
from rescue.model.storage.disk_health import SmartState
from rescue.model.storage.machine import Machine
from rescue.model.wizard import Candidate, Choice, Command, Task
from rescue.plan.checks.recognise import is_disk, names_of
from rescue.plan.checks.target_checks import find_target, what_is_lost
from rescue.plan.failback import plan_failback
from rescue.plan.layout.table import sectors_needed
from rescue.plan.prepare import could_do_without, plan_prepare
from rescue.units import human_bytes, to_bytes


@dataclass(frozen=True, kw_only=True)
class _Verdict:
    """The command's own verdict on a target: why not, or what would be lost."""

    refusals: tuple[Refusal, ...] = ()
    loses: tuple[str, ...] = ()


_Judge = Callable[[str, str], _Verdict]
"""Given a target, and the identity of the disk whose content is given up."""


def mirror_choice(
    machine: Machine,
    records: Sequence[MirrorRecord],
    *,
    new_ids: tuple[str, ...],
) -> Choice:
    """Return the disks as `rescue prepare` sees them."""

    def judge(target: str, give_up: str) -> _Verdict:
        # What is on other disks is asked about when a disk was chosen.
        disk, _ = find_target(machine, target)
        request = PrepareRequest(
            target=target,
            new_ids=new_ids,
            give_up_content_of=give_up,
            enrolled=tuple(records),
            leave_out=tuple(each.what for each in could_do_without(machine, disk)),
        )
        return _verdict(plan_prepare(machine, request))

    return _choice(Task.PREPARE, machine, judge, records=records)


def first_disk_choice(
    machine: Machine,
    enrolled: tuple[str, ...],
    *,
    new_ids: tuple[str, ...],
) -> Choice:
    """Return the disks as `rescue failback` sees them, on a machine that runs from its mirror."""

    def judge(target: str, give_up: str) -> _Verdict:
        request = FailbackRequest(
            target=target, new_ids=new_ids, give_up_content_of=give_up, enrolled=enrolled
        )
        return _verdict(plan_failback(machine, request))

    return _choice(Task.FAILBACK, machine, judge)


def stick_choice(machine: Machine, records: Sequence[MirrorRecord]) -> Choice:
    """Return the disks as `rescue media write` sees them, before an image is built."""

    def judge(target: str, give_up: str) -> _Verdict:
        request = MediumRequest(target=target, give_up_content_of=give_up)
        refusals = medium_refusals(machine, request, None, known=tuple(records))
        disk, _ = find_target(machine, target)
        return _Verdict(refusals=refusals, loses=what_is_lost(disk) if disk is not None else ())

    return _choice(Task.MEDIUM, machine, judge)


def command_for(task: Task, name: str, *, erase: bool, more: tuple[str, ...] = ()) -> Command:
    """Return the command for a writing task on the named disk; `more` are options."""
    verb = {
        Task.PREPARE: ("prepare",),
        Task.FAILBACK: ("failback",),
        Task.MEDIUM: ("media", "write"),
    }[task]
    attended = (*verb, name, *(("--erase", name) if erase else ()), *more)
    return Command(attended=attended, scripted=(*attended, "--yes", "--expect-serial", name))


def _verdict(answer: Plan | Refused) -> _Verdict:
    if isinstance(answer, Plan):
        return _Verdict(loses=answer.loses)
    return _Verdict(refusals=answer.findings)


def _choice(
    task: Task,
    machine: Machine,
    judge: _Judge,
    *,
    records: Sequence[MirrorRecord] = (),
) -> Choice:
    unknown = find_target(machine, "")[1]
    common = tuple(each for each in judge("", "").refusals if each not in unknown)
    candidates = []
    for disk in machine.disks:
        name = next(iter(names_of(machine, disk)), "")
        given_up = judge(disk.path, name)
        left = _only(given_up.refusals, common)
        choosable = not common and not left
        candidates.append(
            Candidate(
                disk=disk,
                name=name,
                speaks_for=_for(disk, machine, task),
                notes=_notes(disk, machine, task, records),
                against=left,
                loses=given_up.loses if choosable else (),
                choosable=choosable,
            )
        )
    return Choice(
        task=task,
        candidates=tuple(candidates),
        against=common,
        unknown=_unknown(machine),
    )


def _unknown(machine: Machine) -> tuple[str, ...]:
    """Return a single note if the tool for disk health is missing, so no disk could be checked."""
    missing = [
        each.smart.said for _, each in machine.health if each.smart.state is SmartState.NO_TOOL
    ]
    return tuple(
        f"the health of the disks is unknown: {said}" for said in dict.fromkeys(sum(missing, ()))
    )


def _only(refusals: tuple[Refusal, ...], common: tuple[Refusal, ...]) -> tuple[Refusal, ...]:
    return tuple(each for each in refusals if each not in common)


def _for(disk: Disk, machine: Machine, task: Task) -> tuple[str, ...]:
    source = machine.root_disk
    words = []
    if task is not Task.MEDIUM and source is not None and disk.path != source.path:
        needed = sectors_needed(source)
        if disk.logical_sector == source.logical_sector and disk.sectors >= needed:
            size = to_bytes(needed, logical_sector=source.logical_sector)
            words.append(f"large enough (needs {human_bytes(size)})")
    if task is Task.MEDIUM and is_removable(disk):
        words.append("removable")
    if not disk.all_uses:
        words.append("not in use")
    if not what_is_lost(disk):
        words.append("empty")
    known = machine.health_of(disk)
    if known is not None and known.smart.state is SmartState.PASSED and not known.reasons:
        words.append("SMART passed")
    return tuple(words)


def _notes(
    disk: Disk, machine: Machine, task: Task, records: Sequence[MirrorRecord]
) -> tuple[str, ...]:
    notes = [
        f"it is the mirror '{record.name}' already: it would be made from scratch"
        for record in records
        if is_disk(disk, record.mirror)
    ]
    if task is not Task.MEDIUM and is_removable(disk) and not disk.all_uses:
        notes.append("removable: it must be attached for each run")
    known = machine.health_of(disk)
    if known is not None and known.is_failing:
        notes.append("it is failing: " + "; ".join(known.reasons))
    elif known is not None:
        notes += known.reasons
    return tuple(notes)
