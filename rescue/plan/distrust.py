"""A source that is failing: what it does not show may be there, so nothing is deleted."""

from dataclasses import replace

from rescue.model.plan import Plan
from rescue.model.step import PruneTree, Step, SyncTree, WriteBootFiles


def without_deletions(plan: Plan, reasons: tuple[str, ...]) -> Plan:
    """Given a run's plan and why the source is not trusted, return the plan that only adds.

    What is gone from the source stays on the mirror, old kernels too, and what cannot be read
    stays as it was. Without a reason the plan is what it was.
    """
    if not reasons:
        return plan
    steps = tuple(_adding(step) for step in plan.steps if not isinstance(step, PruneTree))
    known = (*plan.distrust, *(reason for reason in reasons if reason not in plan.distrust))
    return replace(plan, steps=steps, distrust=known)


def _adding(step: Step) -> Step:
    if isinstance(step, SyncTree | WriteBootFiles):
        return replace(step, deletions=False)
    return step
