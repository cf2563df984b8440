"""The engine that carries out a plan step by step, under the grant, and reports events."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import assert_never

from rescue.apply import disk
from rescue.apply.bootfiles import write_boot_files
from rescue.apply.flags import carry_flags, unlock
from rescue.apply.grub import install_grub
from rescue.apply.handover import expect_taken_over
from rescue.apply.initramfs import build_initramfs
from rescue.apply.marker import expect_marker, write_marker
from rescue.apply.partial_folders import remove_waiting
from rescue.apply.rot import take_content
from rescue.apply.step_context import StepContext, TreeWork
from rescue.apply.summary import summary_of
from rescue.apply.swapfile import make_swap_file
from rescue.apply.sync import prune, sync
from rescue.apply.workspace import Site, Workspace
from rescue.errors import RefusedError, RescueError
from rescue.grants import WriteGrant
from rescue.model.event import Event
from rescue.model.mirror.partial import EARLIER
from rescue.model.mirror.plan import Plan, PlanKind
from rescue.model.mirror.record import FreeSpace, MirrorRecord, MirrorState, RunSummary
from rescue.model.mirror.step import (
    BuildInitramfs,
    CarryFlags,
    InstallGrub,
    MakeFilesystem,
    MakeSwap,
    MakeSwapFile,
    PruneTree,
    SyncTree,
    TakeContent,
    TuneFilesystem,
    WipeSignatures,
    WriteBootFiles,
    WriteTable,
)
from rescue.model.mirror.step_title import title
from rescue.model.mirror.transition import begun
from rescue.store.records import load_marker
from rescue.system.files.atomic import room_on, sync_filesystem
from rescue.system.process.timed_step import timed_step

DiskStep = WipeSignatures | WriteTable | MakeFilesystem | TuneFilesystem | MakeSwap
TreeStep = (
    SyncTree
    | TakeContent
    | PruneTree
    | CarryFlags
    | MakeSwapFile
    | WriteBootFiles
    | BuildInitramfs
    | InstallGrub
)


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """The state after the steps: the record (RUNNING until the audit) and the figures."""

    record: MirrorRecord
    summary: RunSummary


def apply_plan(
    plan: Plan,
    grant: WriteGrant,
    *,
    emit: Callable[[Event], None],
    begin: Callable[[], None] = lambda: None,
    site: Site | None = None,
) -> Outcome:
    """Carry out a granted plan and return what is true then.

    Steps on the bare disk come first, then, with everything mounted in a private namespace, the
    others. The mirror's marker says RUNNING before the first change of a file, and is not written
    again here: what the steps found is in the outcome's record. `begin` is called (once or more)
    before anything is changed, and not where the disk is refused. Raises RefusedError where disk,
    mounts or marker are not what was granted, and whatever a step raises; everything is unmounted
    then, and the marker still says RUNNING or FAILED.
    """
    if grant.plan != plan:
        raise RefusedError("the grant is for another plan", hint="confirm this one first")
    started, clock = time.time(), time.monotonic()
    work = StepContext(grant=grant, emit=emit, site=site or Site(), record=plan.record)
    work.check_disk()
    on_disk, in_tree = _parts(plan)
    if on_disk:
        begin()
    for number, bare in enumerate(on_disk, 1):
        with timed_step(title(bare), emit, number=number, total=len(plan.steps)) as outcome:
            outcome.detail = _on_disk(bare, work)
    if in_tree:
        with Workspace.writable(grant, site=work.site) as workspace:
            work = _open(plan, work, workspace, begin)
            _in_tree(plan, in_tree, work, first_number=len(on_disk) + 1)
    seconds = time.monotonic() - clock
    return Outcome(record=work.record, summary=summary_of(plan, work, started, seconds))


def _parts(plan: Plan) -> tuple[list[DiskStep], list[TreeStep]]:
    """Split a plan into the steps on the bare disk and those in the tree, which come after."""
    on_disk: list[DiskStep] = []
    in_tree: list[TreeStep] = []
    for step in plan.steps:
        if not isinstance(step, DiskStep):
            in_tree.append(step)
        elif in_tree:
            raise RescueError(f"the plan would '{title(step)}' after files were copied")
        else:
            on_disk.append(step)
    return on_disk, in_tree


def _open(
    plan: Plan, work: StepContext, workspace: Workspace, begin: Callable[[], None] = lambda: None
) -> TreeWork:
    """Check that this is the intended mirror, and mark it as being written to.

    New content that an interrupted run left waiting is removed first: a full disk has no room
    for a marker.
    """
    root = workspace.mirror("/")
    sides = {
        point: (workspace.mirror(point), workspace.source(point), workspace.kind_of(point))
        for point in sorted(plan.copied)
    }
    left = None
    if plan.kind is PlanKind.MIRROR:
        left = expect_marker(root, plan.record)
    elif plan.kind is PlanKind.FAILBACK:
        # A first disk has no marker: one that has it was being written when something cut in.
        left = load_marker(root)
        if not _parts(plan)[0]:
            expect_taken_over(workspace, plan.record, left, here=work.site.source_root)
    if left is not None and left.state is not MirrorState.COMPLETE:
        for mirror, source, _ in sides.values():
            remove_waiting(mirror, left.partial or EARLIER, source=source)
    running = begun(work.record)
    write_marker(root, running, work.grant)
    begin()
    return TreeWork(
        grant=work.grant,
        emit=work.emit,
        site=work.site,
        record=running,
        workspace=workspace,
        flags={
            point: unlock(mirror, kind, source=source)
            for point, (mirror, source, kind) in sides.items()
        },
    )


def _in_tree(plan: Plan, steps: list[TreeStep], work: TreeWork, *, first_number: int) -> None:
    for number, step in enumerate(steps, first_number):
        with timed_step(title(step), work.emit, number=number, total=len(plan.steps)) as outcome:
            outcome.detail = _on_tree(step, work)
        for pair in work.record.filesystems:
            if isinstance(step, WriteBootFiles | MakeSwapFile | BuildInitramfs):
                sync_filesystem(work.workspace.mirror(pair.mount_point))
    work.free = _room(work)


def _room(work: TreeWork) -> tuple[FreeSpace, ...]:
    """Return the space left on the mirror, since nobody mounts it between runs to look."""
    found = []
    for pair in work.record.filesystems:
        size, free = room_on(work.workspace.mirror(pair.mount_point))
        found.append(FreeSpace(mount_point=pair.mount_point, size=size, free=free))
    return tuple(found)


def _on_disk(step: DiskStep, work: StepContext) -> str:
    match step:
        case WipeSignatures():
            return disk.wipe(step, work)
        case WriteTable():
            return disk.write_table(step, work)
        case MakeFilesystem():
            return disk.make_filesystem(step, work)
        case TuneFilesystem():
            return disk.tune_filesystem(step, work)
        case MakeSwap():
            return disk.make_swap(step, work)
        case _:
            assert_never(step)


def _on_tree(step: TreeStep, work: TreeWork) -> str:
    match step:
        case SyncTree():
            return sync(step, work)
        case TakeContent():
            return take_content(step, work)
        case PruneTree():
            return prune(step, work)
        case CarryFlags():
            return carry_flags(step, work)
        case MakeSwapFile():
            return make_swap_file(step, work)
        case WriteBootFiles():
            return write_boot_files(step, work)
        case BuildInitramfs():
            return build_initramfs(step, work)
        case InstallGrub():
            return install_grub(step, work)
        case _:
            assert_never(step)
