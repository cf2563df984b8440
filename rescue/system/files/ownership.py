"""Ownership checks: what root executes or obeys must be writable by root alone.

A configuration, a hook's program and this program itself are orders. Who can write to one, or put
another one in its place (by a folder on the way to it, or by a link), is root.
"""

import grp
import os
import pwd
import stat
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

_MOST_LINKS = 40
"""As many links does the kernel follow on the way to a file (man 7 path_resolution)."""


@dataclass(frozen=True, kw_only=True)
class WeakSpot:
    """A file or folder that others can change, the reason, and the command that fixes it."""

    path: Path
    why: str
    mend: str


def weak_spot(path: Path, *, owners: Collection[int] = ()) -> WeakSpot | None:
    """Return the first place on the way to `path`, itself included, that others could change.

    Links are followed, and the way to where they lead is checked, too. Others are all but root,
    this process's user and the `owners` (user ids). A folder in which everybody may make files,
    but remove none of others (/tmp), is not a weak spot for root's files there. Raises
    FileNotFoundError where `path` is not there, OSError for a loop of links.
    """
    trusted = {0, os.geteuid(), *owners}
    todo = list(path.absolute().parts[1:])
    here, links = Path("/"), 0
    if spot := _weak(here, trusted):
        return spot
    while todo:
        part = todo.pop(0)
        here = here.parent if part == ".." else here / part
        if spot := _weak(here, trusted):
            return spot
        if here.is_symlink():
            links += 1
            if links > _MOST_LINKS:
                raise OSError(f"{path}: too many links")
            target = here.readlink()
            todo = [*(each for each in target.parts if each != "/"), *todo]
            here = Path("/") if target.is_absolute() else here.parent
    return None


def weak_spot_below(folder: Path) -> WeakSpot | None:
    """Return the first such place on the way to a folder or anywhere in it; see `weak_spot`."""
    if spot := weak_spot(folder):
        return spot
    trusted = {0, os.geteuid()}
    inside = (Path(top) / name for top, dirs, files in os.walk(folder) for name in (*dirs, *files))
    # The path of anything but a link was already checked: a folder comes before its content.
    looks = (weak_spot(each) if each.is_symlink() else _weak(each, trusted) for each in inside)
    return next((spot for spot in looks if spot), None)


def _weak(path: Path, trusted: Collection[int]) -> WeakSpot | None:
    info = path.lstat()
    if info.st_uid not in trusted:
        whose = f"belongs to {_user(info.st_uid)}"
        mend = f"chown {'-h ' if path.is_symlink() else ''}root {path}"
        return WeakSpot(path=path, why=whose, mend=mend)
    if stat.S_ISLNK(info.st_mode) or (stat.S_ISDIR(info.st_mode) and info.st_mode & stat.S_ISVTX):
        return None
    if info.st_mode & stat.S_IWOTH:
        return WeakSpot(path=path, why="can be written by everybody", mend=f"chmod go-w {path}")
    if info.st_mode & stat.S_IWGRP and not _is_nobodys(path, info.st_gid, trusted):
        why = f"can be written by group {_group(info.st_gid)}"
        return WeakSpot(path=path, why=why, mend=f"chmod g-w {path}")
    return None


def _is_nobodys(path: Path, gid: int, trusted: Collection[int]) -> bool:
    """Whether a group permission benefits nobody but trusted users.

    Where there is a list of access rights, these bits are its mask (man 5 acl): of anybody.
    """
    if "system.posix_acl_access" in _attributes(path):
        return False
    try:
        names = grp.getgrgid(gid).gr_mem
    except KeyError:
        return gid == 0
    members = {
        each.pw_uid for each in pwd.getpwall() if each.pw_gid == gid or each.pw_name in names
    }
    return members <= set(trusted)


def _attributes(path: Path) -> list[str]:
    try:
        return os.listxattr(path, follow_symlinks=False)
    except OSError:
        return []


def _user(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user {uid}"


def _group(gid: int) -> str:
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)
