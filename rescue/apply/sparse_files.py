"""Mostly empty sparse files, copied without reading their zeros as rsync would.

They are few; rsync is told nothing of them. Like its own quick check, size and time tell whether
one has changed, and nothing of it is written in its place before it is whole.
"""

import errno
import os
import shutil
import stat
from collections.abc import Iterable
from pathlib import Path

from rescue.apply.step_context import TreeWork
from rescue.errors import FullError
from rescue.model.event import Notice
from rescue.model.mirror.unread import Seen
from rescue.system.files.atomic import keep_times, sync_filesystem
from rescue.system.files.holes import copy_with_holes, same_but_content
from rescue.system.files.source_tree import OF_THE_DISK
from rescue.system.rsync.filters import matcher
from rescue.system.rsync.rsync import SyncJob, escape

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})


def hollow_of(seen: Seen, job: SyncJob) -> tuple[str, ...]:
    """Return the hollow files that a job is about."""
    is_kept, named = matcher(job.protect), matcher(map(escape, job.paths or ("/",)))
    return tuple(
        path
        for path in seen.hollow
        if not is_kept(path) and not seen.hides(path) and (job.paths is None or named(path))
    )


def carry_hollow(
    paths: Iterable[str], job: SyncJob, mount_point: str, work: TreeWork, *, anew: bool = False
) -> None:
    """Make the mirror's copies of these files equal where they differ (with `anew`, all of them).

    After rsync: the folders are there. Raises FullError where one does not fit.
    """
    first: dict[tuple[int, int], Path] = {}
    changed = 0
    for path in paths:
        source, target = job.source / path[1:], job.target / path[1:]
        try:
            changed += _carry(source, target, first, job, work, anew=anew)
        except FileNotFoundError:
            work.vanished.append(f"{mount_point.rstrip('/')}{path}")
        except OSError as error:
            if error.errno in _FULL:
                raise full(mount_point) from error
            work.failing = work.failing or error.errno in OF_THE_DISK
            whole = f"{mount_point.rstrip('/')}{path}"
            work.unreadable.append(whole)
            work.emit(Notice(message=f"{whole} was not copied: {error.strerror}"))
    if changed:
        sync_filesystem(job.target)
    work.done.changed += changed


def _carry(
    source: Path,
    target: Path,
    first: dict[tuple[int, int], Path],
    job: SyncJob,
    work: TreeWork,
    *,
    anew: bool,
) -> bool:
    """Carry one file where it changed; return whether it did. Raises OSError."""
    info = source.lstat()
    other = first.setdefault((info.st_dev, info.st_ino), target)
    if other != target:
        if target.exists() and target.samefile(other):
            return False
        _make_way(target, job, work)
        target.unlink(missing_ok=True)
        target.hardlink_to(other)
    elif not anew and same_but_content(source, target):
        return False
    else:
        _make_way(target, job, work)
        work.done.bytes_changed += _copy(source, target, job, work)
    keep_times(source.parent, target.parent)
    return True


def _copy(source: Path, target: Path, job: SyncJob, work: TreeWork) -> int:
    try:
        return copy_with_holes(source, target, kib_per_second=job.bandwidth_kib)
    except OSError as error:
        if error.errno not in _FULL or not os.path.lexists(target):
            raise
    work.emit(Notice(message=f"no room for old and new content: the old one of {target.name} goes"))
    target.unlink()
    return copy_with_holes(source, target, kib_per_second=job.bandwidth_kib)


def _make_way(target: Path, job: SyncJob, work: TreeWork) -> None:
    """Remove a folder that is in the way of a source file. Raises OSError where it must not go."""
    try:
        is_folder = stat.S_ISDIR(target.lstat().st_mode)
    except FileNotFoundError:
        return
    if is_folder and (not job.deletions or work.failing):
        raise OSError(errno.EISDIR, "the mirror has a folder in its place, which stays")
    if is_folder:
        shutil.rmtree(target)


def full(mount_point: str) -> FullError:
    """Return the message for a mirror without room for a file system, whichever step noticed."""
    return FullError(
        f"the mirror's file system for {mount_point} is full",
        hint="free space on the source and run again; the mirror is as large as it was then",
    )
