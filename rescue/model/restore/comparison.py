"""The comparison of two trees by name: what would come back, and the room it needs."""

import stat
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from itertools import groupby

from rescue.model.restore.name_pair import (
    Decision,
    Fact,
    NamePair,
    Shape,
    decide,
    is_future,
    same_owner,
)
from rescue.model.restore.way_back import HOMES, Piece, Told

BLOCK = 4096
"""Bytes: what the smallest file takes of most file systems."""

NEWEST = 10
"""How many of the newest changes are shown."""


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """One piece of a tree on both sides.

    `send` are the names to bring, parents first, relative to the file system's root; `aside` are
    those of them whose replaced file is put aside in any case. `newest` are pairs of time (seconds)
    and absolute path; `owners` are the user numbers (as they are here) of what comes. `borders` are
    absolute paths where a btrfs subvolume of the dead disk begins: none comes back. `with_rights`
    are files (absolute paths) that are set-user-ID or set-group-ID there: they come without that.
    """

    users: tuple[Told, ...]
    send: tuple[str, ...]
    aside: tuple[str, ...]
    needed: int
    inodes_needed: int
    newest: tuple[tuple[float, str], ...]
    future_there: tuple[str, ...]
    future_here: tuple[str, ...]
    owners: frozenset[int] = frozenset()
    borders: tuple[str, ...] = ()
    with_rights: tuple[str, ...] = ()


@dataclass(kw_only=True)
class _Tally:
    """The running totals for one user."""

    lists: dict[Decision, list[str]] = field(default_factory=dict)
    new_folders: int = 0
    same: int = 0
    owners_differ: int = 0
    bytes_back: int = 0
    newest: float = 0.0

    def told(self, tree: str, user: str) -> Told:
        def listed(decision: Decision) -> tuple[str, ...]:
            return tuple(self.lists.get(decision, ()))

        return Told(
            tree=tree,
            user=user,
            new=listed(Decision.NEW),
            updated=listed(Decision.UPDATE),
            doubtful=listed(Decision.DOUBTFUL),
            newer_here=listed(Decision.NEWER_HERE),
            only_here=listed(Decision.ONLY_HERE),
            other_kind=listed(Decision.OTHER_KIND),
            unreadable=listed(Decision.UNREADABLE),
            new_folders=self.new_folders,
            same=self.same,
            owners_differ=self.owners_differ,
            bytes_back=self.bytes_back,
            newest=self.newest,
        )


def compare(pairs: Iterable[NamePair], piece: Piece, *, since_ns: int, now_ns: int) -> Comparison:
    """Given the names of a piece on both sides, return what a restore would do with them."""
    tallies: dict[str, _Tally] = {}
    send: list[str] = []
    aside: list[str] = []
    newest: list[tuple[float, str]] = []
    future: tuple[list[str], list[str]] = ([], [])
    owners: set[int] = set()
    borders: list[str] = []
    rights: list[str] = []
    needed = 0
    for pair in pairs:
        decision = decide(pair, since_ns=since_ns, now_ns=now_ns)
        path = in_tree(piece, pair.path)
        tally = tallies.setdefault(user_of(piece, path), _Tally())
        _count(tally, pair, path, decision)
        for fact, found in zip((pair.there, pair.here), future, strict=True):
            if is_future(fact, now_ns=now_ns):
                found.append(absolute(piece, pair.path))
        if pair.there is not None and pair.there.is_border:
            borders.append(absolute(piece, pair.path))
        if pair.there is None or decision not in _COMES:
            continue
        send.append(pair.path)
        needed += room_of(pair.there)
        if decision is Decision.DOUBTFUL:
            aside.append(pair.path)
        owners.add(pair.there.uid)
        if pair.there.shape is Shape.FILE and pair.there.mode & _RIGHTS:
            rights.append(absolute(piece, pair.path))
        if pair.there.shape is not Shape.FOLDER:
            newest.append((pair.there.mtime_ns / 1e9, absolute(piece, pair.path)))
            newest = sorted(newest, reverse=True)[:NEWEST]
    return Comparison(
        users=tuple(tallies[user].told(piece.tree, user) for user in sorted(tallies)),
        send=tuple(send),
        aside=tuple(aside),
        needed=needed,
        inodes_needed=len(send),
        newest=tuple(newest),
        future_there=tuple(future[0]),
        future_here=tuple(future[1]),
        owners=frozenset(owners),
        borders=tuple(borders),
        with_rights=tuple(rights),
    )


