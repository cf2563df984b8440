"""The partition table and contents of a disk against what was planned and recorded."""

from collections.abc import Iterator

from rescue.model.finding import Finding, Severity
from rescue.model.mirror.record import MirrorRecord
from rescue.model.storage.disk import Disk, Partition
from rescue.model.storage.filesystem import FileSystem, SwapArea
from rescue.model.storage.place import in_words, node_of
from rescue.verify.chain import Link, broken, ok
from rescue.verify.owndisk import content_uuid


def check_table(disk: Disk, record: MirrorRecord) -> tuple[Finding, ...]:
    """Given the mirror's disk and its record, report what recorded data the disk lacks.

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
        name = f"{in_words(pair.place)} ({pair.mount_point})"
        found += _partition(node_of(pair.place, disk), name, pair.mirror_partuuid)
        found += _content(node_of(pair.place, disk), name, pair.kind.value, pair.mirror_uuid)
    for swap in record.swaps:
        name = f"{in_words(swap.place)} (swap)"
        found += _partition(node_of(swap.place, disk), name, "")
        found += _content(node_of(swap.place, disk), name, "swap", swap.mirror_uuid)
    if any(finding.severity is Severity.ERROR for finding in found):
        return tuple(found)
    return (ok(Link.TABLE, "table, partitions, file systems and swap are those of the record"),)


def _partition(part: Partition | None, name: str, partuuid: str) -> Iterator[Finding]:
    if part is None:
        yield broken(Link.TABLE, f"{name} is missing")
    elif partuuid and part.uuid.casefold() != partuuid.casefold():
        yield broken(Link.TABLE, f"{name} has PARTUUID {part.uuid}, recorded is {partuuid}")


def _content(part: Partition | None, name: str, kind: str, uuid: str) -> Iterator[Finding]:
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
