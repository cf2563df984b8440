"""One copy with rsync: carried out where both sides are still mounted, and judged by its end."""

from dataclasses import replace

from rescue.apply.copy_progress import pacer
from rescue.apply.sparse_files import full
from rescue.apply.step_context import TreeWork
from rescue.errors import RescueError
from rescue.model.event import Notice
from rescue.model.mirror.differences import Differences
from rescue.system.files.atomic import sync_filesystem
from rescue.system.files.name_lists import listed
from rescue.system.process.run import Result
from rescue.system.rsync import rsync
from rescue.system.rsync.complaints import parse_complaints
from rescue.system.rsync.differences import carry_argv, folders_of, remove_argv
from rescue.system.rsync.exit_codes import Ending, meaning
from rescue.system.rsync.progress import Listener, Tally
from rescue.system.rsync.rsync import SyncJob


def carry_differences(found: Differences, job: SyncJob, mount_point: str, work: TreeWork) -> Tally:
    """Carry out what the look before the run found, deletions last, and look at nothing else."""
    tally = Tally()
    if found.changed:
        with listed(found.changed) as names:
            tally = carry_out(job, mount_point, work, argv=carry_argv(job, names))
    if found.gone and job.deletions and not work.failing:
        with listed(folders_of(found.gone)) as folders:
            removed = carry_out(job, mount_point, work, argv=remove_argv(job, folders))
        tally.deletions += removed.deletions
        tally.stopped = removed.stopped
    tally.files_total = found.files_total
    return tally


def carry_out(
    job: SyncJob, mount_point: str, work: TreeWork, *, argv: list[str] | None = None
) -> Tally:
    """Do a job, by the command given or by the one that compares everything; return its figures.

    Raises what `judge` raises.
    """
    # Asked again right before writing: a disk that went away leaves an empty folder.
    work.workspace.check_mounted(mount_point)
    listener = Listener(pacer(job, emit=work.emit))
    result = rsync.carry_out(argv or rsync.sync_argv(job), on_line=listener.line)
    judge(result, job, mount_point, work)
    # What names a file by its content (a boot entry) is written only when that is on the disk.
    sync_filesystem(job.target)
    return replace(listener.tally)


def judge(result: Result, job: SyncJob, mount_point: str, work: TreeWork) -> None:
    """Judge rsync's exit: note vanished files, list unreadable ones, or raise RescueError."""
    ending, words = meaning(result.returncode)
    if ending is Ending.DONE:
        return
    said = parse_complaints(result.stderr, source=job.source, shown_as=mount_point)
    if said.full:
        raise full(mount_point)
    work.vanished += said.vanished
    if ending is Ending.VANISHED:
        work.emit(Notice(message=f"{len(said.vanished)} files vanished from {mount_point}"))
        return
    work.failing = work.failing or said.failing
    if ending is Ending.PARTIAL and (said.unreadable or said.kept) and not said.unwritable:
        work.unreadable += said.unreadable
        work.kept += said.kept
        for paths, what in ((said.unreadable, "were unreadable"), (said.kept, "stay as they were")):
            if paths:
                work.emit(Notice(message=f"{len(paths)} paths of {mount_point} {what}"))
        return
    lines = [*said.unwritable, *result.stderr.strip().splitlines()]
    raise RescueError(
        f"rsync for {mount_point} failed (exit code {result.returncode}): {words}"
        + (f": {lines[0]}" if lines else ""),
        hint="see 'dmesg' for errors of either disk",
    )
