"""The plan of a rehearsal, or every reason against it."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

from rescue.errors import ExitCode
from rescue.model.finding import Refusal, Refused
from rescue.model.mirror.record import FilesystemPair, MirrorRecord, MirrorState
from rescue.model.rehearsal import DrillPlan, FirstDisk, Homes, Mark, PartIds, RootPlace
from rescue.model.storage.disk import Disk, Partition, PartitionTable, TableKind
from rescue.model.storage.filesystem import FileSystem, SwapArea
from rescue.model.storage.identity import DiskId
from rescue.model.storage.machine import Machine
from rescue.model.storage.place import in_words, node_of
from rescue.plan.checks.mirror_checks import (
    direction_refusals,
    find_mirror,
    marker_refusals,
    memory_refusals,
    sector_refusals,
)
from rescue.plan.checks.target_checks import in_order, machine_refusals
from rescue.restore.trees import DEFAULT_TREES, pieces_of
from rescue.units import GIB, Bytes, human_bytes

NEW_SERIAL = "DRILL-NEW"
FIRST_SERIAL = "DRILL-FIRST"
FOLDER = "rescue-drill"
"""The name of the marks' folder: it looks like one more user's home."""

LONGEST_SERIAL = 20
"""Bytes that a virtual disk shows of its serial (virtio-blk, ATA and NVMe alike)."""

MEMORY_MIB = 3072
"""What each virtual machine takes: the first copy of a whole system needs it."""

_SECTOR = 512
_BOOT_CODE = 440
# The protective MBR, the header, and 128 entries of 128 bytes (UEFI 2.10 section 5.3).
_GPT_SECTORS = 34
_NEW_MAIL = 5
_WRITES = 2 * GIB
"""Bytes that two guests write beside the copy: logs, journals, what the homes bring."""


@dataclass(frozen=True, kw_only=True)
class DrillRequest:
    """What a person asked for.

    `limit` is in seconds; `token` is a random word for this rehearsal alone, so that its marks
    cannot be confused with another's.
    """

    work_dir: str
    limit: float
    token: str


def plan_drill(
    machine: Machine,
    record: MirrorRecord,
    marker: MirrorRecord | None,
    request: DrillRequest,
    *,
    used: int,
    free: int,
    free_mib: int,
    now: float,
) -> DrillPlan | Refused:
    """Given the machine on its first disk and a mirror, return the rehearsal, or all refusals.

    `marker` is what the mirror says about itself; `used` is what the mirrored file systems hold
    and `free` what the folder for the throw-away disks has, in bytes; `free_mib` is the memory
    that can be given away (MiB).
    """
    source = machine.root_disk
    refusals = machine_refusals(machine)
    if not refusals:
        refusals += direction_refusals(machine, source, record)
    mirror, stands_against = find_mirror(machine, record)
    refusals += stands_against
    if mirror is not None and not stands_against:
        refusals += marker_refusals(record, marker, mirror=mirror) + sector_refusals(mirror)
    room = Bytes(used + used // 10 + _WRITES)
    refusals += [*_state_refusals(record, now), *_room_refusals(request, room, free)]
    refusals += memory_refusals(MEMORY_MIB, free_mib, hint="run the rehearsal at a quieter time")
    if refusals or mirror is None or mirror.table is None or source is None:
        return Refused(in_order(refusals))
    return DrillPlan(
        mirror=record.name,
        host=record.host,
        generation=record.generation,
        last_complete=record.last_complete,
        died=record.last_complete + (now - record.last_complete) / 2,
        mirror_path=mirror.path,
        mirror_disk=mirror.id,
        size=mirror.size,
        new_size=source.size,
        new_serial=NEW_SERIAL,
        firmware=machine.boot.firmware,
        root=_root(record, mirror.table),
        homes=_homes(record, mirror.table),
        first=first_disk(record, mirror.table),
        marks=tuple(_marks(request.token)),
        work_dir=request.work_dir,
        room=room,
        free=Bytes(free),
        limit=request.limit,
        notes=tuple(_notes(record.source.id, mirror)),
    )


def first_disk(record: MirrorRecord, table: PartitionTable) -> FirstDisk:
    """Return the throw-away first disk: the mirror's table with its source's identifiers.

    Its serial is the recorded one where a virtual disk can show it. Where it cannot, the disk
    is known by its table, which then must stay; its boot sector's code is lost all the same.
    """
    shows = _can_show(record.source.id)
    whole = (_GPT_SECTORS if table.kind is TableKind.GPT else 1) * _SECTOR
    return FirstDisk(
        serial=record.source.id.serial if shows else FIRST_SERIAL,
        table_uuid=record.source.table_uuid,
        parts=tuple(_part_ids(record, table, part) for part in table.partitions),
        wreck=whole if shows else _BOOT_CODE,
        keeps_table=not shows,
    )


def _part_ids(record: MirrorRecord, table: PartitionTable, part: Partition) -> PartIds:
    old = next(
        (pair.old for pair in record.identifiers.pairs if pair.new.partuuid == part.uuid), None
    )
    held = part.content
    known = old is not None and isinstance(held, FileSystem | SwapArea)
    kind = "swap" if isinstance(held, SwapArea) else ""
    return PartIds(
        number=part.number,
        start=_bytes(part.start),
        length=_bytes(part.length),
        kind=(str(held.kind) if isinstance(held, FileSystem) else kind) if known else "",
        features=held.options.features if known and isinstance(held, FileSystem) else (),
        uuid=old.uuid if old is not None and known else "",
        # An MBR's PARTUUIDs are its signature and a number.
        partuuid=old.partuuid if old is not None and table.kind is TableKind.GPT else "",
    )


def _can_show(source: DiskId) -> bool:
    return (
        0 < len(source.serial) <= LONGEST_SERIAL
        and source.serial.isascii()
        and source.serial.isprintable()
    )


def _node(pair: FilesystemPair, table: PartitionTable) -> Partition:
    part = node_of(pair.place, table)
    if part is None:
        raise KeyError(in_words(pair.place))
    return part


def _root(record: MirrorRecord, table: PartitionTable) -> RootPlace:
    part = _node(record.root, table)
    kind = str(record.root.kind)
    return RootPlace(start=_bytes(part.start), length=_bytes(part.length), kind=kind)


def _homes(record: MirrorRecord, table: PartitionTable) -> Homes:
    """Return where the homes lie: the last piece is the one on which the tree itself lies."""
    piece = pieces_of(record, DEFAULT_TREES)[-1]
    pair = next(pair for pair in record.filesystems if pair.mount_point == piece.mount_point)
    part = _node(pair, table)
    return Homes(
        start=_bytes(part.start),
        length=_bytes(part.length),
        kind=str(pair.kind),
        folder=str(PurePosixPath(piece.inside) / FOLDER),
        path=str(PurePosixPath(piece.tree) / FOLDER),
    )


def _marks(token: str) -> Iterator[Mark]:
    """Yield what happens to users' files on such a night, one mark for each thing."""

    def told(what: str) -> str:
        return f"{token} {what}"

    for number in range(_NEW_MAIL):
        yield Mark(name=f"mail-{number}", dead=told(f"mail {number} after the last run"))
    yield Mark(name="untouched", last_run=told("old"), dead=told("old"))
    yield Mark(name="changed", last_run=told("old"), dead=told("changed after the last run"))
    yield Mark(name="deleted", last_run=told("deleted after the last run"))
    yield Mark(
        name="newer-here",
        last_run=told("old"),
        dead=told("changed before the disk died"),
        here=told("changed since the mirror runs"),
    )
    yield Mark(name="since", here=told("made since the mirror runs"))
    yield Mark(name="since-failback", late=told("made between the two passes of the failback"))


