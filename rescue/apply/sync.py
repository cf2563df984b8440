"""Copying one file system onto its counterpart with rsync, and judging rsync's exit code."""

from dataclasses import replace
from pathlib import Path

from rescue.apply.bootset import gone_from_source, kept_for_the_menu, no_kernel_fits, places_on
from rescue.apply.carry import carry_differences, carry_out, judge
from rescue.apply.initramfs import drop_old
from rescue.apply.partial_folders import remove_waiting
from rescue.apply.room import follow_renames, make_way
from rescue.apply.sparse_files import carry_hollow, hollow_of
from rescue.apply.started_kernels import named_kernels
from rescue.apply.step_context import TreeWork
from rescue.errors import FullError
from rescue.measure.jobs import NOT_LOOKED, job_of
from rescue.model.event import Notice
from rescue.model.mirror.step import PruneTree, SyncTree
from rescue.model.mirror.unread import Seen, Unread
from rescue.system.files.name_lists import listed
from rescue.system.files.source_tree import LOCKED, is_open, look_over
from rescue.system.rsync import rsync, sums
from rescue.system.rsync.progress import Tally
from rescue.system.rsync.rsync import SyncJob
from rescue.system.rsync.rule_files import in_parts
from rescue.system.rsync.stand_ins import few, standing_for
from rescue.units import human_bytes


def sync(step: SyncTree, work: TreeWork) -> str:
    """Make one file system equal. Raises RescueError where the mirror could not be written."""
    if step.paths == ():
        return "nothing to look at"
    seen = _look(step, work)
    careful = replace(step, deletions=step.deletions and not work.failing)
    job = job_of(careful, work.workspace, seen)
    first = careful.tight and careful.deletions
    before = len(work.unreadable)
    tally = _tightly(job, step.mount_point, work) if first else _roomily(job, step, work)
    if tally.stopped and not work.failing:
        tally.deletions += _delete_beside(work.unreadable[before:], job, step.mount_point, work)
    work.workspace.complete_tree()
    carry_hollow(hollow_of(seen, job), job, step.mount_point, work)
    for name in ("files_total", "created", "changed", "bytes_changed", "deletions"):
        setattr(work.done, name, getattr(work.done, name) + getattr(tally, name))
    deleted = tally.deletions + _delete_in_encrypted(careful, seen, work)
    return (
        f"{tally.changed + tally.created} of {tally.files_total} files, "
        f"{human_bytes(tally.bytes_changed)}, {deleted} deleted"
    )


def _look(step: SyncTree, work: TreeWork) -> Seen:
    """Say what of the source's folders cannot be seen; look over them where nobody has yet."""
    mount_point, ahead = step.mount_point, step.differences
    seen = ahead.seen if ahead is not None else look_over(work.workspace.source(mount_point))
    work.seen[mount_point] = seen
    work.failing = work.failing or any(each.failing for each in seen.unread)
    for each in seen.unread:
        _tell_unread(mount_point, each.path, each.why, work)
    return seen


def _tell_unread(mount_point: str, path: str, why: str, work: TreeWork) -> None:
    whole = f"{mount_point.rstrip('/')}{path}"
    work.unreadable.append(whole)
    work.emit(Notice(message=f"{whole} {why}; the mirror keeps what it has of it"))


def _delete_beside(unreadable: list[str], job: SyncJob, mount_point: str, work: TreeWork) -> int:
    """Delete what rsync did not delete because of read errors; return how many.

    Someone who swaps or nests folders while they are read cannot stop deletions elsewhere: only
    what is below those names stays.
    """
    work.emit(Notice(message=f"deletions of {mount_point}, but for what could not be read"))
    root = mount_point.rstrip("/")
    names = [sums.unescape(path.removeprefix(root)) for path in unreadable]
    beside = [
        Unread(path=name, why="was not read", is_folder=False)
        for name in names
        if name.startswith("/")
    ]
    again = replace(job, unread=(*job.unread, *few(beside)), checksum=False)
    tally = carry_out(again, mount_point, work)
    if tally.stopped:
        said = f"not all that is gone from {mount_point} was deleted: it could not be read in peace"
        work.emit(Notice(message=said))
    return tally.deletions


def _delete_in_encrypted(step: SyncTree, seen: Seen, work: TreeWork) -> int:
    """Delete in encrypted folders what the source no longer has; return how many.

    They may have been locked while the others were copied, and what was listed since then is
    noise: so this is done last, in moments, where the key is there still.
    """
    if not seen.encrypted or step.first or not step.deletions or step.paths is not None:
        return 0
    root = work.workspace.source(step.mount_point)
    shut = [path for path in seen.encrypted if not is_open(root, path)]
    locked = few([Unread(path=path, why=LOCKED) for path in shut])
    for each in locked:
        _tell_unread(step.mount_point, each.path, LOCKED, work)
    seen = work.seen[step.mount_point] = replace(seen, unread=(*seen.unread, *locked))
    _tell_between(step.mount_point, seen, work)
    still = sorted(set(seen.encrypted) - set(shut))
    deletions = 0
    for few_of_them in in_parts(still):
        # Whole, where the root itself is encrypted.
        paths = None if "/" in few_of_them else few_of_them
        again = replace(step, paths=paths, checksum=False)
        job = job_of(again, work.workspace, replace(seen, encrypted=()))
        deletions += carry_out(job, step.mount_point, work).deletions
    work.done.deletions += deletions
    return deletions


