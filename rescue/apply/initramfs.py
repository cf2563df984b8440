"""The step that gives the mirror its own initramfs, since one names the resume device."""

import os
from dataclasses import replace
from pathlib import Path

from rescue.apply.work import TreeWork
from rescue.errors import RescueError
from rescue.model.event import Notice
from rescue.model.step import BuildInitramfs
from rescue.system.chroot import kernel_view, run_in
from rescue.system.files import copy_metadata, copy_times, digest, sync_directory

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
        digests[version] = digest([image])
        if known.get(version) != digests[version] or not _image(tree, version).is_file():
            stale.append(version)
    if stale:
        with kernel_view(tree):
            for version in stale:
                _build(tree, version, work)
        _keep_times(tree, work)
    work.record = replace(work.record, initramfs_digests=tuple(sorted(digests.items())))
    return f"made for {', '.join(stale)}" if stale else "as it was"


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


def _build(tree: Path, version: str, work: TreeWork) -> None:
    run_in(tree, mkinitramfs_argv(version), timeout=_TIMEOUT)
    image = _image(tree, version)
    fresh = image.with_name(image.name + _FRESH)
    if not fresh.is_file() or fresh.stat().st_size == 0:
        raise RescueError(f"mkinitramfs made no initramfs for kernel {version}")
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


def _keep_times(tree: Path, work: TreeWork) -> None:
    """Give the folders that mkinitramfs works in the times of the source's again."""
    for path in ("/boot", "/var/tmp"):
        pair, inside = work.workspace.pair_of(path)
        twin = work.workspace.source(pair.mount_point) / inside.lstrip("/")
        if twin.is_dir() and (tree / path.lstrip("/")).is_dir():
            copy_times(twin, tree / path.lstrip("/"))
