"""The summary of a run: from the plan, and from what its steps met, the figures to be recorded."""

from rescue.apply.step_context import StepContext
from rescue.model.mirror.plan import Plan
from rescue.model.mirror.record import RunSummary
from rescue.model.mirror.step import SyncTree
from rescue.model.run.rot import Verdict
from rescue.system.rsync.stand_ins import noted


def summary_of(plan: Plan, work: StepContext, started: float, seconds: float) -> RunSummary:
    """Return what a run did whose steps `started` then (since the epoch) and took so many seconds.

    What was looked at ahead of them belongs to it.
    """
    began = plan.rewritten.begun or started
    syncs = [step for step in plan.steps if isinstance(step, SyncTree)]
    unreadable = (*_unreadable(plan), *plan.rewritten.unreadable, *work.unreadable)
    return RunSummary(
        started=began,
        seconds=seconds + started - min(began, started),
        checksum=plan.compared or any(step.checksum for step in syncs),
        files_total=work.done.files_total,
        files_changed=work.done.changed + work.done.created,
        bytes_changed=work.done.bytes_changed,
        deletions=work.done.deletions,
        vanished=len(work.vanished),
        unreadable=noted(unreadable),
        suspects=plan.suspects,
        failing_source=_failing_source(plan, work),
        kept=noted(work.kept),
        postponed=plan.rewritten.unfinished,
        notes=tuple(work.notes),
        live=tuple(step.mount_point for step in syncs),
        free=work.free,
    )


def _failing_source(plan: Plan, work: StepContext) -> tuple[str, ...]:
    """Return why the source was not trusted: known before, or met while it was read."""
    met = "its disk could not be read everywhere in this run"
    return (*plan.failing_source, met) if work.failing else plan.failing_source


def _unreadable(plan: Plan) -> tuple[str, ...]:
    """Return what could not be read when contents were compared: no other step reads it again."""
    return tuple(each.path for each in plan.suspects if each.verdict is Verdict.UNREADABLE)