def _notes(source: DiskId, mirror: Disk) -> Iterator[str]:
    if not _can_show(source):
        yield (
            f"a virtual disk cannot show the identity {source.name or '(none)'}: the dead disk is "
            "recognised by its partition table, and only loses its boot sector"
        )
    if mirror.removable:
        yield f"{mirror.path} is removable: leave it plugged in until the end"


def _state_refusals(record: MirrorRecord, now: float) -> list[Refusal]:
    refusals = []
    if record.state is not MirrorState.COMPLETE or not record.last_complete:
        refusals.append(
            Refusal(
                code=ExitCode.REFUSED,
                reason=f"mirror '{record.name}' is not complete ({record.state}): in an emergency "
                "it would not be started, either",
                hint=f"bring it up to date first: 'rescue mirror {record.name}'",
            )
        )
    if now < record.last_complete:
        refusals.append(
            Refusal(
                code=ExitCode.REFUSED,
                reason="this machine's clock shows a time before the mirror's last run",
                hint="set the clock (timedatectl set-time) and run again",
            )
        )
    return refusals


def _room_refusals(request: DrillRequest, room: int, free: int) -> list[Refusal]:
    if free >= room:
        return []
    return [
        Refusal(
            code=ExitCode.REFUSED,
            reason=f"the simulated new disk gets a full copy: up to {human_bytes(room)}, and "
            f"{request.work_dir} has {human_bytes(free)}",
            hint="name a folder with more room: --work-dir",
        )
    ]


def _bytes(sectors: int) -> Bytes:
    return Bytes(sectors * _SECTOR)
