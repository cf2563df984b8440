"""The home directories on the running system (man 3 getpwent)."""

import pwd
from pathlib import Path

_PEOPLE = range(1000, 60000)
"""Debian's user IDs of people (Debian Policy, 9.2.2)."""


def homes() -> tuple[str, ...]:
    """Return the existing home folders of people, each once, sorted."""
    found = {entry.pw_dir for entry in pwd.getpwall() if entry.pw_uid in _PEOPLE}
    return tuple(sorted(path for path in found if Path(path).is_dir()))
