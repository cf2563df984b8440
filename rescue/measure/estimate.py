"""What a run would change and delete, for the brake; nothing is written."""

from dataclasses import dataclass, field, replace

from rescue.errors import RescueError
from rescue.measure.jobs import job_of
from rescue.measure.needs import Needs, free_for_root
from rescue.measure.sides import Sides
from rescue.measure.touched import Rewriting, Touched
from rescue.model.mirror.differences import Differences
from rescue.model.mirror.plan import Plan
from rescue.model.mirror.step import SyncTree
from rescue.model.run.rot import Rewritten
from rescue.model.storage.filesystem import FsKind
from rescue.system.process.run import Result
from rescue.system.rsync import rsync
from rescue.system.rsync.differences import DifferencesFound
from rescue.system.rsync.exit_codes import Ending, meaning
from rescue.system.rsync.progress import Listener, Tally
from rescue.system.rsync.rsync import SyncJob

_BTRFS = FsKind.BTRFS


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """Files on the source, existing files that would change, and what would be deleted.

    `short` are the mount points where the mirror has no room for what would be written unless
    something is deleted first; `lacking` are those where it has no room even then, with the
    number of bytes missing. `rewritten` is what changed without a change of size or time; it is
    included in the changes. `differences` are those of each mount point where their names alone
    tell what the copy has to do.
    """

    files_total: int
    changes: int
    deletions: int
    short: tuple[str, ...] = ()
    lacking: tuple[tuple[str, int], ...] = ()
    rewritten: Rewritten = field(default_factory=Rewritten)
    differences: tuple[tuple[str, Differences], ...] = ()


def estimate(plan: Plan, sides: Sides) -> Estimate:
    """Return what the plan's syncs would do.

    What lies below the paths pruned last is not counted as deleted. Raises RescueError where rsync
    could not compare them.
    """
    total = changes = deletions = 0
    short: list[str] = []
    lacking: list[tuple[str, int]] = []
    differences: list[tuple[str, Differences]] = []
    rewriting = Rewriting(plan.record)
    for step in plan.steps:
        if isinstance(step, SyncTree) and step.paths != ():
            point = step.mount_point
            needs = Needs(sides.source(point), sides.mirror(point))
            touched = rewriting.look(step, sides)
            tally, found = _look(step, sides, needs, touched)
            differences += [(point, found)] if found is not None else []
            free = free_for_root(sides.mirror(point))
            if needs.bytes > free:
                short.append(point)
            if _is_counted(step, sides) and needs.bytes > free + needs.freed:
                lacking.append((point, needs.bytes - free - needs.freed))
            total += tally.files_total
            changes += tally.changed + len(touched.rewritten)
            deletions += tally.deletions
    return Estimate(
        files_total=total,
        changes=changes,
        deletions=deletions,
        short=tuple(short),
        lacking=tuple(lacking),
        rewritten=rewriting.found,
        differences=tuple(differences),
    )


def find_rewritten(plan: Plan, sides: Sides) -> Rewritten:
    """Return what changed under its old size and time, where nothing else is to be told."""
    rewriting = Rewriting(plan.record)
    for step in plan.steps:
        if isinstance(step, SyncTree) and step.paths != ():
            rewriting.look(step, sides)
    return rewriting.found


def _is_counted(step: SyncTree, sides: Sides) -> bool:
    """Whether the figures say all: btrfs compresses, and another step deletes what is pruned last.

    Where nothing is deleted, as much as possible is carried.
    """
    return step.deletions and not step.prune_last and sides.kind_of(step.mount_point) is not _BTRFS


def _look(
    step: SyncTree, sides: Sides, needs: Needs, touched: Touched
) -> tuple[Tally, Differences | None]:
    listener = Listener(lambda _: None)
    found = DifferencesFound()
    # What is deleted in encrypted folders counts, though it is done in a pass of its own.
    job = job_of(step, sides, replace(touched.seen, encrypted=()))

    def line(text: str) -> None:
        listener.line(text)
        needs.line(text)
        found.line(text)

    result = rsync.carry_out(rsync.estimate_argv(job), on_line=line)
    tally = listener.tally
    if expect_compared(result, step.mount_point) is not Ending.DONE or not _is_by_name(step, job):
        return tally, None
    links = touched.links
    if links is None:
        return tally, None
    seen = touched.seen
    return tally, found.of(job.source, seen=seen, links=links, files_total=tally.files_total)


def _is_by_name(step: SyncTree, job: SyncJob) -> bool:
    """Whether a copy can go by names: vfat has one file under several spellings."""
    looks_at_all = step.paths is None and not step.checksum
    return looks_at_all and not step.first and job.kind is not FsKind.VFAT


def expect_compared(result: Result, what: str) -> Ending:
    """Return the result of a comparison. Raises RescueError where it did not finish."""
    ending, words = meaning(result.returncode)
    if ending is Ending.FAILED:
        raise RescueError(
            f"rsync could not compare {what} (exit code {result.returncode}): {words}",
            hint="see 'dmesg' for errors of either disk",
        )
    return ending
