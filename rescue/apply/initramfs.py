"""The mirror's own initramfs, since an initramfs names the resume device.

Mostly it is the source's, with the identifiers replaced: that takes seconds, and is exactly what
the source boots with. Where that is not certain to be right, mkinitramfs makes it in the mirror's
own tree.
"""

import errno
import os
import re
import shutil
from dataclasses import replace
from pathlib import Path

from rescue import paths
from rescue.apply.bootset import gone_from_source, kept_for_the_menu, no_kernel_fits
from rescue.apply.step_context import TreeWork
from rescue.errors import FullError, RescueError
from rescue.measure.needs import free_for_root
from rescue.model.event import Notice
from rescue.model.mirror.step import BuildInitramfs
from rescue.system.boot import initramfs
from rescue.system.boot.initramfs import InitramfsError
from rescue.system.files.atomic import copy_metadata, digest, keep_times, sync_directory
from rescue.system.process.chroot import kernel_view, run_in
from rescue.system.process.run import CommandError

PREFIX = "initrd.img-"
BOOT = "boot"
_FRESH = ".new"
_MARGIN = 1.1
"""What is made is about as large as the source's: other tools and options pack otherwise."""
_TIMEOUT = 3600.0  # seconds; minutes on a slow machine


def mkinitramfs_argv(version: str, folder: str = BOOT) -> list[str]:
    """Return the command that makes a kernel's initramfs in a folder (man 8 mkinitramfs)."""
    return ["mkinitramfs", "-o", f"/{folder}/{PREFIX}{version}{_FRESH}", version]


def build_initramfs(step: BuildInitramfs, work: TreeWork) -> str:
    """Build the initramfs of each kernel where the source's is new or the mirror has none.

    Raises CommandError where mkinitramfs fails, FullError where there is no room; the mirror's old
    one stays then.
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
    built = [version for version in stale if not _make(tree, version, work)]
    if stale:
        # mkinitramfs works in both folders.
        for path in ("/boot", "/var/tmp"):
            keep_times(work.on_source(path), tree / path.lstrip("/"))
    work.record = replace(work.record, initramfs_digests=tuple(sorted(digests.items())))
    return _told(stale, built)


def _told(stale: list[str], built: list[str]) -> str:
    how = {"translated": [each for each in stale if each not in built], "made anew": built}
    told = [f"{word} for {', '.join(versions)}" for word, versions in how.items() if versions]
    return "; ".join(told) or "as it was"


def drop_old(mount_point: str, work: TreeWork, *, but: tuple[str, ...] = ()) -> int:
    """Remove the mirror's initramfs files of kernels the source no longer has; return how many.

    Only on the file system that holds /boot. `but` are versions whose initramfs stays. A file
    that an interrupted run was still building is removed, too.
    """
    pair, inside = work.workspace.pair_of("/boot")
    if pair.mount_point != mount_point:
        return 0
    boot = work.workspace.mirror(mount_point) / inside.lstrip("/")
    wanted = {image.name for image in _source_images(work).values()}
    wanted |= {f"{PREFIX}{version}" for version in but}
    old = [path for path in boot.glob(f"{PREFIX}*") if path.name not in wanted]
    for path in old:
        path.unlink()
    if old:
        sync_directory(boot)
    return len(old)


def _make(tree: Path, version: str, work: TreeWork) -> bool:
    """Build it and put it in its place; return whether it is the source's, translated.

    It is built beside the old ones as long as there is room. Otherwise those of old kernels are
    removed, except the one that the mirror starts; as a last resort it is built on the mirror's
    root file system, and replaces the old one within seconds.
    """
    wanted = int(_source_images(work)[version].stat().st_size * _MARGIN)
    if free_for_root(tree / BOOT) < wanted:
        _drop_all(work, but=kept_for_the_menu(work))
    if free_for_root(tree / BOOT) >= wanted:
        try:
            translated = _make_in(BOOT, tree, version, work)
        except (OSError, CommandError) as error:
            if not _is_full(error):
                raise
        else:
            _put_in_place(_fresh(tree, version), tree, version, work)
            return translated
    return _make_elsewhere(tree, version, work)


def _make_elsewhere(tree: Path, version: str, work: TreeWork) -> bool:
    """Make it on the root file system, and let it take the place of an old one."""
    try:
        translated = _make_in(paths.OWN_FOLDER, tree, version, work)
        staged = _fresh(tree, version, paths.OWN_FOLDER)
        try:
            _clear_place(staged.stat().st_size, tree, version, work)
            # Never through a link that lies there.
            _fresh(tree, version).unlink(missing_ok=True)
            shutil.copyfile(staged, _fresh(tree, version))
        finally:
            staged.unlink()
        _put_in_place(_fresh(tree, version), tree, version, work)
    except OSError as error:
        _fresh(tree, version).unlink(missing_ok=True)
        if error.errno != errno.ENOSPC:
            raise
        raise FullError(
            f"the mirror has no room for the initramfs of kernel {version}",
            hint="remove kernels that are not used on the source ('apt autoremove'), and run again",
        ) from error
    return translated


def _clear_place(size: int, tree: Path, version: str, work: TreeWork) -> None:
    """Free this many bytes: this kernel's old initramfs is removed, then the menu's own."""
    image, boot = _image(tree, version), tree / BOOT
    if free_for_root(boot) < size and image.exists():
        said = f"no room for two initramfs of kernel {version}: the old one goes first"
        work.emit(Notice(message=said))
        image.unlink()
    if free_for_root(boot) < size:
        if gone_from_source(kept_for_the_menu(work), work):
            work.emit(Notice(message=no_kernel_fits("/boot")))
        _drop_all(work)


def _make_in(folder: str, tree: Path, version: str, work: TreeWork) -> bool:
    """Make it in a folder of the tree; return whether it is the source's, translated."""
    fresh = _fresh(tree, version, folder)
    fresh.unlink(missing_ok=True)
    try:
        if translated := _translate(tree, version, work, fresh):
            return translated
        with kernel_view(tree):
            run_in(tree, mkinitramfs_argv(version, folder), timeout=_TIMEOUT)
    except BaseException:
        fresh.unlink(missing_ok=True)
        raise
    return False


