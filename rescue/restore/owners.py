"""Owners of restored files, by name and not by number.

A user who was made on the first disk after the last run is not known here, and the number may have
been given to somebody else since. Nobody gets what is not his: where a number is another one's
here, a number that nobody has takes its place.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from itertools import count

from rescue.model.restore.account import Accounts
from rescue.model.restore.owners import Numbers, Owners


@dataclass(frozen=True, kw_only=True)
class Mapped:
    """The mapping of owners, with sentences to report, by the number here."""

    owners: Owners
    words: tuple[tuple[int, str], ...] = ()
    notes: tuple[str, ...] = ()

    def notes_for(self, numbers: Collection[int]) -> tuple[str, ...]:
        """Return what to report if files of these owners (by number here) come back."""
        return (*self.notes, *(text for number, text in self.words if number in numbers))


def map_owners(there: Accounts, here: Accounts) -> Mapped:
    """Given the accounts of the dead disk and of this system, return the mapping of numbers.

    A number that no account of either side has stays as it is, so that an account of a directory
    service keeps its files.
    """
    own = {each.name: each.uid for each in here.users}
    lost = {each.name: each.uid for each in there.users}
    groups_here, groups_there = dict(here.groups), dict(there.groups)
    in_use = {*own.values(), *lost.values(), *groups_here.values(), *groups_there.values()}
    spare = _Spare(_unused(in_use, first=here.first, last=here.last))
    users = _numbers(lost, own, spare, sure_below=_sure_below(there))
    groups = _numbers(groups_there, groups_here, spare, sure_below=_sure_below(there))
    return Mapped(
        owners=Owners(users=users, groups=groups),
        words=tuple(_words(lost, own, users)),
        notes=(_GUESSED,) if there.by_folder else (),
    )


_GUESSED = (
    "the accounts of the dead disk cannot be read: its homes are matched by folder name and user "
    "number. The files of a home go to the user it is named after; check owners and groups "
    "afterwards"
)


def _sure_below(there: Accounts) -> int:
    """Return below which number an unnamed one is a system's own where names were only guessed."""
    return there.first if there.by_folder else 0


class _Spare:
    """Unused numbers; a user and the group of the same name get the same one."""

    def __init__(self, numbers: Iterator[int]) -> None:
        self._numbers = numbers
        self._given: dict[str, int] = {}

    def of(self, name: str) -> int:
        if name not in self._given:
            self._given[name] = next(self._numbers)
        return self._given[name]


def _numbers(
    there: Mapping[str, int], here: Mapping[str, int], spare: _Spare, *, sure_below: int
) -> Numbers:
    given: dict[int, int] = {}
    for name, number in there.items():
        if name in here:
            given.setdefault(number, here[name])
    taken = set(here.values())
    for name, number in there.items():
        if name not in here and number not in given:
            given[number] = spare.of(name) if number in taken else number
    # Files without an owner there are not given to whoever has that number here.
    nobody = [n for n in sorted(taken) if n not in given and n >= max(sure_below, 1)]
    if nobody:
        given |= dict.fromkeys(nobody, spare.of(""))
    return Numbers(given=tuple((old, new) for old, new in sorted(given.items()) if old != new))


def _unused(used: Collection[int], *, first: int, last: int) -> Iterator[int]:
    """Yield unused numbers, from people's range first; those above it come last."""
    highest = max((n for n in used if first <= n <= last), default=first - 1)
    yield from range(highest + 1, last + 1)
    yield from (number for number in range(first, highest) if number not in used)
    yield from (number for number in count(last + 1) if number not in used)


def _words(
    there: Mapping[str, int], here: Mapping[str, int], users: Numbers
) -> Iterator[tuple[int, str]]:
    names_here = {number: name for name, number in here.items()}
    for name, number in sorted(there.items()):
        now = users.here(number)
        if name in here and now == here[name] != number:
            yield (
                now,
                f"'{name}' has the number {number} on the dead disk and {now} here: files are "
                "assigned by name",
            )
        elif name not in here and number in names_here and now not in names_here:
            yield (
                now,
                f"this system has no user '{name}', and the number {number} is "
                f"'{names_here[number]}' here: the files of '{name}' are brought back with the "
                f"unused number {now}; create the account again: 'useradd --uid {now} {name}'",
            )
        elif name not in here:
            yield (
                now,
                f"this system has no user '{name}': the account was created after the last run; "
                f"create it again: 'useradd --uid {now} {name}'",
            )
