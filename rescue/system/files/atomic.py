"""Atomic replacement of files that a boot depends on: write, fsync, rename, fsync."""

import contextlib
import fcntl
import hashlib
import os
import re
import secrets
import shutil
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

from rescue.paths import TEMPORARY_SUFFIX
from rescue.system.process.run import run

"""Ends the name of a file that is being written; one that is left over was interrupted. Between it
and the final name are sixteen random digits: two writers of one file do not collide, and nobody
can place a link where one will be. While it is written it is locked (man 2 flock), so that the
next writer recognises a leftover, and removes it.
"""


def write_atomic(
    path: Path, data: bytes, *, mode: int | None = None, like: Path | None = None
) -> None:
    """Replace `path` by a file with this content, so that a power cut leaves the old or the new.

    Owner, mode, times and extended attributes (including POSIX ACLs) are those of `like` if
    given; otherwise the file has `mode` (0644 if that is not given, either) and the caller's
    owner. Raises OSError; nothing is left behind then.
    """
    with _in_place_of(path, mode=0o600) as (file, fresh):
        file.write(data)
        file.flush()
        with contextlib.suppress(PermissionError):
            os.fchmod(file.fileno(), 0o644 if mode is None else mode)
        if like is not None:
            copy_metadata(like, fresh)


@contextlib.contextmanager
def fresh_file(path: Path, *, mode: int) -> Iterator[BinaryIO]:
    """Yield an empty file that replaces `path` if the block ends without an error.

    Raises OSError; where the block raises, what was at `path` stays, and nothing else is left.
    """
    with _in_place_of(path, mode=mode) as (file, _):
        yield file


@contextlib.contextmanager
def _in_place_of(path: Path, *, mode: int) -> Iterator[tuple[BinaryIO, Path]]:
    """Yield a new file and its temporary path; on success it becomes durable at `path`."""
    _remove_leftovers(path)
    fresh, fd = _locked_file(path, mode)
    try:
        with os.fdopen(fd, "wb") as file:
            yield file, fresh
            file.flush()
            os.fsync(fd)
            fresh.replace(path)
    except BaseException:
        fresh.unlink(missing_ok=True)
        raise
    sync_directory(path.parent)


def _locked_file(path: Path, mode: int) -> tuple[Path, int]:
    """Create the file to be, and lock it before somebody takes it for a leftover."""
    while True:
        fresh = path.with_name(f"{path.name}.{secrets.token_hex(8)}{TEMPORARY_SUFFIX}")
        fd = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode)
        if _lock(fd) and os.fstat(fd).st_nlink:
            return fresh, fd
        os.close(fd)
        fresh.unlink(missing_ok=True)


def _remove_leftovers(path: Path) -> None:
    """Remove what interrupted writers of `path` left; active writers hold a lock on theirs."""
    digits = r"(\.[0-9a-f]{16})?"  # an older rescue had none
    ours = re.compile(re.escape(path.name) + digits + re.escape(TEMPORARY_SUFFIX))
    for each in path.parent.iterdir():
        if not ours.fullmatch(each.name):
            continue
        with contextlib.suppress(OSError):
            fd = os.open(each, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
            try:
                if _lock(fd):
                    each.unlink(missing_ok=True)
            finally:
                os.close(fd)


def _lock(fd: int) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def own_folder(path: Path) -> None:
    """Make a folder, and its parents, that only this user can read or change; check existing ones.

    Raises PermissionError where somebody else could replace what is written there by another
    file or a link.
    """
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    for each in (path, *path.parents):
        info = each.lstat()
        others = info.st_mode & 0o022 and not info.st_mode & stat.S_ISVTX
        if not stat.S_ISDIR(info.st_mode) or info.st_uid not in (0, os.geteuid()) or others:
            raise PermissionError(f"{each} is a link, or can be changed by others than root")


def copy_metadata(source: Path, target: Path) -> None:
    """Give `target` the owner, mode, times and extended attributes of `source` (no links followed).

    vfat knows neither owners nor rights and refuses them: there it is the times alone.
    """
    seen = source.lstat()
    with contextlib.suppress(PermissionError):
        os.chown(target, seen.st_uid, seen.st_gid, follow_symlinks=False)
    # After chown, which clears the set-user-ID bit; copystat begins with the times.
    with contextlib.suppress(PermissionError):
        shutil.copystat(source, target, follow_symlinks=False)


def same_metadata(source: Path, target: Path, *, owners: bool) -> bool:
    """Whether kind and modification time agree, and with `owners` mode, owner and group too.

    Without it times may differ by two seconds, as vfat keeps them.
    """
    one, two = source.lstat(), target.lstat()
    if stat.S_IFMT(one.st_mode) != stat.S_IFMT(two.st_mode):
        return False
    if not owners:
        return abs(one.st_mtime - two.st_mtime) <= 2
    return (one.st_mode, one.st_uid, one.st_gid, one.st_mtime_ns) == (
        two.st_mode,
        two.st_uid,
        two.st_gid,
        two.st_mtime_ns,
    )


def keep_times(source: Path, mirror: Path) -> None:
    """Give a folder of the mirror the times of its counterpart after something in it was replaced.

    Nothing is done where either is no folder: what has no counterpart has no times to keep.
    """
    if not source.is_dir() or not mirror.is_dir():
        return
    seen = source.lstat()
    os.utime(mirror, ns=(seen.st_atime_ns, seen.st_mtime_ns), follow_symlinks=False)


def sync_directory(path: Path) -> None:
    """Make the names in a folder durable (man 2 fsync)."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def sync_filesystem(path: Path) -> None:
    """Write everything of the file system that holds `path` to its disk (man 1 sync)."""
    run(["sync", "--file-system", str(path)], timeout=3600)


def free_on(path: Path) -> tuple[int, int]:
    """Return the bytes and inodes that ordinary users have free on the file system at `path`.

    -1 for inodes where it makes them as it needs them (btrfs).
    """
    info = os.statvfs(path)
    return info.f_bavail * info.f_frsize, info.f_favail if info.f_files else -1


def used_on(path: Path) -> tuple[int, int]:
    """Return the bytes and inodes in use on the file system at `path`.

    0 for inodes where it does not count them (btrfs, vfat).
    """
    info = os.statvfs(path)
    return (info.f_blocks - info.f_bfree) * info.f_frsize, info.f_files - info.f_ffree


def room_on(path: Path) -> tuple[int, int]:
    """Return total and free bytes for ordinary users on the file system at `path`.

    As `df` counts: what is kept back for root (man 8 mke2fs, -m) is neither.
    """
    info = os.statvfs(path)
    used = info.f_blocks - info.f_bfree
    return (used + info.f_bavail) * info.f_frsize, info.f_bavail * info.f_frsize


def digest(paths: Iterable[Path]) -> str:
    """Return one SHA-256 over names and contents of regular files, in sorted order."""
    total = hashlib.sha256()
    for path in sorted(paths):
        if not stat.S_ISREG(path.lstat().st_mode):
            continue
        with path.open("rb") as file:
            content = hashlib.file_digest(file, "sha256").hexdigest()
        total.update(f"{content}  {path.name}\n".encode("utf-8", "surrogateescape"))
    return total.hexdigest()
