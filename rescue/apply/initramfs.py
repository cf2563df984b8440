"""The step that gives the mirror its own initramfs, since one names the resume device.

Mostly it is the source's, with the identifiers replaced: that takes seconds, and is exactly what
the source boots with. Where that is not certain to be right, mkinitramfs makes it in the mirror's
own tree.
"""

import os
import re
from dataclasses import replace
from pathlib import Path

from rescue.apply.work import TreeWork
from rescue.errors import RescueError
from rescue.model.event import Notice
from rescue.model.step import BuildInitramfs
from rescue.system import initramfs
from rescue.system.chroot import kernel_view, run_in
from rescue.system.files import copy_metadata, copy_times, digest, sync_directory
from rescue.system.initramfs import InitramfsError
from rescue.system.run import CommandError

PREFIX = "initrd.img-"
_FRESH = ".new"
_TIMEOUT = 3600.0  # seconds; minutes on a slow machine


def mkinitramfs_argv(version: str) -> list[str]:
    """Return the command that makes a kernel's initramfs beside the old one (man 8 mkinitramfs)."""
    return ["mkinitramfs", "-o", f"/boot/{PREFIX}{version}{_FRESH}", version]


def build_initramfs(step: BuildInitramfs, work: TreeWork) -> str:
    """Make it for each kernel whose initramfs on the source is new, or missing on the mirror.

    Raises CommandError where mkinitramfs fails; the mirror's old one stays then.
    """
    del step
    tree = work.workspace.tree()
    known = dict(work.record.initramfs_digests)
    digests, stale = {}, []
    for version, image in _source_images(work).items():
        if not (tree / "usr/lib/modules" / version).is_dir():
            work.emit(Notice(message=f"{image.name} is of a kernel without modules: left out"))
            continue
        try:
            digests[version] = digest([image])
        except OSError:
            # rsync has listed it; the mirror's own of last time still boots.
            work.unreadable.append(f"/boot/{image.name}")
            work.failing = True
            digests.update({version: known[version]} if version in known else {})
            continue
        if known.get(version) != digests[version] or not _image(tree, version).is_file():
            stale.append(version)
    built = [version for version in stale if not _translate(tree, version, work)]
    if built:
        with kernel_view(tree):
            for version in built:
                _build(tree, version, work)
    if stale:
        _keep_times(tree, work)
    work.record = replace(work.record, initramfs_digests=tuple(sorted(digests.items())))
    return _told(stale, built)


def _told(stale: list[str], built: list[str]) -> str:
    how = {"translated": [each for each in stale if each not in built], "made anew": built}
    told = [f"{word} for {', '.join(versions)}" for word, versions in how.items() if versions]
    return "; ".join(told) or "as it was"


def drop_old(mount_point: str, work: TreeWork) -> int:
    """Remove the mirror's initramfs of kernels that the source no longer has; return how many.

    Only on the file system that holds /boot.
    """
    pair, inside = work.workspace.pair_of("/boot")
    if pair.mount_point != mount_point:
        return 0
    boot = work.workspace.mirror(mount_point) / inside.lstrip("/")
    wanted = {image.name for image in _source_images(work).values()}
    old = [path for path in boot.glob(f"{PREFIX}*") if path.name not in wanted]
    for path in old:
        path.unlink()
    if old:
        sync_directory(boot)
    return len(old)


def _translate(tree: Path, version: str, work: TreeWork) -> bool:
    """Make it from the source's by replacing identifiers; return whether that could be done."""
    source, identifiers = _source_images(work)[version], work.record.identifiers
    words = identifiers.same_length()
    if _chosen_for_one_disk(tree):
        return False
    try:
        for member in initramfs.members(source):
            text = initramfs.replaced(member.data, words).decode("utf-8", "surrogateescape")
            if member.is_text and identifiers.find_old(text):
                return False
        initramfs.translate(source, _fresh(tree, version), words)
    except (InitramfsError, CommandError):
        _fresh(tree, version).unlink(missing_ok=True)
        return False
    _put_in_place(tree, version, work)
    return True


def _chosen_for_one_disk(tree: Path) -> bool:
    """Whether it holds only the drivers of the disk it was made on (man 5 initramfs.conf)."""
    folder = tree / "etc/initramfs-tools"
    texts = [folder / "initramfs.conf", *sorted((folder / "conf.d").glob("*"))]
    found = [
        re.findall(r"^\s*MODULES=[\"']?(\w+)", path.read_text(errors="replace"), re.MULTILINE)
        for path in texts
        if path.is_file()
    ]
    values = [value for each in found for value in each]
    return bool(values) and values[-1] != "most"


def _build(tree: Path, version: str, work: TreeWork) -> None:
    run_in(tree, mkinitramfs_argv(version), timeout=_TIMEOUT)
    _put_in_place(tree, version, work)


def _put_in_place(tree: Path, version: str, work: TreeWork) -> None:
    image, fresh = _image(tree, version), _fresh(tree, version)
    if not fresh.is_file() or fresh.stat().st_size == 0:
        raise RescueError(f"no initramfs was made for kernel {version}")
    copy_metadata(_source_images(work)[version], fresh)
    os.utime(fresh)
    with fresh.open("rb") as file:
        os.fsync(file.fileno())
    fresh.replace(image)
    sync_directory(image.parent)


def _source_images(work: TreeWork) -> dict[str, Path]:
    pair, inside = work.workspace.pair_of("/boot")
    boot = work.workspace.source(pair.mount_point) / inside.lstrip("/")
    images = (path for path in boot.glob(f"{PREFIX}*") if path.is_file() and not path.is_symlink())
    return {path.name.removeprefix(PREFIX): path for path in images}


def _image(tree: Path, version: str) -> Path:
    return tree / "boot" / f"{PREFIX}{version}"


def _fresh(tree: Path, version: str) -> Path:
    return tree / "boot" / f"{PREFIX}{version}{_FRESH}"


def _keep_times(tree: Path, work: TreeWork) -> None:
    """Give the folders that mkinitramfs works in the times of the source's again."""
    for path in ("/boot", "/var/tmp"):
        pair, inside = work.workspace.pair_of(path)
        twin = work.workspace.source(pair.mount_point) / inside.lstrip("/")
        if twin.is_dir() and (tree / path.lstrip("/")).is_dir():
            copy_times(twin, tree / path.lstrip("/"))
