"""File systems that cannot hold old and new at once: their deletions come first."""

from dataclasses import replace

from rescue.model.plan import Plan
from rescue.model.step import Step, SyncTree


def with_room(plan: Plan, short: tuple[str, ...]) -> Plan:
    """Given the mount points that are short of room, return the plan that makes it.

    Where nothing may be deleted there is none to be made, and the plan is what it was.
    """
    steps = tuple(_tight(step, short) for step in plan.steps)
    tight = [step.mount_point for step in steps if isinstance(step, SyncTree) and step.tight]
    if not tight:
        return plan
    note = (
        f"the mirror has no room for old and new files of {', '.join(tight)} at once: what is gone "
        "from the source is deleted first"
    )
    return replace(plan, steps=steps, notes=(*plan.notes, note))


def _tight(step: Step, short: tuple[str, ...]) -> Step:
    if isinstance(step, SyncTree) and step.mount_point in short and step.deletions:
        return replace(step, tight=not step.first)
    return step
