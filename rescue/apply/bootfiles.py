"""The boot files of the mirror: the source's text with the mirror's identifiers."""

import fnmatch
import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

from rescue.apply.menus import keep_menu
from rescue.apply.mirror_only_files import is_own, write_own_files
from rescue.apply.started_kernels import GRUB_CFG
from rescue.apply.step_context import TreeWork
from rescue.model.mirror.identifiers import IdentifierMap
from rescue.model.mirror.record import FilesystemPair
from rescue.model.mirror.step import WriteBootFiles
from rescue.model.mirror.unread import Seen
from rescue.model.storage.filesystem import FsKind
from rescue.system.files.atomic import (
    copy_metadata,
    keep_times,
    same_metadata,
    sync_directory,
    write_atomic,
)
from rescue.text.fstab import crypttab_with_nofail, with_nofail
from rescue.text.mdadm_conf import is_mdadm_conf, without_arrays

_FSTAB = "/etc/fstab"
_CRYPTTAB = "/etc/crypttab"
_GRUBENV = "grubenv"
_GRUBENV_SIZE = 1024


def write_boot_files(step: WriteBootFiles, work: TreeWork) -> str:
    """Write the files that differ and remove those the source no longer has. Raises OSError."""
    written = removed = 0
    held = (GRUB_CFG,) if step.menus and keep_menu(work) else ()
    for pattern in step.patterns:
        if pattern in held:
            continue
        pair, inside = work.workspace.pair_of(pattern)
        source = work.workspace.source(pair.mount_point)
        mirror = work.workspace.mirror(pair.mount_point)
        wanted = _wanted(source, inside, pair, work)
        if wanted is None:
            continue
        for path in sorted(wanted):
            whole = _whole(pair, path)
            if not is_own(work, whole) and _has_way(mirror / path, whole, step, work):
                written += _write(source / path, mirror / path, whole, pair, work, step)
        for path in set(matches(mirror, inside)) - wanted:
            if step.deletions and not work.failing and not is_own(work, _whole(pair, path)):
                (mirror / path).unlink()
                _leave(source / path, mirror / path)
                removed += 1
    for linked in step.linked:
        if linked.name in held:
            continue
        pair, inside = work.workspace.pair_of(linked.path)
        source = work.workspace.source(pair.mount_point) / inside.lstrip("/")
        mirror = work.workspace.mirror(pair.mount_point) / inside.lstrip("/")
        if os.path.lexists(source) and _has_way(mirror, linked.path, step, work):
            written += _write(source, mirror, linked.name, pair, work, step)
    write_own_files(work, resume_uuid=step.resume_uuid, role=step.role)
    return f"{written} written, {removed} removed"


def _wanted(source: Path, inside: str, pair: FilesystemPair, work: TreeWork) -> set[str] | None:
    """Return the source's files that match a glob, or None where that cannot be determined."""
    folder = f"/{inside.strip('/')}".rpartition("/")[0]
    if work.seen.get(pair.mount_point, Seen()).hides(folder):
        return None
    try:
        return set(matches(source, inside))
    except OSError:
        work.unreadable.append(_whole(pair, folder.strip("/")))
        work.failing = True
        return None


def matches(root: Path, pattern: str) -> Iterator[str]:
    """Yield the files and links below `root` that match a glob, as paths relative to it.

    '*' does not cross folders, '**' matches every file below. No link is followed, so nothing
    outside the tree is ever returned.
    """
    yield from _matches(root, Path(), pattern.strip("/").split("/"))


def _matches(root: Path, at: Path, ahead: list[str]) -> Iterator[str]:
    part, *rest = ahead
    if part == "**":
        yield from _below(root, at)
        return
    # fnmatch folds no case on POSIX; a part without wildcards needs no look at the whole folder.
    if any(char in part for char in "*?["):
        names = [n for n in sorted(os.listdir(root / at)) if fnmatch.fnmatchcase(n, part)]  # noqa: PTH208
    else:
        names = [part]
    for name in names:
        try:
            mode = (root / at / name).lstat().st_mode
        except FileNotFoundError:
            continue
        if not rest and not stat.S_ISDIR(mode):
            yield str(at / name)
        elif rest and stat.S_ISDIR(mode):
            yield from _matches(root, at / name, rest)


