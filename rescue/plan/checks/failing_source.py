"""A failing source: what it does not show may still exist, so nothing is deleted."""

from dataclasses import replace

from rescue.model.mirror.plan import Plan
from rescue.model.mirror.step import PruneTree, Step, SyncTree, WriteBootFiles
from rescue.model.storage.machine import Machine


def failing_source(machine: Machine) -> tuple[str, ...]:
    """Return why the disk that the machine runs from is not trusted; nothing where it is.

    A disk that has merely something to say of itself (`DiskHealth.reasons`) is trusted.
    """
    health = machine.health_of(machine.root_disk)
    return health.reasons if health is not None and health.is_failing else ()


def without_deletions(plan: Plan, reasons: tuple[str, ...]) -> Plan:
    """Given a run's plan and why the source is not trusted, return a plan that only adds.

    What is gone from the source stays on the mirror, including old kernels, and what cannot be
    read stays as it was. Without a reason the plan is unchanged.
    """
    if not reasons:
        return plan
    steps = tuple(_adding(step) for step in plan.steps if not isinstance(step, PruneTree))
    known = (
        *plan.failing_source,
        *(reason for reason in reasons if reason not in plan.failing_source),
    )
    return replace(plan, steps=steps, failing_source=known)


def _adding(step: Step) -> Step:
    if isinstance(step, SyncTree | WriteBootFiles):
        return replace(step, deletions=False)
    return step
