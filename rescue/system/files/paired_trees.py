"""Two trees read side by side by name, one file system each; nothing is followed."""

import errno
import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from rescue.model.restore.name_pair import Fact, NamePair, Shape, same_at_a_glance
from rescue.system.files.same_content import same_content
from rescue.system.files.source_tree import is_locked

Touched = Callable[[str, Fact], bool]
"""Whether a file of the first tree may have another content than its size and time say."""

_AWAY = frozenset({errno.ENAMETOOLONG, errno.ELOOP, errno.ENOTDIR, errno.EINVAL})
"""Anybody can nest folders deeper than a path can say, and swap one for a link or a file while it
is looked at (ELOOP: `mountns.SAFE`; EINVAL: man 2 readlink). Nothing returns there, either."""

_SHAPES = {stat.S_IFREG: Shape.FILE, stat.S_IFDIR: Shape.FOLDER, stat.S_IFLNK: Shape.LINK}


def name_pairs(
    there: Path,
    here: Path,
    *,
    inside: str = "",
    skip: frozenset[str] = frozenset(),
    touched: Touched = lambda _path, _fact: False,
) -> Iterator[NamePair]:
    """Yield every name at and below `inside` in both trees, parents before their children.

    `there` and `here` are the roots of two file systems; paths are relative to them. The
    folders that lead to `inside` come first where `here` lacks them. `skip` are paths that are
    left out, with everything below them. Files of the first that were `touched` are compared by
    content where size and time are equal. What cannot be read of the first tree is yielded as
    unreadable; read errors in the second raise OSError.
    """
    borders = (there.lstat().st_dev, here.lstat().st_dev)
    parts = [part for part in inside.split("/") if part]
    for depth in range(1, len(parts)):
        pair = _look(there, here, "/".join(parts[:depth]), borders)
        if pair.there is not None and pair.here is None:
            yield pair
    for pair in _walk(there, here, "/".join(parts), borders, skip):
        yield _compared(there, here, pair, touched)


def name_pair_at(
    there: Path, here: Path, path: str, *, touched: Touched = lambda _path, _fact: False
) -> NamePair:
    """Return one name as it is on both sides now."""
    borders = (there.lstat().st_dev, here.lstat().st_dev)
    return _compared(there, here, _look(there, here, path, borders), touched)


def link_on_the_way(root: Path, inside: str) -> str:
    """Return the first part of a path that is a symbolic link, '' where none is."""
    way = ""
    for part in filter(None, inside.split("/")):
        way = f"{way}/{part}"
        if (root / way.lstrip("/")).is_symlink():
            return way
    return ""


def _walk(
    there: Path, here: Path, start: str, borders: tuple[int, int], skip: frozenset[str]
) -> Iterator[NamePair]:
    # A stack of our own: nesting may be deeper than Python's.
    waiting = [start]
    while waiting:
        path = waiting.pop()
        pair = _look(there, here, path, borders)
        if pair.there is None and pair.here is None and not pair.unreadable:
            continue
        names, unread = _inside(there, here, pair)
        if path or unread:
            yield replace(pair, unreadable=unread)
        below = (f"{path}/{name}" if path else name for name in sorted(names, reverse=True))
        waiting += [each for each in below if each not in skip]


def _compared(there: Path, here: Path, pair: NamePair, touched: Touched) -> NamePair:
    """Compare the contents of a touched file if size and time do not decide."""
    old, new = pair.there, pair.here
    if old is None or new is None or not (old.shape is new.shape is Shape.FILE):
        return pair
    if not touched(pair.path, old) or not same_at_a_glance(old, new):
        return pair
    try:
        same = same_content(there / pair.path, here / pair.path)
    except OSError:
        return replace(pair, unreadable=True)
    return replace(pair, rewritten=not same)


def _inside(there: Path, here: Path, pair: NamePair) -> tuple[set[str], bool]:
    """Return the names inside a folder on both sides, and whether the first could not be read.

    A folder on one side is not examined if the other has something else in its place: what is
    below could only be brought through it.
    """
    folders = [side for side in (pair.there, pair.here) if side is not None]
    if not all(side.shape is Shape.FOLDER and not side.is_border for side in folders):
        return set(), pair.unreadable
    names: set[str] = set()
    unread = pair.unreadable
    if pair.there is not None:
        try:
            names |= _names_there(there / pair.path)
        except OSError:
            unread = True
    if pair.here is not None:
        names |= _names_here(here / pair.path)
    return names, unread


def _names_there(folder: Path) -> set[str]:
    """Return the names in a folder of the dead disk. Raises OSError where they cannot be told."""
    names = _names(folder)
    # Encrypted: without its key the names of a folder are noise, and not the ones it holds.
    if names and is_locked(folder):
        raise PermissionError(errno.ENOKEY, os.strerror(errno.ENOKEY), str(folder))
    return names


def _names_here(folder: Path) -> set[str]:
    """Return the names in a folder in use, none if it disappeared meanwhile."""
    try:
        return _names(folder)
    except OSError as error:
        if error.errno in _AWAY:
            return set()
        raise


def _names(folder: Path) -> set[str]:
    try:
        with os.scandir(folder) as entries:
            return {entry.name for entry in entries}
    except FileNotFoundError:
        return set()


def _look(there: Path, here: Path, path: str, borders: tuple[int, int]) -> NamePair:
    try:
        found, unreadable = _fact(there / path, borders[0]), False
    except OSError:
        found, unreadable = None, True
    return NamePair(
        path=path, there=found, here=_here(here / path, borders[1]), unreadable=unreadable
    )


def _here(path: Path, device: int) -> Fact | None:
    try:
        return _fact(path, device)
    except OSError as error:
        if error.errno in _AWAY:
            return None
        raise


def _fact(path: Path, device: int) -> Fact | None:
    try:
        info = os.lstat(path)
        shape = _SHAPES.get(stat.S_IFMT(info.st_mode), Shape.SPECIAL)
        # A Path would say './a' and 'a' alike.
        target = os.readlink(path) if shape is Shape.LINK else ""  # noqa: PTH115
    except (FileNotFoundError, NotADirectoryError):
        return None
    return Fact(
        shape=shape,
        size=info.st_size,
        taken=info.st_blocks * 512,
        mtime_ns=info.st_mtime_ns,
        ctime_ns=info.st_ctime_ns,
        mode=stat.S_IMODE(info.st_mode),
        uid=info.st_uid,
        gid=info.st_gid,
        target=target,
        is_border=info.st_dev != device,
    )