def _below(root: Path, at: Path) -> Iterator[str]:
    try:
        names = sorted(os.listdir(root / at))  # noqa: PTH208
    except FileNotFoundError:
        return
    for name in names:
        if _is_folder(root / at / name):
            yield from _below(root, at / name)
        else:
            yield str(at / name)


def _is_folder(path: Path) -> bool:
    """Whether a folder is there, and no link to one."""
    return path.is_dir() and not path.is_symlink()


def translated(
    data: bytes, identifiers: IdentifierMap, *, path: str, step: WriteBootFiles | None = None
) -> bytes:
    """Return a boot file's content for the mirror; bytes that are not UTF-8 stay unchanged.

    `step` names what the mirror must start without.
    """
    text = data.decode("utf-8", "surrogateescape")
    if path == _FSTAB:
        known = with_nofail(text, step.nofail) if step else text
        fresh = identifiers.translate_fstab(known)
    elif path == _CRYPTTAB:
        # No encrypted device is made on a mirror: what a line names is on another disk, or gone,
        # and whether it is open tonight says nothing about the night on which the mirror starts.
        fresh = identifiers.translate(crypttab_with_nofail(text))
    elif identifiers.arrays and is_mdadm_conf(path):
        fresh = identifiers.translate(without_arrays(text, identifiers.arrays))
    else:
        fresh = identifiers.translate(text)
    if path.endswith(f"/{_GRUBENV}") and len(data) == _GRUBENV_SIZE:
        # GRUB refuses an environment block of another size; '#' fills it (GRUB manual, 15.2).
        fresh = fresh.rstrip("#")
        room = _GRUBENV_SIZE - len(fresh.encode("utf-8", "surrogateescape"))
        fresh += "#" * room
    return fresh.encode("utf-8", "surrogateescape")


def _write(
    source: Path,
    mirror: Path,
    whole: str,
    pair: FilesystemPair,
    work: TreeWork,
    step: WriteBootFiles,
) -> bool:
    """Write one file where it differs; return whether it did."""
    owners = pair.kind is not FsKind.VFAT
    there = os.path.lexists(mirror)
    if source.is_symlink():
        target = source.readlink()
        if there and mirror.is_symlink() and mirror.readlink() == target:
            return False
        mirror.unlink(missing_ok=True)
        mirror.symlink_to(target)
        copy_metadata(source, mirror)
    elif not source.is_file():
        return False
    else:
        try:
            text = work.judged.get(whole) or source.read_bytes()
            data = translated(text, work.record.identifiers, path=whole, step=step)
        except OSError:
            # The mirror's own of last time still boots, and nothing was deleted.
            work.unreadable.append(whole)
            work.failing = True
            return False
        same = there and same_metadata(source, mirror, owners=owners)
        if same and mirror.read_bytes() == data:
            return False
        mirror.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(mirror, data, like=source)
    _settle_folder(source, mirror)
    return True


def _settle_folder(source: Path, mirror: Path) -> None:
    """Give the file's folder the times of the source's again, and make the change durable."""
    sync_directory(mirror.parent)
    keep_times(source.parent, mirror.parent)


def _has_way(mirror: Path, whole: str, step: WriteBootFiles, work: TreeWork) -> bool:
    """Remove a folder that is in the way of a source file; return whether the way is clear."""
    if not _is_folder(mirror):
        return True
    if not step.deletions or work.failing:
        work.kept.append(whole)
        return False
    shutil.rmtree(mirror)
    return True


def _leave(source: Path, mirror: Path) -> None:
    """Remove the folders that are empty now and gone on the source; keep the other ones' times."""
    folder, counterpart = mirror.parent, source.parent
    while not _is_folder(counterpart) and not any(folder.iterdir()):
        folder.rmdir()
        folder, counterpart = folder.parent, counterpart.parent
    _settle_folder(counterpart / mirror.name, folder / mirror.name)


def _whole(pair: FilesystemPair, path: str) -> str:
    return f"{pair.mount_point.rstrip('/')}/{path}"
