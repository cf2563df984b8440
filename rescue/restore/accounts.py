"""The accounts of a system whose tree is mounted somewhere: the running one or a dead disk's."""

import os
import stat
from pathlib import Path

from rescue.model.restore.account import Account, Accounts, parse_accounts

_MOST = 16 * 1024 * 1024  # bytes; a file of accounts that is larger is none


def read_accounts(root: Path) -> Accounts:
    """Return the accounts that the files below `root` name.

    Raises OSError where `passwd` or `group` cannot be read (or a link would lead out of the tree),
    ValueError where they are not what they should be.
    """
    folder = root / "etc"
    if folder.is_symlink():
        raise ValueError("/etc is a link")
    try:
        limits = _text(folder / "login.defs")
    except OSError:
        limits = ""
    return parse_accounts(_text(folder / "passwd"), _text(folder / "group"), limits)


def accounts_by_folder(homes: Path) -> Accounts:
    """Return users guessed from the folders in `homes`, each named after its folder's owner.

    For a system whose own files cannot be read. Raises OSError.
    """
    users, groups = [], []
    with os.scandir(homes) as entries:
        for entry in sorted(entries, key=lambda each: each.name):
            if entry.is_dir(follow_symlinks=False) and not entry.name.startswith("."):
                info = entry.stat(follow_symlinks=False)
                users.append(
                    Account(
                        name=entry.name,
                        uid=info.st_uid,
                        gid=info.st_gid,
                        home=f"/home/{entry.name}",
                    )
                )
                groups.append((entry.name, info.st_gid))
    guessed = Accounts(by_folder=True)
    people = range(guessed.first, guessed.last + 1)
    return Accounts(
        users=tuple(each for each in users if each.uid in people),
        groups=tuple(each for each in groups if each[1] in people),
        by_folder=True,
    )


def _text(path: Path) -> str:
    """Return a file's text as the system's own tools read it, keeping bytes that are not UTF-8."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    with os.fdopen(descriptor, "rb") as stream:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise ValueError(f"{path.name} is not a file")
        data = stream.read(_MOST + 1)
    if len(data) > _MOST:
        raise ValueError(f"{path.name} is too large")
    return data.decode("utf-8", "surrogateescape")
