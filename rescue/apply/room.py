"""Room on a full mirror: renames and deletions that come before the copy.

A source fits onto its own disk, and so it fits onto the mirror's. In the tight order deletions
come first; a large file that was renamed is renamed here, too; and where the rest still does not
fit, the old content of large files goes before the new one comes.
"""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from rescue.apply.step_context import TreeWork
from rescue.measure.needs import free_for_root, regular, taken
from rescue.model.event import Notice
from rescue.system.files.atomic import sync_filesystem
from rescue.system.rsync.listing import Outlook, Sent, outlook
from rescue.system.rsync.rsync import SyncJob

LARGE = 1024 * 1024
"""Bytes. What is smaller is neither looked for under another name, nor gives way."""

_MOST_NAMED = 5


def follow_renames(job: SyncJob) -> tuple[str, ...]:
    """Repeat the source's renames on the mirror, and return the new names.

    Known by size and time alone: the caller has to compare contents before anybody relies on it.
    """
    ahead = outlook(job)
    fresh = _by_size_and_time(job.source, (each.path for each in ahead.sent if not each.there))
    gone = _by_size_and_time(job.target, ahead.deleted)
    renamed = []
    for key, path in fresh.items():
        old, new = gone.get(key), job.target / path
        # Never through a link that has taken the place of a folder.
        if old and _plain_folder(job.target, path) and not os.path.lexists(new):
            (job.target / old).rename(new)
            renamed.append(path)
    if renamed:
        sync_filesystem(job.target)
    return tuple(renamed)


def make_way(job: SyncJob, mount_point: str, work: TreeWork) -> None:
    """Remove old contents of large files, largest first, until the new ones have room.

    Only of files whose new content can be opened on the source.
    """
    ahead = outlook(job)
    needs = sum(taken(seen) for each in ahead.sent if (seen := regular(job.source / each.path)))
    free, removed = free_for_root(job.target), list[str]()
    for old in _replaced(job, ahead):
        if free >= needs:
            break
        if _opens(job.source / old.path):
            (job.target / old.path).unlink()
            free += old.size
            removed.append(f"{mount_point.rstrip('/')}/{old.path}")
    if removed:
        sync_filesystem(job.target)
        more = len(removed) - _MOST_NAMED
        named = ", ".join(removed[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
        said = f"no room for old and new content: the old one of {named} went first"
        work.emit(Notice(message=said))


@dataclass(frozen=True, kw_only=True)
class _Old:
    """A large file of the mirror that will get other content; the bytes that it takes there."""

    path: str
    size: int


def _replaced(job: SyncJob, ahead: Outlook) -> list[_Old]:
    """Return what will be replaced, the largest first; a further name of a file takes nothing."""
    found = [_old(job.target, each) for each in ahead.sent if each.there]
    return sorted((each for each in found if each), key=lambda each: -each.size)


def _old(target: Path, sent: Sent) -> _Old | None:
    seen = regular(target / sent.path)
    if seen is None or taken(seen) < LARGE:
        return None
    return _Old(path=sent.path, size=taken(seen) if seen.st_nlink == 1 else 0)


def _by_size_and_time(root: Path, paths: Iterable[str]) -> dict[tuple[int, int], str]:
    """Return the large files by size and time, without those of which there are two alike."""
    found: dict[tuple[int, int], list[str]] = {}
    for path in paths:
        seen = regular(root / path)
        if seen and taken(seen) >= LARGE and seen.st_nlink == 1:
            found.setdefault((seen.st_size, seen.st_mtime_ns), []).append(path)
    return {key: same[0] for key, same in found.items() if len(same) == 1}


def _plain_folder(root: Path, path: str) -> bool:
    """Whether the folder of a path is there, reached through no link."""
    way = root
    for part in Path(path).parent.parts:
        way /= part
        if way.is_symlink():
            return False
    return way.is_dir()


def _opens(path: Path) -> bool:
    try:
        os.close(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NOATIME | os.O_CLOEXEC))
    except OSError:
        return False
    return True
