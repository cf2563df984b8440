"""A dead disk, opened for reading only.

Each file system is seen through a loop device that the kernel locks for writing, over the part of
the disk where it lies: no partition nodes are needed, and no table. Then, until one succeeds:

1. mounted as it is. On a locked device this works only if no journal is to be replayed.
2. its journal replayed into a throw-away snapshot of device-mapper (`system.block.snapshot`). After
   a power cut the newest files may be in the journal alone.
3. where the superblock is gone: repaired, with the journal, on such a snapshot.
4. without its journal ('noload', 'norecovery', 'nologreplay'), ext with a copy of its superblock
   ('sb='). Then what was written last may be missing, and the restore says that it is partial.

Everything is mounted in a private mount namespace, and each loop device and snapshot goes with its
mount: nothing stays behind, whatever ends this process.
"""

import contextlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from rescue import paths
from rescue.errors import RescueError, in_words
from rescue.model.finding import Finding, Severity
from rescue.model.mirror.record import FilesystemPair
from rescue.model.restore.way_back import Origin, Reading
from rescue.model.storage.disk import PartitionTable
from rescue.model.storage.filesystem import FsKind
from rescue.restore.dead_table import (
    Candidate,
    DeadTable,
    candidates,
    read_dead_table,
    same_as_recorded,
)
from rescue.system.block import snapshot
from rescue.system.block.blockinfo import probe
from rescue.system.block.loop import Span, locked
from rescue.system.block.md import MEMBER, data_of_member
from rescue.system.block.superblock import Backup, find_backup, primary_uuid, repair
from rescue.system.files import mount_namespace
from rescue.system.files.mount_namespace import Access
from rescue.system.process.run import CommandError

_SMALLEST_SECTOR = 512
"""Bytes: a file system that was made on such a disk is read behind an adapter that shows more."""


@dataclass(kw_only=True)
class DeadDisk:
    """What is left of the disk: its table, the findings in sentences, and the open file systems.

    `places` are where the file system of a mount point is mounted, `readings` how. Further ones are
    opened as they are needed.
    """

    table: DeadTable
    findings: list[Finding]
    origin: Origin
    layout: PartitionTable | None
    scratch: Path
    places: dict[str, Path] = field(default_factory=dict)
    readings: dict[str, Reading] = field(default_factory=dict)
    tried: set[str] = field(default_factory=set)

    def open(self, pair: FilesystemPair) -> Path | None:
        """Mount a recorded file system unless already tried; return where it is mounted."""
        if pair.mount_point not in self.tried:
            place = paths.DEAD / str(len(self.tried))
            self.tried.add(pair.mount_point)
            _open(self, self.origin, pair, self.layout, place=place, scratch=self.scratch)
        return self.places.get(pair.mount_point)


@contextmanager
def opened(
    origin: Origin,
    pairs: Sequence[FilesystemPair],
    *,
    table_uuid: str,
    layout: PartitionTable | None,
    scratch: Path = paths.SCRATCH,
) -> Iterator[DeadDisk]:
    """Mount what can be read of the recorded file systems `pairs`, and unmount it at the end.

    `layout` is the running mirror's own table; `scratch` takes what snapshots write. Raises
    RescueError without root. A file system that cannot be read is a finding, and not in `places`.
    """
    mount_namespace.enter_private()
    paths.DEAD.mkdir(mode=0o700, parents=True, exist_ok=True)
    mount_namespace.mount(mount_namespace.tmpfs_argv(paths.DEAD, size="4m", mode="0700"))
    try:
        table = same_as_recorded(read_dead_table(origin), table_uuid)
        dead = DeadDisk(
            table=table, findings=[table.finding], origin=origin, layout=layout, scratch=scratch
        )
        for pair in pairs:
            dead.open(pair)
        yield dead
    finally:
        with contextlib.suppress(RescueError):
            mount_namespace.unmount_all(paths.DEAD)


def readings(kind: FsKind, *, superblock: bool) -> tuple[Reading, ...]:
    """Return the ways to read a file system, the best first."""
    backup = (Reading.BACKUP,) if kind.is_ext else ()
    if not superblock:
        return (Reading.REPAIRED, *backup)
    return (Reading.CLEAN, Reading.REPLAYED, Reading.LOOKED, Reading.REPAIRED, *backup)


def backup_argv(device: str, target: Path, kind: FsKind, backup: Backup) -> list[str]:
    """Return the command that mounts ext by a copy of its superblock, without its journal."""
    options = f"{mount_namespace.look_options(kind)},{backup.mount_option}"
    return ["mount", "-t", kind.value, "-o", options, device, str(target)]


def _open(
    dead: DeadDisk,
    origin: Origin,
    pair: FilesystemPair,
    layout: PartitionTable | None,
    *,
    place: Path,
    scratch: Path,
) -> None:
    place.mkdir()
    for candidate in candidates(origin, dead.table, layout, pair):
        with contextlib.ExitStack() as stack:
            try:
                candidate = _without_raid(origin, candidate)
                device = stack.enter_context(
                    locked(origin.path, candidate.span, sector=_SMALLEST_SECTOR)
                )
            except (OSError, RescueError) as error:
                dead.findings.append(_problem(pair, f"{candidate.words}: {in_words(error)}"))
                continue
            reading = _read(dead, device, pair, candidate, place=place, scratch=scratch)
        if reading is not None:
            dead.places[pair.mount_point], dead.readings[pair.mount_point] = place, reading
            return
    dead.findings.append(_problem(pair, f"no file system {pair.source_uuid} can be read; {_HELP}"))


