"""The plan of a restore, or every reason against it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rescue.errors import ExitCode
from rescue.model.finding import Finding, Refusal, Refused
from rescue.model.mirror.record import FilesystemPair, MirrorRecord, MirrorState
from rescue.model.mirror.since import Since, since
from rescue.model.restore.comparison import Comparison, absolute, merged
from rescue.model.restore.owners import Owners
from rescue.model.restore.way_back import (
    HOMES,
    Free,
    Piece,
    Read,
    Reading,
    RestorePlan,
    RestoreRequest,
    Room,
)
from rescue.model.storage.disk import PartitionTable
from rescue.model.storage.filesystem import FileSystem
from rescue.model.storage.machine import Machine
from rescue.paths import OWN_FOLDER
from rescue.plan.checks.target_checks import in_order, nameless_refusal
from rescue.plan.layout.contents import some_of
from rescue.restore.origin import Found, find_origin, image_origin
from rescue.restore.owners import Mapped
from rescue.restore.trees import DEFAULT_TREES, pieces_of, tree_refusals
from rescue.units import human_bytes

RESERVE = 64 * 1024 * 1024
"""Bytes that must stay free, at most as many as come back: a full disk stops services."""


@dataclass(frozen=True, kw_only=True)
class Start:
    """What is known before the dead disk is opened.

    `mounted` is where the running system has anything mounted.
    """

    record: MirrorRecord
    found: Found
    pieces: tuple[Piece, ...]
    layout: PartitionTable | None
    since: float
    touched: Since
    mounted: tuple[str, ...] = ()

    @property
    def pairs(self) -> tuple[FilesystemPair, ...]:
        """The recorded file systems that the pieces lie on."""
        wanted = {piece.mount_point for piece in self.pieces}
        return tuple(p for p in self.record.filesystems if p.mount_point in wanted)


def begin_restore(
    machine: Machine,
    request: RestoreRequest,
    *,
    image_size: int = -1,
    boots: Sequence[float] = (),
    now: float,
) -> Start | Refused:
    """Given the machine and what was asked for, return where to look, or all refusals.

    `image_size` is that of the file that the request names (-1 where it names none); `boots` are
    when the mirror was started since its last run. Times are seconds since the epoch.
    """
    refusals = tree_refusals(request.trees)
    record = machine.running_mirror
    if not machine.is_root:
        refusals.insert(
            0, Refusal(code=ExitCode.USAGE, reason="only root can do this", hint="try with sudo")
        )
    if record is None:
        why = nameless_refusal(machine) if machine.is_nameless_mirror else _not_a_mirror()
        return Refused(in_order([*refusals, why]))
    refusals += _running_refusals(machine, record, now=now)
    if image_size >= 0:
        disk = machine.root_disk
        sector = disk.logical_sector if disk else 512
        found: Found | Refused = image_origin(request.named, size=image_size, logical_sector=sector)
    else:
        found = find_origin(machine, record, request.named)
    if isinstance(found, Refused):
        return Refused(in_order([*refusals, *found.findings]))
    mounted = tuple(mount.target for mount in machine.mounts)
    trees = request.trees or DEFAULT_TREES
    pieces = () if refusals else pieces_of(record, trees, mounted=mounted)
    refusals += mount_refusals(machine, pieces)
    if refusals:
        return Refused(in_order(refusals))
    running = machine.root_disk
    return Start(
        record=record,
        found=found,
        pieces=pieces,
        layout=running.table if running else None,
        since=_since(record, boots),
        touched=since(record, now=now),
        mounted=mounted,
    )


def plan_restore(
    machine: Machine,
    start: Start,
    request: RestoreRequest,
    *,
    readings: Mapping[str, Reading],
    findings: Sequence[Finding],
    compared: Mapping[Piece, Comparison],
    free: Mapping[str, Free],
    mapped: Mapped | None = None,
    notes: Sequence[str] = (),
    now: float,
) -> RestorePlan | Refused:
    """Given what both sides hold, return the plan, or all refusals.

    `compared` has every piece that could be read and is not empty; `free` is by mount point;
    `mapped` is the mapping of owners used for the comparison; `notes` are further sentences.
    """
    whose = mapped or Mapped(owners=Owners())
    coming = {number for each in compared.values() for number in each.owners}
    places = {piece.mount_point for piece in start.pieces}
    room = _room(compared, free)
    refusals = [*_unread(start, readings, compared), *_room_refusals(room)]
    if refusals:
        return Refused(in_order(refusals))
    newest = sorted((one for each in compared.values() for one in each.newest), reverse=True)
    there = tuple(path for each in compared.values() for path in each.future_there)
    here = tuple(path for each in compared.values() for path in each.future_here)
    return RestorePlan(
        host=machine.host,
        mirror=start.record.name,
        origin=start.found.origin,
        pieces=tuple(compared),
        reads=tuple(
            Read(mount_point=place, reading=how)
            for place, how in readings.items()
            if place in places
        ),
        users=merged(told for each in compared.values() for told in each.users),
        room=room,
        since=start.since,
        touched=start.touched,
        planned=now,
        keep_replaced=request.keep_replaced,
        owners=whose.owners,
        newest=tuple(path for _, path in newest[:10]),
        future_there=there,
        future_here=here,
        findings=tuple(findings),
        notes=(
            *machine.damage,
            *start.found.notes,
            *_border_notes(compared),
            *_covered_notes(start.pieces),
            *_rights_notes(compared),
            *_clock_notes(there, here),
            *whose.notes_for(coming),
            *notes,
        ),
    )


def _since(record: MirrorRecord, boots: Sequence[float]) -> float:
    """Return from when on a change here was made by the running system, and not by a run."""
    if record.state is MirrorState.COMPLETE or not boots:
        return record.last_complete
    return min(boots)


def _not_a_mirror() -> Refusal:
    return Refusal(
        code=ExitCode.REFUSED,
        reason=(
            "this machine does not run from its mirror: files are only brought back to a "
            "running mirror"
        ),
        hint="start the machine from its mirror first ('rescue disks' shows what it runs from)",
    )


def _running_refusals(machine: Machine, record: MirrorRecord, *, now: float) -> list[Refusal]:
    refusals = []
    if _uuid_at(machine, "/") != record.root.mirror_uuid.lower():
        refusals.append(
            Refusal(
                code=ExitCode.REFUSED,
                reason=(
                    f"the running root file system is not the mirror '{record.name}' named in "
                    "its record"
                ),
                hint=f"was /{OWN_FOLDER} copied here from another disk? look with 'rescue disks'",
            )
        )
    if now < record.last_complete:
        refusals.append(
            Refusal(
                code=ExitCode.REFUSED,
                reason="this machine's clock is wrong: it shows a time before the mirror's last "
                "complete run, so it cannot tell which files are newer",
                hint="set the clock (timedatectl set-time) and run again",
            )
        )
    return refusals


def mount_refusals(machine: Machine, pieces: Sequence[Piece]) -> list[Refusal]:
    """Refuse where a file system is not mounted that files would return to."""
    wanted = {piece.mount_point: piece.mirror_uuid.lower() for piece in pieces}
    return [
        Refusal(
            code=ExitCode.REFUSED,
            reason=f"{place} is not mounted from the mirror: files would end up below it, on the "
            "wrong file system",
            hint=f"mount it ('mount {place}') and run again",
        )
        for place, uuid in wanted.items()
        if _uuid_at(machine, place) != uuid
    ]


def _uuid_at(machine: Machine, target: str) -> str:
    mount = machine.mount_at(target)
    held = machine.holder_of(mount.device) if mount else None
    content = held[1].content if held else None
    return content.uuid.lower() if isinstance(content, FileSystem) else ""


def _unread(
    start: Start, readings: Mapping[str, Reading], compared: Mapping[Piece, Comparison]
) -> list[Refusal]:
    refusals = []
    for tree in dict.fromkeys(piece.tree for piece in start.pieces):
        pieces = [piece for piece in start.pieces if piece.tree == tree]
        # A user who mounts something over their own home does not stop anybody else's restore.
        if any(piece in compared or (piece.user and piece.is_covered) for piece in pieces):
            continue
        if any(piece.is_covered for piece in pieces):
            reason = f"{tree} is hidden here: something else is mounted on it, or above it"
        elif any(piece.mount_point in readings for piece in pieces):
            reason = f"there is no {tree} on {start.found.origin.path}"
        else:
            reason = f"the file system of {tree} on {start.found.origin.path} cannot be read"
        refusals.append(
            Refusal(
                code=ExitCode.REFUSED,
                reason=reason,
                hint=(
                    "see the findings above; make an image of a dying disk first: 'rescue salvage'"
                ),
            )
        )
    return refusals


def _room(compared: Mapping[Piece, Comparison], free: Mapping[str, Free]) -> tuple[Room, ...]:
    rooms = []
    for place in sorted({piece.mount_point for piece in compared}):
        here = [each for piece, each in compared.items() if piece.mount_point == place]
        rooms.append(
            Room(
                mount_point=place,
                needed=sum(each.needed for each in here),
                free=free[place].size,
                inodes_needed=sum(each.inodes_needed for each in here),
                inodes_free=free[place].inodes,
            )
        )
    return tuple(rooms)


def _room_refusals(room: Sequence[Room]) -> list[Refusal]:
    refusals = []
    for one in room:
        lacks = one.needed + min(RESERVE, one.needed) - one.free
        few = one.inodes_needed - one.inodes_free if one.inodes_free >= 0 else 0
        if lacks > 0 or few > 0:
            what = f"{few} inodes" if lacks <= 0 else human_bytes(lacks)
            refusals.append(
                Refusal(
                    code=ExitCode.REFUSED,
                    reason=f"{one.mount_point} has too little room: {human_bytes(one.needed)} are "
                    f"needed, {human_bytes(one.free)} are free ({what} short); nothing was "
                    "written",
                    hint=f"make room on {one.mount_point}, or bring back single folders: --tree "
                    f"{HOMES}/USER",
                )
            )
    return refusals


def _border_notes(compared: Mapping[Piece, Comparison]) -> tuple[str, ...]:
    """Note what was not examined.

    The dead disk's file systems are mounted on their own, so only a btrfs subvolume is a border
    there.
    """
    borders = [path for each in compared.values() for path in each.borders]
    if not borders:
        return ()
    return (
        f"btrfs subvolumes of the dead disk are not brought back: {some_of(borders)}. Mount it "
        "read-only and copy them by hand",
    )


def _covered_notes(pieces: Sequence[Piece]) -> tuple[str, ...]:
    """Note what is skipped because the running system has something else mounted there."""
    places = [absolute(piece, path) for piece in pieces for path in piece.covered]
    if not places:
        return ()
    named = some_of(tuple(dict.fromkeys(places)))
    return (
        f"something else is mounted here at {named}: what the dead disk has there is skipped. To "
        "bring it back, unmount that and restore again",
    )


def _rights_notes(compared: Mapping[Piece, Comparison]) -> tuple[str, ...]:
    """Note which programs come back without their set-ID rights."""
    paths = [path for each in compared.values() for path in each.with_rights]
    if not paths:
        return ()
    return (
        f"{len(paths)} set-user-ID or set-group-ID files are brought back without that bit: "
        f"{some_of(paths)}. Set it again (chmod u+s) where you know that it is needed",
    )


def _clock_notes(there: Sequence[str], here: Sequence[str]) -> tuple[str, ...]:
    notes = []
    if there:
        notes.append(
            f"{len(there)} files on the dead disk have times in the future: its clock was wrong. "
            "They count as newer; what they replace here is set aside"
        )
    if here:
        notes.append(
            f"{len(here)} files here have times in the future: they count as newer, and are kept, "
            "though the ones on the dead disk may be more recent"
        )
    return tuple(notes)
