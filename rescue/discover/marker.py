"""The marker of an attached disk, read without changing the disk."""

import contextlib
import time
from dataclasses import dataclass
from pathlib import Path

from rescue import paths
from rescue.errors import DamagedError, RescueError
from rescue.model.mirror.record import Handover, MirrorRecord
from rescue.model.storage.disk import Disk, Partition
from rescue.model.storage.filesystem import FileSystem, FsKind
from rescue.store.records import find_marker, load_boots, load_handover
from rescue.system.block.loop import locked
from rescue.system.files import mount_namespace
from rescue.system.files.mount_namespace import Access
from rescue.system.process.run import CommandError

_PATIENCE = 180.0
"""Seconds for a whole disk: a sleeping one wakes up in less; one that hangs is skipped, and counts
as having no marker."""


@dataclass(frozen=True, kw_only=True)
class Marker:
    """The record on a disk, and when the disk was started as the running system since (UTC).

    `damage` are sentences on what of the record was damaged; its second copy counted then.
    """

    record: MirrorRecord
    boots: tuple[str, ...] = ()
    damage: tuple[str, ...] = ()


def read_marker(disk: Disk) -> Marker | None:
    """Return the marker of a disk, or None where no file system on it carries one.

    Every file system is looked at in a private mount namespace, through a device that the kernel
    cannot write to: no journal is replayed, and no error noted on a disk that nobody named. One
    that is in use is left alone. The process stays in that namespace.
    What lies on the disk may be anybody's: see `system.files.foreign`. Raises UsageError for a
    marker that was written by a newer rescue, DamagedError where both copies of it are damaged,
    RescueError without root, or without a loop device.
    """
    mount_namespace.enter_private()
    paths.LOOK.mkdir(mode=0o700, parents=True, exist_ok=True)
    until = time.monotonic() + _PATIENCE
    damaged: DamagedError | None = None
    for part in disk.partitions:
        content, left = part.content, until - time.monotonic()
        if not isinstance(content, FileSystem) or content.kind is FsKind.VFAT or part.uses:
            continue
        try:
            found = _read(part, content.kind, patience=left) if left > 0 else None
        except DamagedError as error:
            damaged = damaged or error
        else:
            if found is not None:
                return found
    if damaged is not None:
        raise damaged
    return None


@dataclass(frozen=True, kw_only=True)
class Running:
    """What the running system's root says about being a mirror, and sentences on damage to that."""

    record: MirrorRecord | None = None
    handover: Handover | None = None
    damage: tuple[str, ...] = ()


def read_running(root: Path) -> Running:
    """Return what the system at `root` stores about being a mirror.

    Raises UsageError where a newer rescue wrote it.
    """
    record, handover, damage = None, None, list[str]()
    try:
        found = find_marker(root)
        if found is not None:
            record = found.record
            damage += found.damage
    except DamagedError as error:
        damage.append(error.message)
    try:
        handover = load_handover(root)
    except DamagedError as error:
        damage.append(error.message)
    return Running(record=record, handover=handover, damage=tuple(damage))


def _read(part: Partition, kind: FsKind, *, patience: float) -> Marker | None:
    try:
        with locked(part.path) as node:
            argv = mount_namespace.mount_argv(node, paths.LOOK, kind, Access.LOOK)
            mount_namespace.mount(argv, timeout=patience)
    except (OSError, CommandError):
        return None  # a damaged file system carries no marker that could be trusted
    try:
        found = find_marker(paths.LOOK)
        if found is None:
            return None
        return Marker(record=found.record, boots=load_boots(paths.LOOK), damage=found.damage)
    finally:
        with contextlib.suppress(RescueError):
            mount_namespace.unmount_all(paths.LOOK)