def _without_raid(origin: Origin, candidate: Candidate) -> Candidate:
    """Return where the data lies on a member of RAID 1, which no array is made of for that.

    Raises OSError, and RescueError for a member of any other level.
    """
    with locked(origin.path, candidate.span, sector=_SMALLEST_SECTOR) as device:
        seen = probe(device)
        if seen is None or seen.type != MEMBER:
            return candidate
        data = data_of_member(device)
    start = candidate.span.start + data.start
    words = f"{candidate.words}, a member of RAID 1"
    return replace(candidate, span=Span(start=start, length=data.length), words=words)


_HELP = (
    "image the disk ('rescue salvage'), try 'e2fsck -b', 'xfs_repair' or 'testdisk' on a copy of "
    "the image, and restore --from it"
)


def _read(
    dead: DeadDisk,
    device: str,
    pair: FilesystemPair,
    candidate: Candidate,
    *,
    place: Path,
    scratch: Path,
) -> Reading | None:
    """Mount the file system on a locked loop device if it is the pair's; say what was found."""
    seen = probe(device)
    found = seen.uuid.lower() if seen and seen.type == pair.kind.value else ""
    if candidate.expected and not (seen and seen.type):
        found = primary_uuid(pair.kind, device)
    if found == pair.source_uuid.lower():
        backup, ways = None, readings(pair.kind, superblock=True)
    elif not candidate.expected:
        return None
    elif seen is not None and seen.type:
        text = f"{candidate.words} holds {seen.type} {seen.uuid}, recorded is {pair.source_uuid}"
        dead.findings.append(_problem(pair, text))
        return None
    else:
        backup = find_backup(device, uuid=pair.source_uuid) if pair.kind.is_ext else None
        dead.findings.append(_no_superblock(pair, candidate, backup))
        ways = readings(pair.kind, superblock=False)
    for way in ways:
        if way is Reading.BACKUP and backup is None:
            backup = find_backup(device, uuid=pair.source_uuid)
        if _try(way, device, pair, backup, place=place, scratch=scratch):
            dead.findings.append(_success(pair, candidate, way))
            return way
    return None


def _try(
    way: Reading,
    device: str,
    pair: FilesystemPair,
    backup: Backup | None,
    *,
    place: Path,
    scratch: Path,
) -> bool:
    """Mount in one way; if that fails, restore the previous state."""
    copy = ""
    try:
        if way is Reading.CLEAN:
            mount_namespace.mount(mount_namespace.mount_argv(device, place, pair.kind, Access.READ))
        elif way is Reading.LOOKED:
            mount_namespace.mount(mount_namespace.mount_argv(device, place, pair.kind, Access.LOOK))
        elif way is Reading.BACKUP:
            if backup is None:
                return False
            mount_namespace.mount(backup_argv(device, place, pair.kind, backup))
        else:
            copy = snapshot.make(device, scratch=scratch)
            if way is Reading.REPAIRED:
                repair(pair.kind, copy, backup)
            mount_namespace.mount(mount_namespace.mount_argv(copy, place, pair.kind, Access.READ))
    except CommandError:
        return False
    finally:
        if copy:
            snapshot.drop(copy)
    return True


_WORDS = {
    Reading.CLEAN: "is intact and is read as it is",
    Reading.REPLAYED: "is read with its journal replayed into a temporary copy",
    Reading.REPAIRED: "is read from a temporary copy that was repaired",
    Reading.LOOKED: "is read without its journal: what was written last may be missing",
    Reading.BACKUP: "is read by a copy of its superblock, without its journal: what was written "
    "last may be missing",
}


def _success(pair: FilesystemPair, candidate: Candidate, way: Reading) -> Finding:
    severity = Severity.OK if way is Reading.CLEAN else Severity.NOTE
    hint = "" if way.is_whole else "; dmsetup and the kernel's dm-snapshot would show it"
    text = f"the {pair.kind} file system on {candidate.words} {_WORDS[way]}{hint}"
    return Finding(severity=severity, link=pair.mount_point, message=text)


def _no_superblock(pair: FilesystemPair, candidate: Candidate, backup: Backup | None) -> Finding:
    text = f"the superblock of the {pair.kind} file system on {candidate.words} is gone"
    if backup is not None:
        text += f"; a copy of it is at block {backup.block} (of {backup.block_size} bytes)"
    elif pair.kind.is_ext:
        text += ", and none of its copies can be read"
    return Finding(severity=Severity.NOTE, link=pair.mount_point, message=text)


def _problem(pair: FilesystemPair, text: str) -> Finding:
    return Finding(severity=Severity.ERROR, link=pair.mount_point, message=text)
