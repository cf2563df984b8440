"""What an attached disk says of itself: the marker on a mirror's root, read and not touched."""

import contextlib
from dataclasses import dataclass
from pathlib import Path

from rescue.errors import RescueError
from rescue.model.disk import Disk, Partition
from rescue.model.filesystem import FileSystem, FsKind
from rescue.model.record import MirrorRecord
from rescue.state import load_boots, load_marker
from rescue.system import mountns
from rescue.system.mountns import Access

_PLACE = Path("/run/rescue/look")


@dataclass(frozen=True, kw_only=True)
class Marker:
    """The record on a disk, and when the disk was started as the running system since (UTC)."""

    record: MirrorRecord
    boots: tuple[str, ...] = ()


def read_marker(disk: Disk) -> Marker | None:
    """Return the marker of a disk, or None where no file system on it carries one.

    Every file system is looked at in a private mount namespace, mounted so that not even a
    journal is replayed; one that is in use is left alone. The process stays in that namespace.
    Raises UsageError for a marker that was written by a newer rescue or is damaged, RescueError
    without root.
    """
    mountns.enter_private()
    _PLACE.mkdir(mode=0o700, parents=True, exist_ok=True)
    for part in disk.partitions:
        content = part.content
        if isinstance(content, FileSystem) and content.kind is not FsKind.VFAT and not part.uses:
            found = _read(part, content.kind)
            if found is not None:
                return found
    return None


def _read(part: Partition, kind: FsKind) -> Marker | None:
    try:
        mountns.mount(mountns.mount_argv(part.path, _PLACE, kind, Access.LOOK))
    except RescueError:
        return None  # a damaged file system carries no marker that could be trusted
    try:
        record = load_marker(_PLACE)
        return None if record is None else Marker(record=record, boots=load_boots(_PLACE))
    finally:
        with contextlib.suppress(RescueError):
            mountns.unmount_all(_PLACE)
