"""The comparison of every file's content before a run, and the copies that it calls for."""

from dataclasses import replace

from rescue.apply.carry import judge
from rescue.apply.copy_progress import pacer
from rescue.apply.sparse_files import carry_hollow
from rescue.apply.step_context import TreeWork
from rescue.errors import FullError
from rescue.measure.jobs import job_of
from rescue.model.mirror.step import SyncTree, TakeContent
from rescue.system.files.atomic import sync_filesystem
from rescue.system.files.holes import holes_at
from rescue.system.files.name_lists import listed
from rescue.system.files.source_tree import HOLLOW
from rescue.system.rsync import rsync, sums
from rescue.system.rsync.progress import Listener
from rescue.system.rsync.rsync import SyncJob


def take_content(step: TakeContent, work: TreeWork) -> str:
    """Copy the files of a step where contents differ, whole. Raises RescueError."""
    work.workspace.check_mounted(step.mount_point)
    whole = SyncTree(mount_point=step.mount_point, bandwidth_kib=step.bandwidth_kib)
    job: SyncJob = job_of(whole, work.workspace)
    hollow = {path for path in step.paths if holes_at(job.source / path.lstrip("/")) >= HOLLOW}
    carry_hollow(sorted(hollow), job, step.mount_point, work, anew=True)
    listener = Listener(pacer(job, emit=work.emit))
    with listed(path.lstrip("/") for path in step.paths if path not in hollow) as names:
        try:
            result = rsync.carry_out(sums.take_argv(job, names), on_line=listener.line)
            judge(result, job, step.mount_point, work)
        except FullError:
            # What is overwritten was found to be wrong.
            job = replace(job, tight=True)
            result = rsync.carry_out(sums.take_argv(job, names), on_line=listener.line)
            judge(result, job, step.mount_point, work)
    sync_filesystem(job.target)
    tally = listener.tally
    work.done.changed += tally.changed + tally.created
    work.done.bytes_changed += tally.bytes_changed
    return f"{tally.changed + tally.created} of {len(step.paths)} files"
