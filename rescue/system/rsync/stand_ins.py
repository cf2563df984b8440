"""Names that stand for many: rsync is told of few, however many a user makes.

A folder stands for what is in it. What is left alone for it is more than had to be, never less.
"""

import os
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import accumulate, takewhile

from rescue.model.mirror.unread import Unread
from rescue.system.rsync.rsync import escape

_MOST = 1000
"""Names of what is unread: rsync compares each name that it meets with every rule that it has."""

_MOST_ENCRYPTED = 10_000
"""Encrypted folders: their rules are looked at for what may be deleted alone."""

_LONGEST = 3500
"""Bytes of a name passed to rsync, which does not accept longer rules."""


def few(unread: Sequence[Unread], *, most: int = _MOST) -> tuple[Unread, ...]:
    """Return at most so many names that stand for these, none too long; folders stand for content.

    The more a name covers, the more of the mirror is left alone. The room for names is shared
    evenly among the folders of each folder, so that one user's thousand folders do not crowd
    out another's few.
    """
    every = sorted(_merged(map(_shortened, unread)), key=_way)
    ways = [_way(each) for each in every]
    fewer: list[Unread] = []
    todo = [(0, len(every), most)]
    while todo:
        first, end, room = todo.pop()
        if end - first <= room:
            fewer += every[first:end]
            continue
        # In their order, what the first and the last have in common all of them have.
        depth = sum(1 for _ in takewhile(_alike, zip(ways[first], ways[end - 1], strict=False)))
        parts = _parts(ways, first, end, depth)
        if len(parts) > room:
            fewer += _merged(_folder(each, depth) for each in every[first:end])
        else:
            rooms = _shared([end - first for first, end in parts], room)
            todo += [(first, end, room) for (first, end), room in zip(parts, rooms, strict=True)]
    return _merged(fewer)


def standing_for(encrypted: Sequence[str]) -> tuple[str, ...]:
    """Return folders that stand for the same ones, few and short enough to be passed to rsync."""
    every = [Unread(path=path, why="") for path in encrypted]
    return tuple(each.path for each in few(every, most=_MOST_ENCRYPTED))


def noted(names: Iterable[str]) -> tuple[str, ...]:
    """Return the same names, each once, in so few that a record can keep them.

    A record that is too large is read by nobody any more. What is no path stays as it is.
    """
    every = tuple(dict.fromkeys(names))
    paths = few([Unread(path=name, why="") for name in every if name.startswith("/")])
    if len(paths) == len({name for name in every if name.startswith("/")}):
        return every
    rest = [name for name in every if not name.startswith("/")]
    return (*(each.path for each in paths), *rest[:_MOST])


def _way(each: Unread) -> list[str]:
    return [part for part in each.path.split("/") if part]


def _alike(both: tuple[str, str]) -> bool:
    return both[0] == both[1]


def _parts(ways: Sequence[list[str]], first: int, end: int, depth: int) -> list[tuple[int, int]]:
    """Return the ranges of paths that share their next component after this depth."""
    parts: list[tuple[int, int]] = []
    while first < end:
        here = ways[first][: depth + 1]
        behind = bisect_right(ways, here, first, end, key=lambda way: way[: depth + 1])
        parts.append((first, behind))
        first = behind
    return parts


def _shared(wanted: Sequence[int], room: int) -> list[int]:
    """Return each one's share: small demands are met in full, the others split the rest evenly."""
    given = [0] * len(wanted)
    by_size = sorted(range(len(wanted)), key=lambda number: wanted[number])
    for turn, number in enumerate(by_size):
        given[number] = min(wanted[number], room // (len(wanted) - turn))
        room -= given[number]
    return given


def _shortened(each: Unread) -> Unread:
    """Return it, or the deepest folder above it whose name is short enough for a rule."""
    if _length(each.path) <= _LONGEST:
        return each
    # A component is as long as a rule has it; '/' is one byte before each.
    ends = accumulate(_length(part) + 1 for part in each.path.split("/")[1:])
    return _folder(each, sum(1 for _ in takewhile(lambda end: end <= _LONGEST, ends)))


def _folder(each: Unread, depth: int) -> Unread:
    """Return the folder above it of that depth (0: the root), which stands for it."""
    path = "/" + "/".join(each.path.split("/")[1 : depth + 1])
    return each if path == each.path else Unread(path=path, why=each.why, failing=each.failing)


def _merged(unread: Iterable[Unread]) -> tuple[Unread, ...]:
    fewer: dict[str, Unread] = {}
    for each in unread:
        known = fewer.get(each.path, each)
        fewer[each.path] = replace(each, failing=each.failing or known.failing)
    return tuple(fewer.values())


def _length(path: str) -> int:
    """Return the length in bytes of a name as passed to rsync."""
    return len(os.fsencode(escape(path)))
