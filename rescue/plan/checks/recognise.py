"""Recognition of the attached disk that a record names.

A disk's serial is what its adapter says: a USB dock may show one of its own for every disk in it,
and the disk shows its true one again when it moves to another port. The ids of the table and of the
file systems were drawn for this mirror alone, and lie on it. So the table tells which disk it may
be, the marker on its root (`guard.marker_refusals`) whether it is, and the serial is learned.
Disks that are copies of each other are never told apart: that is refused. One that only looks like
the mirror does not know its secret, and is passed over beside the one that does.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import Enum, auto

from rescue.model.mirror.record import DiskRef, MirrorRecord
from rescue.model.storage.disk import Disk
from rescue.model.storage.filesystem import FileSystem
from rescue.model.storage.machine import Machine


@dataclass(frozen=True, kw_only=True)
class Seen:
    """A record with the identities that its disks show now, and notes on that."""

    record: MirrorRecord
    notes: tuple[str, ...] = ()


class Answer(Enum):
    """What a disk that can be a mirror answers when it is asked for the mirror's secret."""

    KNOWS = auto()
    KNOWS_ANOTHER = auto()
    SILENT = auto()
    """It has no marker, or none that can be read: a damaged mirror, or one that was made so."""
    IN_USE = auto()
    """It was not asked: what somebody else has open is left alone."""


def is_disk(disk: Disk, wanted: DiskRef) -> bool:
    """Whether a disk has the partition table that a record names.

    A table without an id of its own proves nothing: then the hardware identity must match, too.
    """
    if disk.table is None or disk.table.uuid != wanted.table_uuid:
        return False
    return disk.table.has_id or shows_as_recorded(disk, wanted)


def is_a_source(disk: Disk, record: MirrorRecord) -> bool:
    """Whether it is a disk that the machine of a record normally runs from."""
    return any(is_disk(disk, wanted) for wanted in record.sources)


def led_by(source: Disk, record: MirrorRecord) -> MirrorRecord:
    """Return the record with that disk as its source, where it is another of the same RAID 1."""
    if is_disk(source, record.source):
        return record
    leading = tuple(each for each in record.twins if is_disk(source, each))[:1]
    rest = tuple(each for each in record.sources if each not in leading)
    return replace(record, source=leading[0], twins=rest) if leading else record


def shows_as_recorded(disk: Disk, wanted: DiskRef) -> bool:
    """Whether a disk shows the hardware identity that a record names, or neither has one."""
    return disk.id.same_disk(wanted.id) or not (disk.id.is_stable or wanted.id.is_stable)


def mirror_candidates(machine: Machine, record: MirrorRecord) -> tuple[Disk, ...]:
    """Return the attached disks that can be the mirror of a record; more than one are copies.

    Impostors do not count beside the mirror; alone, they are there for the guard to refuse. Of
    several with its table those count that hold one of its file systems: a table that was copied
    alone makes no mirror.
    """
    found = machine.with_table(record.mirror.table_uuid)
    found = tuple(disk for disk in found if disk.path not in machine.impostors) or found
    if len(found) < 2:
        return found
    return tuple(disk for disk in found if _holds_any(disk, record)) or found


def impostors(
    record: MirrorRecord, disks: tuple[Disk, ...], answers: Mapping[str, Answer]
) -> tuple[Disk, ...]:
    """Return which of the disks that can be the mirror are not, by what each answered (by path).

    One that says a wrong secret is none. One that says nothing is none beside a single one that
    knows the secret and shows the recorded identity: else it may be the mirror, damaged, and the
    other one its copy.
    """
    knowing = [disk for disk in disks if answers[disk.path] is Answer.KNOWS]
    is_there = len(knowing) == 1 and shows_as_recorded(knowing[0], record.mirror)
    ruled_out = {Answer.KNOWS_ANOTHER, *((Answer.SILENT,) if is_there else ())}
    return tuple(disk for disk in disks if answers[disk.path] in ruled_out)


def attached_mirror(machine: Machine, record: MirrorRecord) -> Disk | None:
    """Return the attached disk that can be the mirror, or None if it is absent or ambiguous."""
    found = mirror_candidates(machine, record)
    return found[0] if len(found) == 1 else None


def is_attached(machine: Machine, record: MirrorRecord) -> bool:
    """Whether a disk is there that can be the mirror of a record, and is no impostor."""
    found = mirror_candidates(machine, record)
    return any(disk.path not in machine.impostors for disk in found)


def pretenders(machine: Machine, record: MirrorRecord) -> tuple[Disk, ...]:
    """Return the disks that show the mirror's hardware identity, and not its table."""
    return tuple(
        disk
        for disk in machine.disks
        if disk.id.same_disk(record.mirror.id) and not is_disk(disk, record.mirror)
    )


def stands_in(machine: Machine, record: MirrorRecord) -> bool:
    """Whether something is attached in the mirror's place that the guard has to refuse."""
    return bool(mirror_candidates(machine, record) or pretenders(machine, record))


def as_seen(record: MirrorRecord, *, source: Disk, mirror: Disk) -> Seen:
    """Return the record with the identities that both of its disks show now.

    An adapter that shows none teaches nothing.
    """
    notes = [
        f"{disk.path} is recognised as {what} by {by}; it shows the identity "
        f"{disk.id.name or 'none'}, recorded is {ref.id.name or 'none'}"
        for disk, ref, what, by in (
            (source, record.source, f"the source of mirror '{record.name}'", "its partition table"),
            (mirror, record.mirror, f"mirror '{record.name}'", "its partition table and marker"),
        )
        if not shows_as_recorded(disk, ref)
    ]
    learned = replace(
        record,
        source=_learned(record.source, source),
        mirror=_learned(record.mirror, mirror),
    )
    return Seen(record=learned, notes=tuple(notes))


def names_of(machine: Machine, disk: Disk) -> tuple[str, ...]:
    """Return the names that identify this disk among all attached ones, best first.

    Serial, WWN, by-id names, and the id of the partition table that is on it now.
    """
    others = {name for other in machine.disks if other.path != disk.path for name in _all(other)}
    return tuple(dict.fromkeys(name for name in _all(disk) if name not in others))


def _all(disk: Disk) -> tuple[str, ...]:
    table = disk.table.uuid if disk.table is not None and disk.table.has_id else ""
    return tuple(filter(None, (disk.id.serial, disk.id.wwn, *disk.id.by_id, table)))


def _learned(ref: DiskRef, disk: Disk) -> DiskRef:
    if not disk.id.is_stable or disk.id.same_disk(ref.id):
        return ref
    return replace(ref, id=disk.id)


def _holds_any(disk: Disk, record: MirrorRecord) -> bool:
    wanted = {pair.mirror_uuid.lower() for pair in record.filesystems}
    held = (part.content for part in disk.partitions)
    return any(isinstance(c, FileSystem) and c.uuid.lower() in wanted for c in held)
