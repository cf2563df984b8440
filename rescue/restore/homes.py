"""Homes outside /home, which come back as trees of their own."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import PurePosixPath

from rescue.model.restore.way_back import HOMES
from rescue.restore.plan import Start
from rescue.restore.trees import normal, pieces_of, tree_refusals

_NO_HOMES = frozenset({"", "/", "/nonexistent", "/dev/null"})


@dataclass(frozen=True, kw_only=True)
class Home:
    """A user's home: where the dead disk's account says it is, and where that really leads.

    `there` is the folder on the dead disk, '' where there is none; `here` the one that the account
    of that name has on this system. Links are followed on both sides.
    """

    user: str
    account: str
    there: str
    here: str

    @property
    def is_one(self) -> bool:
        """Whether the account has a home at all, and one that a restore may write to."""
        return self.account not in _NO_HOMES and not tree_refusals((self.there or self.account,))

    @property
    def is_elsewhere(self) -> bool:
        """Whether it lies outside of /home, at the same place on both sides."""
        return self.is_one and bool(self.there) and self.there == self.here and not self.is_below

    @property
    def is_below(self) -> bool:
        """Whether it comes with /home."""
        return PurePosixPath(self.there).is_relative_to(HOMES)


def elsewhere(start: Start, homes: Iterable[Home]) -> Start:
    """Return the start with the homes outside of /home as trees beside it."""
    whose = {normal(home.there): home.user for home in homes if home.is_elsewhere}
    trees = (HOMES, *whose)
    pieces = (
        replace(piece, user=whose.get(piece.tree, ""))
        for piece in pieces_of(start.record, trees, mounted=start.mounted)
    )
    return replace(start, pieces=tuple(pieces))


def home_notes(homes: Iterable[Home]) -> tuple[str, ...]:
    """Note which people's homes are not restored automatically."""
    return tuple(_notes(homes))


def _notes(homes: Iterable[Home]) -> Iterator[str]:
    for home in homes:
        if home.account in _NO_HOMES:
            continue
        whose = f"the home of '{home.user}'"
        if not home.there:
            if not PurePosixPath(home.account).is_relative_to(HOMES):
                yield (
                    f"{whose}, {home.account}, does not exist on the dead disk, or cannot be read"
                )
        elif not home.is_one:
            yield (
                f"{whose} is {home.there}, which this system needs to boot or run: it is not "
                "brought back; copy it by hand"
            )
        elif home.there != home.here:
            comes = (
                "is brought back to where it was"
                if home.is_below
                else ("is not brought back automatically")
            )
            yield (
                f"{whose} is {home.there} on the dead disk and {home.here} here: it {comes}"
                + ("" if home.is_below else f"; 'rescue restore --tree {home.there}', and move it")
            )