def _tell_between(mount_point: str, seen: Seen, work: TreeWork) -> None:
    """Report the folders in which nothing is deleted: those standing for encrypted ones."""
    for path in set(standing_for(seen.encrypted)) - set(seen.encrypted):
        whole = f"{mount_point.rstrip('/')}{path}"
        work.kept.append(whole)
        said = f"nothing is deleted in {whole}, beside its many encrypted folders"
        work.emit(Notice(message=said))


def prune(step: PruneTree, work: TreeWork) -> str:
    """Delete what the source no longer has below the last paths, including old initramfs files."""
    if work.failing:
        return "nothing is deleted: the source's disk is failing"
    root = work.workspace.source(step.mount_point)
    paths = (
        None if "/" in step.prune_last else tuple(p for p in step.prune_last if _is_plain(root, p))
    )
    named = named_kernels(work)
    hidden = _is_hidden("/boot", work)
    dropped = 0 if hidden else drop_old(step.mount_point, work, but=named)
    if paths == ():
        return f"{dropped} deleted"
    # The menu may be last night's, or its kernel may by now be gone from the source.
    prune_last = places_on(step.mount_point, named, work)
    whole = SyncTree(
        mount_point=step.mount_point, protect=step.protect, prune_last=prune_last, paths=paths
    )
    seen = work.seen.get(step.mount_point, NOT_LOOKED)
    tally = carry_out(job_of(whole, work.workspace, seen), step.mount_point, work)
    work.done.deletions += tally.deletions + dropped
    return f"{tally.deletions + dropped} deleted"


def copy_again(paths: tuple[str, ...], work: TreeWork) -> None:
    """Copy these paths of the whole tree once more, and delete nothing. Raises RescueError."""
    every = (work.workspace.pair_of(path) for path in paths)
    inside: dict[str, list[str]] = {}
    for pair, path in every:
        inside.setdefault(pair.mount_point, []).append(path)
    for step in work.grant.plan.steps:
        if not isinstance(step, SyncTree) or step.mount_point not in inside:
            continue
        named = inside[step.mount_point]
        again = replace(
            step,
            paths=None if "/" in named else tuple(named),
            prune_last=(),
            first=False,
            checksum=False,
            deletions=False,
        )
        seen = work.seen.get(step.mount_point, NOT_LOOKED)
        tally = carry_out(job_of(again, work.workspace, seen), step.mount_point, work)
        for name in ("created", "changed", "bytes_changed"):
            setattr(work.done, name, getattr(work.done, name) + getattr(tally, name))


def _roomily(job: SyncJob, step: SyncTree, work: TreeWork) -> Tally:
    """Copy with the deletions last, and where that does not fit, with the deletions first."""
    try:
        if step.differences is not None:
            return carry_differences(step.differences, job, step.mount_point, work)
        return carry_out(job, step.mount_point, work)
    except FullError:
        remove_waiting(job.target, job.partial)
        if step.first or not job.deletions or work.failing:
            raise
        said = f"no room for old and new files of {step.mount_point} at once: deletions come first"
        work.emit(Notice(message=said))
        return _tightly(job, step.mount_point, work)


def _tightly(job: SyncJob, mount_point: str, work: TreeWork) -> Tally:
    """Make one file system equal where it cannot hold old and new at once.

    It never holds more than the source does. Of the kernels, that which the mirror's present menu
    starts goes last, and only where the new one does not fit beside it. Raises FullError where
    even that is not enough.
    """
    remove_waiting(job.target, job.partial)
    kept = kept_for_the_menu(work)
    dropped = 0 if _is_hidden("/boot", work) else drop_old(mount_point, work, but=kept)
    tight = replace(job, tight=True, prune_last=places_on(mount_point, kept, work))
    _rename(tight, mount_point, work)
    try:
        tally = carry_out(tight, mount_point, work)
    except FullError:
        if work.failing:
            raise
        tally = _most_tightly(tight, mount_point, work)
    return replace(tally, deletions=tally.deletions + dropped)


def _rename(job: SyncJob, mount_point: str, work: TreeWork) -> None:
    """Repeat the source's renames of large files, and rewrite those whose content differs.

    In place: a file of the mirror alone under its new name, which no run has promised yet.
    """
    if not (renamed := follow_renames(job)):
        return
    work.emit(Notice(message=f"{len(renamed)} large files of {mount_point} were renamed"))
    with listed(renamed) as names:
        compared = replace(job, checksum=True)
        result = rsync.carry_out(sums.take_argv(compared, names), on_line=lambda _: None)
    judge(result, job, mount_point, work)


def _most_tightly(job: SyncJob, mount_point: str, work: TreeWork) -> Tally:
    """Remove old content before the new arrives, and the menu's kernel last of all."""
    make_way(job, mount_point, work)
    try:
        return carry_out(job, mount_point, work)
    except FullError:
        if not job.prune_last or work.failing:
            raise
    if gone_from_source(kept_for_the_menu(work), work):
        work.emit(Notice(message=no_kernel_fits(mount_point)))
    drop_old(mount_point, work)
    # What is encrypted is asked for its key at the last moment, here too.
    opened = all(is_open(job.source, path) for path in job.encrypted)
    last = replace(job, prune_last=(), encrypted=() if opened else job.encrypted)
    return carry_out(last, mount_point, work)


def _is_hidden(path: str, work: TreeWork) -> bool:
    """Whether a path of the whole tree could not be seen on the source."""
    pair, inside = work.workspace.pair_of(path)
    return work.seen.get(pair.mount_point, NOT_LOOKED).hides(inside)


def _is_plain(root: Path, path: str) -> bool:
    """Whether no folder on the way is a link: rsync would follow it, or replace it."""
    way = root
    for part in path.strip("/").split("/"):
        way /= part
        if way.is_symlink():
            return False
    return True
