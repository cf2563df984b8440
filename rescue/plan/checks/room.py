"""The room check: file systems that cannot hold old and new at once get their deletions first."""

from dataclasses import replace

from rescue.errors import ExitCode
from rescue.model.finding import Refusal
from rescue.model.mirror.plan import Plan
from rescue.model.mirror.step import Step, SyncTree
from rescue.model.storage.machine import Machine
from rescue.plan.layout.survey import Survey
from rescue.plan.steps.small_drift import size_of
from rescue.units import human_bytes


def with_room(plan: Plan, short: tuple[str, ...]) -> Plan:
    """Given the mount points that are short of room, return a plan that frees it.

    Where nothing may be deleted, no room can be freed, and the plan is unchanged.
    """
    steps = tuple(_tight(step, short) for step in plan.steps)
    tight = [step.mount_point for step in steps if isinstance(step, SyncTree) and step.tight]
    if not tight:
        return plan
    note = (
        f"the mirror has no room for the old and new files of {', '.join(tight)} at once: what is "
        "no longer on the source is deleted first"
    )
    return replace(plan, steps=steps, notes=(*plan.notes, note))


def check_room(lacking: tuple[tuple[str, int], ...]) -> Refusal | None:
    """Refuse a run that would run out of space in any order, naming the missing bytes."""
    if not lacking:
        return None
    named = ", ".join(f"{point} ({human_bytes(size)})" for point, size in lacking)
    return Refusal(
        code=ExitCode.DRIFTED,
        reason=(
            "the files of the source do not fit on the mirror; there is not enough room for "
            f"{named}"
        ),
        hint="files that share their data on the source ('cp --reflink') do not share it on the "
        "mirror; remove some, or prepare a larger disk",
    )


def sharing_refusals(machine: Machine, found: Survey) -> list[Refusal]:
    """Refuse file systems whose files do not fit once nothing is shared."""
    return [
        Refusal(
            code=ExitCode.UNSUPPORTED,
            reason=f"{point} takes {human_bytes(whole)} without shared data ('cp --reflink' is "
            f"not carried over), and its partition has {human_bytes(size)}",
            hint="remove copies that share their data, or enlarge the partition first",
        )
        for point, whole, size in _shared(machine, found)
        if whole > size
    ]


def sharing_notes(machine: Machine, found: Survey) -> tuple[str, ...]:
    """Note which file systems grow, since rsync does not preserve shared blocks."""
    return tuple(
        f"files of {point} share their data ('cp --reflink'); on the mirror they do not, and take "
        f"{human_bytes(whole)}"
        for point, whole, _ in _shared(machine, found)
    )


def _shared(machine: Machine, found: Survey) -> list[tuple[str, int, int]]:
    """Return where files share content: mount point, bytes where they do not, the partition's."""
    mounts = [(member, machine.mount_at(member.mount_point)) for member in found.mounted]
    return [
        (mount.target, mount.used + mount.shared, size_of(found.disk, member.part))
        for member, mount in mounts
        if mount is not None and mount.shared
    ]


def _tight(step: Step, short: tuple[str, ...]) -> Step:
    if isinstance(step, SyncTree) and step.mount_point in short and step.deletions:
        return replace(step, tight=not step.first)
    return step
