"""Whether a disk's partition table and contents are what was planned and recorded."""

from collections.abc import Iterator

from rescue.model.disk import Disk, Partition, PartitionTable
from rescue.model.filesystem import FileSystem, SwapArea
from rescue.model.finding import Finding, Severity
from rescue.model.record import MirrorRecord
from rescue.verify.chain import Link, broken, ok
from rescue.verify.owndisk import content_uuid

_COMPARED = ("start", "length", "kind", "type", "uuid", "name", "attrs", "bootable", "flags")


def compare_tables(planned: PartitionTable, seen: PartitionTable | None) -> tuple[Finding, ...]:
    """Given the table that was planned and the one now on the disk, say all that differs."""
    if seen is None:
        return (broken(Link.TABLE, "the disk has no partition table"),)
    found: list[Finding] = []
    if seen.kind is not planned.kind:
        found.append(broken(Link.TABLE, f"the table is {seen.kind}, planned was {planned.kind}"))
    if seen.uuid.casefold() != planned.uuid.casefold():
        found.append(broken(Link.TABLE, f"the table's id is {seen.uuid}, not {planned.uuid}"))
    now = {part.number: part for part in seen.partitions}
    for part in planned.partitions:
        if part.number not in now:
            found.append(broken(Link.TABLE, f"partition {part.number} is missing"))
        else:
            found += _differences(part, now.pop(part.number))
    found += [broken(Link.TABLE, f"partition {number} was not planned") for number in sorted(now)]
    return tuple(found) or (
        ok(Link.TABLE, f"{len(planned.partitions)} partitions, each as it was planned"),
    )


def _differences(planned: Partition, seen: Partition) -> Iterator[Finding]:
    for field in _COMPARED:
        was, now = getattr(planned, field), getattr(seen, field)
        if was != now:
            message = f"partition {planned.number}: {field} is {now!r}, planned was {was!r}"
            yield broken(Link.TABLE, message)


def check_table(disk: Disk, record: MirrorRecord) -> tuple[Finding, ...]:
    """Given the mirror's disk and its record, say what of the record is not on the disk.

    Looked at are the table's id, each partition's PARTUUID, and the UUID and kind of each file
    system and swap area.
    """
    if disk.table is None:
        return (broken(Link.TABLE, "the disk has no partition table"),)
    found: list[Finding] = []
    if disk.table.uuid.casefold() != record.mirror.table_uuid.casefold():
        message = f"the table's id is {disk.table.uuid}, recorded is {record.mirror.table_uuid}"
        found.append(broken(Link.TABLE, message))
    for pair in record.filesystems:
        name = f"partition {pair.partition} ({pair.mount_point})"
        found += _partition(disk, pair.partition, name, pair.mirror_partuuid)
        found += _content(disk, pair.partition, name, pair.kind.value, pair.mirror_uuid)
    for swap in record.swaps:
        name = f"partition {swap.partition} (swap)"
        found += _partition(disk, swap.partition, name, "")
        found += _content(disk, swap.partition, name, "swap", swap.mirror_uuid)
    if any(finding.severity is Severity.ERROR for finding in found):
        return tuple(found)
    return (ok(Link.TABLE, "table, partitions, file systems and swap are those of the record"),)


def _at(disk: Disk, number: int) -> Partition | None:
    return next((part for part in disk.partitions if part.number == number), None)


def _partition(disk: Disk, number: int, name: str, partuuid: str) -> Iterator[Finding]:
    part = _at(disk, number)
    if part is None:
        yield broken(Link.TABLE, f"{name} is missing")
    elif partuuid and part.uuid.casefold() != partuuid.casefold():
        yield broken(Link.TABLE, f"{name} has PARTUUID {part.uuid}, recorded is {partuuid}")


def _content(disk: Disk, number: int, name: str, kind: str, uuid: str) -> Iterator[Finding]:
    part = _at(disk, number)
    if part is None:
        return
    match part.content:
        case FileSystem(kind=seen):
            seen_kind = seen.value
        case SwapArea():
            seen_kind = "swap"
        case _:
            seen_kind = getattr(part.content, "kind", "nothing")
    if seen_kind != kind:
        yield broken(Link.TABLE, f"{name} holds {seen_kind}, recorded is {kind}")
    elif content_uuid(part).casefold() != uuid.casefold():
        yield broken(Link.TABLE, f"{name} has UUID {content_uuid(part)}, recorded is {uuid}")