def _is_full(error: OSError | CommandError) -> bool:
    """Whether lack of space may be the cause, without parsing mkinitramfs' output."""
    return not isinstance(error, OSError) or error.errno == errno.ENOSPC


def _drop_all(work: TreeWork, *, but: tuple[str, ...] = ()) -> None:
    """Remove the initramfs of old kernels, where the source is trusted to show all that it has."""
    if not work.failing and not work.grant.plan.failing_source:
        drop_old(work.workspace.pair_of("/boot")[0].mount_point, work, but=but)


def _translate(tree: Path, version: str, work: TreeWork, fresh: Path) -> bool:
    """Make it from the source's by replacing identifiers; return whether that could be done.

    It cannot where the source's starts arrays: the mirror's must start none, whatever mdadm.conf
    says there.
    """
    source, identifiers = _source_images(work)[version], work.record.identifiers
    words = identifiers.same_length()
    if _chosen_for_one_disk(tree) or identifiers.arrays:
        return False
    try:
        for member in initramfs.members(source):
            text = initramfs.replaced(member.data, words).decode("utf-8", "surrogateescape")
            if member.is_text and identifiers.find_old(text):
                return False
        initramfs.translate(source, fresh, words)
    except (InitramfsError, CommandError):
        fresh.unlink(missing_ok=True)
        return False
    return True


def _chosen_for_one_disk(tree: Path) -> bool:
    """Whether it holds only the drivers of the disk it was made on (man 5 initramfs.conf)."""
    folder = tree / "etc/initramfs-tools"
    texts = [folder / "initramfs.conf", *sorted((folder / "conf.d").glob("*"))]
    found = [
        re.findall(r"^[ \t]*MODULES=[\"']?(\w+)", path.read_text(errors="replace"), re.MULTILINE)
        for path in texts
        if path.is_file()
    ]
    values = [value for each in found for value in each]
    return bool(values) and values[-1] != "most"


def _put_in_place(fresh: Path, tree: Path, version: str, work: TreeWork) -> None:
    image = _image(tree, version)
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
    return tree / BOOT / f"{PREFIX}{version}"


def _fresh(tree: Path, version: str, folder: str = BOOT) -> Path:
    return tree / folder / f"{PREFIX}{version}{_FRESH}"
