"""Inode flags (chattr) made equal on the mirror, and lifted where they would stop a copy.

rsync does not carry them. What was immutable or append-only on the mirror is made writable when a
run begins, and every flag is set when nothing is written any more.
"""

import os
from pathlib import Path

from rescue import paths
from rescue.apply.step_context import TreeWork
from rescue.model.event import Notice
from rescue.model.mirror.step import CarryFlags
from rescue.model.storage.filesystem import FsKind
from rescue.system.files import inode_flags
from rescue.system.files.inode_flags import LOCKING, WHEN_WRITTEN, flags_of, set_flags

_MOST_NAMED = 5


def unlock(root: Path, kind: FsKind, *, source: Path) -> dict[str, int]:
    """Make a mirror's file system writable that is mounted there; return what had flags, by path.

    Folders of a btrfs that are not copied on write, or compressed, are made so before anything is
    in them: a file takes it from its folder, and it is too late when it has content.
    """
    if not inode_flags.has_flags(kind):
        return {}
    found = dict(inode_flags.flagged(root))
    for path, flags in found.items():
        # New files take most flags from their folder: it gets its own when all of them are there.
        folder = (root / path).is_dir()
        set_flags(root / path, flags & (WHEN_WRITTEN if folder else ~LOCKING))
    if kind is FsKind.BTRFS:
        _prepare_folders(source, root)
    return found


def carry_flags(step: CarryFlags, work: TreeWork) -> str:
    """Give every file and folder the source's flags, and report those that could not be set."""
    source = work.workspace.source(step.mount_point)
    mirror = work.workspace.mirror(step.mount_point)
    before = work.flags.get(step.mount_point, {})
    wanted = dict(inode_flags.flagged(source))
    for path in before.keys() - wanted.keys():
        # What is left here though the source has it no more, or cannot show it, keeps what it had.
        wanted[path] = before[path] if flags_of(source / path) is None else 0
    refused = [
        path
        for path in sorted(wanted)
        if not _is_own(path) and flags_of(mirror / path) is not None
        if not set_flags(mirror / path, wanted[path])
    ]
    if refused:
        work.emit(Notice(message=_not_kept(step.mount_point, refused, source)))
    given = sum(bool(flags) for flags in wanted.values()) - len(refused)
    return f"{given} files and folders" + (f", {len(refused)} without" if refused else "")


def give_back(dead: Path, here: Path, names: list[str]) -> None:
    """Give files that came back the flags that they had on the other side."""
    for name in names:
        flags = flags_of(dead / name)
        if flags is not None and flags_of(here / name) is not None:
            set_flags(here / name, flags)


class Unlocked:
    """A context in which named files, and the folders on the way to them, can be written."""

    def __init__(self, root: Path, names: list[str]) -> None:
        """Take the file system's root and paths relative to it."""
        ways = {str(folder) for name in names for folder in Path(name).parents}
        self._root = root
        self._folders = sorted(ways)
        self._names = names
        self._had: dict[str, int] = {}

    def __enter__(self) -> None:
        for path in (*self._folders, *self._names):
            flags = flags_of(self._root / path) or 0
            if flags & LOCKING and set_flags(self._root / path, flags & ~LOCKING):
                self._had[path] = flags

    def __exit__(self, *_: object) -> None:
        for path, flags in self._had.items():
            set_flags(self._root / path, flags)


def _prepare_folders(source: Path, root: Path) -> None:
    for path, flags in inode_flags.flagged(source):
        if flags & WHEN_WRITTEN and (source / path).is_dir() and not _is_own(path):
            made = root / path
            if _reached_by_folders(root, path):
                made.mkdir(parents=True, exist_ok=True)
                set_flags(made, ((flags_of(made) or 0) & ~WHEN_WRITTEN) | (flags & WHEN_WRITTEN))


def _reached_by_folders(root: Path, path: str) -> bool:
    """Whether the way to a path consists only of folders, or of nothing at all."""
    way = root
    for part in Path(path).parts:
        way /= part
        if os.path.lexists(way) and (way.is_symlink() or not way.is_dir()):
            return False
    return True


def _is_own(path: str) -> bool:
    return Path(path).parts[:1] == (paths.OWN_FOLDER,)


def _not_kept(mount_point: str, refused: list[str], source: Path) -> str:
    more = len(refused) - _MOST_NAMED
    named = ", ".join(
        f"{mount_point.rstrip('/')}/{path} ({inode_flags.letters(flags_of(source / path) or 0)})"
        for path in refused[:_MOST_NAMED]
    )
    rest = f" and {more} more" if more > 0 else ""
    return f"inode flags that could not be set on the mirror: {named}{rest}"
