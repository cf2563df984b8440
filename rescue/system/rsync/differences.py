"""Differences as rsync lists them, and its commands that carry out just these (man 1 rsync)."""

import os
import re
import stat
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from rescue.model.mirror.differences import Differences
from rescue.model.mirror.unread import Seen
from rescue.system.rsync.listing import parse_deleted
from rescue.system.rsync.rsync import POLITE, SyncJob, how, rules, waiting
from rescue.system.rsync.sums import unescape

MOST = 200_000
"""Names of one file system; what has more differences is looked through once more instead."""

_ITEM = re.compile(r"[>ch.]([fdLDS])[.+cstpoguaxnb?]{9}\|\d+\|(.+)", re.DOTALL)

Links = Mapping[int, Sequence[str]]
"""The paths ('/...') of each regular file with several names, by its inode number."""


class DifferencesFound:
    """Collects the names in rsync's listing of what it would do."""

    def __init__(self) -> None:
        """Begin with none."""
        self._changed: list[str] = []
        self._gone: list[str] = []
        self._files: set[str] = set()

    def line(self, text: str) -> None:
        """Take one line of output."""
        if len(self._changed) + len(self._gone) > MOST:
            return
        if (gone := parse_deleted(text)) is not None:
            self._gone.append(gone)
        elif item := _ITEM.fullmatch(text):
            path = unescape(item[2]).rstrip("/")
            self._changed.append(path)
            if item[1] != "d":
                self._files.add(path)

    def of(self, source: Path, *, seen: Seen, links: Links, files_total: int) -> Differences | None:
        """Return what was found, None where the names alone do not tell how to carry it out.

        That is so where there are too many, where one thing has taken the place of another under
        the same name, and where not all names of a file are known (rsync keeps names together only
        if it is given all of them). Names in encrypted folders are not among those that are gone:
        whether they are is asked of the key, at another moment.
        """
        changed = set(self._changed)
        names = _with_links(source, changed, links)
        if len(self._changed) + len(self._gone) > MOST or names is None:
            return None
        if any(path in names or _is_below(path, self._files) for path in self._gone):
            return None
        apart = {path.strip("/") for path in seen.encrypted}
        gone = [path for path in self._gone if not _is_below(path, apart) and "" not in apart]
        return Differences(
            changed=tuple(sorted(names)),
            gone=_topmost(gone),
            files_total=files_total,
            seen=seen,
        )


def carry_argv(job: SyncJob, names: Path) -> list[str]:
    """Return the command that copies what differs, given a list of names, and deletes nothing.

    Each name stands for itself; one that has vanished is passed over. The folders on the way get
    their times again.
    """
    return [
        *POLITE,
        "rsync",
        *how(job),
        *waiting(job),
        *([f"--bwlimit={job.bandwidth_kib}"] if job.bandwidth_kib else []),
        "--info=progress2",
        *_listed(job, names),
    ]


def remove_argv(job: SyncJob, folders: Path) -> list[str]:
    """Return the command that deletes in the listed folders what the source does not have.

    The folders' entries are compared anew, and no folder below them, as each name ends with '/';
    what is gone goes with what is in it.
    """
    return [
        *POLITE,
        "rsync",
        *how(job),
        *waiting(job),
        "--dirs",
        "--delete-delay",
        *_listed(job, folders),
    ]


def folders_of(paths: Iterable[str]) -> tuple[str, ...]:
    """Return the folders that hold these paths, as `remove_argv` takes them ('' is the root)."""
    return tuple(sorted({f"{os.path.split(path)[0]}/".lstrip("/") for path in paths}))


def _listed(job: SyncJob, names: Path) -> list[str]:
    return [
        *rules(job),
        "--ignore-missing-args",
        "--from0",
        f"--files-from={names}",
        f"{job.source}/",
        f"{job.target}/",
    ]


def _with_links(source: Path, changed: set[str], links: Links) -> set[str] | None:
    """Return the names with all others of the same files, None where one is not known."""
    found = set(changed)
    for path in changed:
        try:
            info = (source / path).lstat()
        except OSError:
            continue
        if stat.S_ISDIR(info.st_mode) or info.st_nlink == 1:
            continue
        others = {other[1:] for other in links.get(info.st_ino, ())}
        if path not in others or len(others) != info.st_nlink:
            return None
        found |= others
    return found


def _is_below(path: str, folders: set[str]) -> bool:
    """Whether a path is, or lies below, one of these; none of them is the root."""
    way = os.path.split(path)[0]
    while way:
        if way in folders:
            return True
        way = os.path.split(way)[0]
    return path in folders


def _topmost(paths: Iterable[str]) -> tuple[str, ...]:
    """Return the paths without those that lie below another one."""
    every = set(paths)
    return tuple(sorted(p for p in every if not _is_below(os.path.split(p)[0], every)))
