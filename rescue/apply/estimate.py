"""What a run would change and delete, for the brake; nothing is written."""

from dataclasses import dataclass

from rescue.apply.sync import job_of
from rescue.apply.workspace import Site, Workspace
from rescue.errors import RefusedError, RescueError
from rescue.model.plan import Plan
from rescue.model.step import SyncTree
from rescue.system import rsync
from rescue.system.rsync import Ending, Listener
from rescue.system.run import Result, stream


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """Files on the source, existing files that would change, and what would be deleted."""

    files_total: int
    changes: int
    deletions: int


def estimate(plan: Plan, *, site: Site | None = None) -> Estimate:
    """Return what the plan's syncs would do.

    What lies below the late paths is not counted as deleted. Raises RescueError where source or
    mirror is not what the plan is about.
    """
    where = site or Site()
    expect_disk(plan, where)
    total = changes = deletions = 0
    with Workspace.comparing(plan, site=where) as workspace:
        for step in plan.steps:
            if isinstance(step, SyncTree) and step.paths != ():
                tally = _look(step, workspace)
                total += tally.files_total
                changes += tally.changed
                deletions += tally.deletions
    return Estimate(files_total=total, changes=changes, deletions=deletions)


def expect_disk(plan: Plan, site: Site) -> None:
    """Raise RefusedError unless the disk at the plan's path is the plan's mirror, now."""
    if not site.identify(plan.target_path).same_disk(plan.record.mirror.id):
        raise RefusedError(
            f"{plan.target_path} is not the disk of mirror '{plan.record.name}' any more",
            hint="run 'rescue disks' and begin again",
        )


def _look(step: SyncTree, workspace: Workspace) -> rsync.Tally:
    listener = Listener(lambda _: None)
    job = job_of(step, workspace)
    result = stream(rsync.estimate_argv(job), on_line=listener.line)
    expect_compared(result, step.mount_point)
    return listener.tally


def expect_compared(result: Result, what: str) -> Ending:
    """Return how a comparison ended. Raises RescueError where it did not come to its end."""
    ending, words = rsync.meaning(result.returncode)
    if ending is Ending.FAILED:
        raise RescueError(
            f"rsync could not compare {what} (exit code {result.returncode}): {words}",
            hint="see 'dmesg' for errors of either disk",
        )
    return ending
