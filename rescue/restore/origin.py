"""Recognition of the dead disk among the attached ones, by what the mirror recorded of it."""

from dataclasses import dataclass

from rescue.errors import ExitCode
from rescue.model.finding import Refusal, Refused
from rescue.model.mirror.record import MirrorRecord
from rescue.model.restore.way_back import Origin, OriginKind
from rescue.model.storage.disk import Disk, Partition
from rescue.model.storage.filesystem import FileSystem
from rescue.model.storage.machine import Machine
from rescue.plan.checks.recognise import is_a_source, is_disk
from rescue.plan.checks.target_checks import find_target
from rescue.units import to_bytes

_ATTACH = "attach it and look with 'rescue disks', or name it: --from DISK, PARTITION or IMAGE"


@dataclass(frozen=True, kw_only=True)
class Found:
    """The origin, and sentences on how sure it is that this is the one."""

    origin: Origin
    notes: tuple[str, ...] = ()


def find_origin(machine: Machine, record: MirrorRecord, named: str) -> Found | Refused:
    """Given a person's input ('' for nothing), return where the files come from.

    Without a name it is the disk with the recorded table and hardware identity, otherwise one
    with either of them, otherwise one with a recorded file system: an adapter may show an
    identity of its own. An image file is not searched for here: see `image_origin`.
    """
    if not named:
        return _by_record(machine, record)
    held = machine.holder_of(named)
    if held is not None:
        return _checked(machine, record, held[0], held[1])
    disk, refusals = find_target(machine, named)
    return Refused(refusals) if disk is None else _checked(machine, record, disk, None)


def image_origin(path: str, *, size: int, logical_sector: int) -> Found:
    """Return the origin for an image file; its sectors are those of the disk it was made from."""
    return Found(
        origin=Origin(
            kind=OriginKind.IMAGE, path=path, name=path, size=size, logical_sector=logical_sector
        )
    )


def _by_record(machine: Machine, record: MirrorRecord) -> Found | Refused:
    others = [disk for disk in machine.disks if not _is_ours(machine, record, disk)]
    shown = [d for d in others if any(d.id.same_disk(each.id) for each in record.sources)]
    table = [disk for disk in others if is_a_source(disk, record)]
    levels = (
        [disk for disk in shown if disk in table],
        [disk for disk in others if disk in shown or disk in table],
        [disk for disk in others if _filesystems(disk, record)],
    )
    for found in levels:
        if len(found) > 1:
            paths = ", ".join(disk.path for disk in found)
            return _alone(f"several disks look like the dead one: {paths}", _NAME)
        if found:
            by = "its partition table" if found[0] in table else "its file systems"
            by = "" if found[0] in shown else by
            return _checked(machine, record, found[0], None, by=by)
    wanted = record.source.id.name or f"table {record.source.table_uuid}"
    seen = ", ".join(f"{disk.path} ({disk.id.name or 'no serial'})" for disk in machine.disks)
    return _alone(f"the dead disk ({wanted}) is not attached; attached are {seen}", _ATTACH)


def _alone(reason: str, hint: str) -> Refused:
    return Refused((_refused(reason, hint),))


_NAME = "say which one you mean: --from DISK"


def _checked(
    machine: Machine, record: MirrorRecord, disk: Disk, part: Partition | None, *, by: str = ""
) -> Found | Refused:
    refusals = []
    if _is_ours(machine, record, disk):
        refusals.append(_refused(f"{disk.path} is the disk that this machine runs from", _ATTACH))
    refusals += [
        _refused(
            f"{disk.path}, the dead disk, is in use: {use.kind} {use.where}".rstrip(),
            f"umount {use.where}" if use.where.startswith("/") else "release it first",
        )
        for use in (part.uses if part else disk.all_uses)
    ]
    if refusals:
        return Refused(tuple(refusals))
    notes = []
    if by:
        notes.append(
            f"{disk.path} shows another identity ({disk.id.name or 'none'}) than recorded "
            f"({record.source.id.name or 'none'}); it was recognised by {by}"
        )
    return Found(origin=_origin(disk, part), notes=tuple(notes))


def _origin(disk: Disk, part: Partition | None) -> Origin:
    table = disk.table.uuid if disk.table else ""
    size = disk.size if part is None else to_bytes(part.length, logical_sector=disk.logical_sector)
    return Origin(
        kind=OriginKind.DISK if part is None else OriginKind.PARTITION,
        path=disk.path if part is None else part.path,
        name=disk.id.name or table or disk.path,
        size=size,
        logical_sector=disk.logical_sector,
        id=disk.id,
    )


def _is_ours(machine: Machine, record: MirrorRecord, disk: Disk) -> bool:
    """Whether the running system, or the mirror it should run from, is on the disk.

    The identity that the mirror once showed tells nothing: it may be a dock's, and another disk is
    in it now.
    """
    running = machine.root_disk
    return (running is not None and disk.path == running.path) or is_disk(disk, record.mirror)


def _filesystems(disk: Disk, record: MirrorRecord) -> bool:
    wanted = {pair.source_uuid.lower() for pair in record.filesystems}
    held = (part.content for part in disk.partitions)
    return any(isinstance(c, FileSystem) and c.uuid.lower() in wanted for c in held)


def _refused(reason: str, hint: str) -> Refusal:
    return Refusal(code=ExitCode.REFUSED, reason=reason, hint=hint)