_RIGHTS = stat.S_ISUID | stat.S_ISGID

_COMES = frozenset({Decision.NEW, Decision.UPDATE, Decision.DOUBTFUL})


def _count(tally: _Tally, pair: NamePair, path: str, decision: Decision) -> None:
    tally.owners_differ += decision is Decision.SAME and not same_owner(pair)
    there = pair.there
    seen = there or pair.here
    if seen is not None and seen.shape is Shape.FOLDER and decision not in _TOLD_OF_FOLDERS:
        tally.new_folders += decision is Decision.NEW
        return
    if decision is Decision.SAME:
        tally.same += 1
        return
    tally.lists.setdefault(decision, []).append(path)
    if decision in _COMES and there is not None:
        tally.bytes_back += there.size if there.shape is Shape.FILE else 0
        tally.newest = max(tally.newest, there.mtime_ns / 1e9)


_TOLD_OF_FOLDERS = frozenset({Decision.OTHER_KIND, Decision.UNREADABLE})


def room_of(fact: Fact) -> int:
    """Return the bytes that a name takes: content in whole blocks, and a block for a folder.

    Holes come back as holes, and take nothing.
    """
    if fact.shape is Shape.FILE:
        size = fact.size if fact.taken is None else min(fact.size, fact.taken)
        return -(-size // BLOCK) * BLOCK
    return BLOCK if fact.shape is Shape.FOLDER else 0


def in_tree(piece: Piece, path: str) -> str:
    """Given a path relative to the piece's file system, return it relative to its tree."""
    return absolute(piece, path).removeprefix(piece.tree).lstrip("/")


def absolute(piece: Piece, path: str) -> str:
    """Given a path relative to the piece's file system, return its path on the running system."""
    return f"{piece.mount_point.rstrip('/')}/{path}"


def user_of(piece: Piece, path: str) -> str:
    """Given a path relative to the tree, return whose it is: the first folder of a home tree.

    A home that lies elsewhere is a tree of its own.
    """
    if piece.user:
        return piece.user
    return path.partition("/")[0] if piece.tree == HOMES else ""


def merged(users: Iterable[Told]) -> tuple[Told, ...]:
    """Return one value for each tree and user, where a tree spans several file systems.

    A user for whom there is nothing to report is left out.
    """
    ordered = sorted(users, key=lambda told: (told.tree, told.user))
    groups = groupby(ordered, key=lambda told: (told.tree, told.user))
    return tuple(told for _, each in groups if _says_something(told := _sum(tuple(each))))


def settled(told: Told, *, failed: Mapping[str, int], newer: Mapping[str, int]) -> Told:
    """Given what was meant to come back, return what did.

    `failed` and `newer` are paths relative to the tree with their sizes: those that did not come,
    and those that somebody made newer here in the meantime.
    """
    gone = {**failed, **newer}

    def left(paths: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(path for path in paths if path not in gone)

    missed = [path for path in told.comes if path in gone]
    return replace(
        told,
        new=left(told.new),
        updated=left(told.updated),
        doubtful=left(told.doubtful),
        newer_here=told.newer_here + tuple(path for path in missed if path in newer),
        unreadable=told.unreadable + tuple(path for path in missed if path in failed),
        bytes_back=told.bytes_back - sum(gone[path] for path in missed),
    )


def _sum(parts: tuple[Told, ...]) -> Told:
    def lists(of: Callable[[Told], tuple[str, ...]]) -> tuple[str, ...]:
        return tuple(path for part in parts for path in of(part))

    return replace(
        parts[0],
        new=lists(lambda told: told.new),
        updated=lists(lambda told: told.updated),
        doubtful=lists(lambda told: told.doubtful),
        newer_here=lists(lambda told: told.newer_here),
        only_here=lists(lambda told: told.only_here),
        other_kind=lists(lambda told: told.other_kind),
        unreadable=lists(lambda told: told.unreadable),
        new_folders=sum(part.new_folders for part in parts),
        same=sum(part.same for part in parts),
        owners_differ=sum(part.owners_differ for part in parts),
        bytes_back=sum(part.bytes_back for part in parts),
        newest=max(part.newest for part in parts),
    )


def _says_something(told: Told) -> bool:
    lists = (told.comes, told.newer_here, told.only_here, told.other_kind, told.unreadable)
    return bool(told.same or told.new_folders or any(lists))
