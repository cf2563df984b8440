"""The accounts of a system, by name and by number (man 5 passwd, man 5 group, man 5 login.defs)."""

import re
from dataclasses import dataclass

FIRST_PERSON, LAST_PERSON = 1000, 60000
"""UID_MIN and UID_MAX where login.defs says nothing (Debian Policy, 9.2.2)."""

_LIMIT = re.compile(r"^\s*(UID_MIN|UID_MAX)\s+(\d+)", re.MULTILINE)


@dataclass(frozen=True, kw_only=True)
class Account:
    """One user. `home` is where the account says that it is; it may be a link, or not be there."""

    name: str
    uid: int
    gid: int
    home: str


@dataclass(frozen=True, kw_only=True)
class Accounts:
    """The users of a system, its groups by name and number, and which numbers are people's.

    `by_folder` is true where the users are only guessed, by who owns which folder of /home.
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
    """Given the text of a system's files, return its accounts; a line that is none is left out.

    Raises ValueError where no user is named in `passwd`: the file is not what it should be.
    """
    users = []
    for line in passwd.splitlines():
        fields = line.split(":")
        if len(fields) == 7 and fields[0] and fields[2].isdecimal() and fields[3].isdecimal():
            users.append(
                Account(name=fields[0], uid=int(fields[2]), gid=int(fields[3]), home=fields[5])
            )
    if not users:
        raise ValueError("it names no user")
    groups = []
    for line in group.splitlines():
        fields = line.split(":")
        if len(fields) == 4 and fields[0] and fields[2].isdecimal():
            groups.append((fields[0], int(fields[2])))
    limits = {name: int(number) for name, number in _LIMIT.findall(login_defs)}
    return Accounts(
        users=tuple(users),
        groups=tuple(groups),
        first=limits.get("UID_MIN", FIRST_PERSON),
        last=limits.get("UID_MAX", LAST_PERSON),
    )
