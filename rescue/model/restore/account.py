"""Accounts by name and by number (man 5 passwd, man 5 group, man 5 login.defs)."""

import re
from dataclasses import dataclass

from rescue.units import whole_number

FIRST_PERSON, LAST_PERSON = 1000, 60000
"""UID_MIN and UID_MAX where login.defs says nothing (Debian Policy, 9.2.2)."""

_LIMIT = re.compile(r"^[ \t]*(UID_MIN|UID_MAX)[ \t]+([0-9]+)", re.MULTILINE)
_LARGEST = 2**32 - 2
"""The kernel's numbers have 32 bits, and the last one means 'none' (man 2 chown)."""


@dataclass(frozen=True, kw_only=True)
class Account:
    """One user. `home` is where the account says that it is; it may be a link, or not be there."""

    name: str
    uid: int
    gid: int
    home: str


@dataclass(frozen=True, kw_only=True)
class Accounts:
    """The users of a system, its groups by name and number, and the number range of people.

    `by_folder` is true where the users are only guessed from who owns which folder of /home.
    """

    users: tuple[Account, ...] = ()
    groups: tuple[tuple[str, int], ...] = ()
    first: int = FIRST_PERSON
    last: int = LAST_PERSON
    by_folder: bool = False

    @property
    def people(self) -> tuple[Account, ...]:
        """The users with a person's number, whatever their shell: mail lies in such homes, too."""
        return tuple(each for each in self.users if self.first <= each.uid <= self.last)

    def user(self, name: str) -> Account | None:
        """Return the user of that name."""
        return next((each for each in self.users if each.name == name), None)


def parse_accounts(passwd: str, group: str, login_defs: str = "") -> Accounts:
    """Given the text of a system's files, return its accounts; invalid lines are left out.

    Raises ValueError where no user is named in `passwd`: the file is not what it should be.
    """
    users = []
    for line in passwd.split("\n"):
        fields = line.split(":")
        if len(fields) != 7 or not fields[0]:
            continue
        uid, gid = _number(fields[2]), _number(fields[3])
        if uid is not None and gid is not None:
            users.append(Account(name=fields[0], uid=uid, gid=gid, home=fields[5]))
    if not users:
        raise ValueError("it names no user")
    groups = []
    for line in group.split("\n"):
        fields = line.split(":")
        if len(fields) == 4 and fields[0] and (gid := _number(fields[2])) is not None:
            groups.append((fields[0], gid))
    first, last = _limits(login_defs)
    return Accounts(users=tuple(users), groups=tuple(groups), first=first, last=last)


def _limits(login_defs: str) -> tuple[int, int]:
    """Return the lowest and highest user number of people; invalid settings count as absent."""
    said = {name: _number(text) for name, text in _LIMIT.findall(login_defs)}
    first, last = said.get("UID_MIN"), said.get("UID_MAX")
    first = FIRST_PERSON if first is None else first
    last = LAST_PERSON if last is None else last
    return (first, last) if first <= last else (FIRST_PERSON, LAST_PERSON)


def _number(text: str) -> int | None:
    number = whole_number(text)
    return number if number is not None and number <= _LARGEST else None
