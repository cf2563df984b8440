"""What is left of a dead disk's partition table, and where its file systems can lie."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from rescue.model.disk import Partition, PartitionKind, PartitionTable, TableKind
from rescue.model.finding import Finding, Severity
from rescue.model.record import FilesystemPair
from rescue.model.restore import Origin, OriginKind, TableState
from rescue.system.blockinfo import probe
from rescue.system.loop import Span
from rescue.system.run import CommandError, run
from rescue.system.tables import read_table

LINK = "table"
HEAD_SECTORS = 34
"""Sectors of a GPT with 128 entries at the disk's beginning, the MBR among them."""


@dataclass(frozen=True, kw_only=True)
class DeadTable:
    """The table as far as it can be read, what is the matter with it, and whose layout is used."""

    state: TableState
    table: PartitionTable | None = None
    finding: Finding


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A place where a file system may lie. `expected` is true where the record or the table says
    so by number; the others are tried for their UUID alone.
    """

    span: Span
    words: str
    expected: bool


def signatures_argv(path: str) -> list[str]:
    """Return the command that lists signatures with their places, and erases none."""
    return ["wipefs", "--no-act", "--json", path]


def read_dead_table(origin: Origin) -> DeadTable:
    """Look at the table of a disk or image, and say in a sentence what was found."""
    if origin.kind is OriginKind.PARTITION or _is_filesystem(origin):
        return DeadTable(
            state=TableState.NONE_NEEDED,
            finding=_note(Severity.OK, f"{origin.path} is one file system, without a table"),
        )
    try:
        head = _head(origin)
    except OSError as error:
        text = f"the first sectors of {origin.path} cannot be read ({error.strerror})"
        hint = "image the disk first: 'rescue salvage'"
        return _lost(TableState.UNREADABLE, f"{text}; {hint}")
    try:
        table = read_table(origin.path)
    except CommandError:
        return _what_is_left(origin, head)
    if table.kind is TableKind.GPT and origin.logical_sector not in _gpt_places(origin.path):
        text = "the first GPT header is damaged; the table was read by the second, at the end"
        return DeadTable(state=TableState.PRESENT, table=table, finding=_note(Severity.NOTE, text))
    words = f"the {table.kind.name} table {table.uuid} is there: {len(table.partitions)} partitions"
    return DeadTable(state=TableState.PRESENT, table=table, finding=_note(Severity.OK, words))


def candidates(
    origin: Origin, dead: DeadTable, layout: PartitionTable | None, pair: FilesystemPair
) -> Iterator[Candidate]:
    """Yield the places where a recorded file system may lie, the likeliest first.

    `layout` is the running mirror's own table: `prepare` made it the same to the sector.
    """
    if dead.state is TableState.NONE_NEEDED:
        yield Candidate(span=Span(), words=origin.path, expected=True)
        return
    sector = origin.logical_sector
    seen = set()
    for part, words, expected in _parts(dead, layout, pair):
        span = Span(start=part.start * sector, length=part.length * sector)
        if span not in seen and span.start + span.length <= origin.size:
            seen.add(span)
            yield Candidate(span=span, words=words, expected=expected)


def _parts(
    dead: DeadTable, layout: PartitionTable | None, pair: FilesystemPair
) -> Iterator[tuple[Partition, str, bool]]:
    own = [p for p in _partitions(dead.table) if p.kind is not PartitionKind.EXTENDED]
    for part in own:
        if part.number == pair.partition:
            yield part, f"partition {part.number}", True
    for part in _partitions(layout):
        if part.number == pair.partition:
            yield part, f"partition {part.number} by the layout recorded on the mirror", True
    for part in own:
        if part.number != pair.partition:
            yield part, f"partition {part.number}", False


def _partitions(table: PartitionTable | None) -> tuple[Partition, ...]:
    return table.partitions if table else ()


def _is_filesystem(origin: Origin) -> bool:
    seen = probe(origin.path)
    return seen is not None and seen.usage == "filesystem" and not seen.table_kind


def _head(origin: Origin) -> bytes:
    with Path(origin.path).open("rb") as stream:
        return stream.read(HEAD_SECTORS * origin.logical_sector)


def _gpt_places(path: str) -> set[int]:
    """Return where GPT headers are, in bytes from the beginning."""
    text = run(signatures_argv(path), ok=(0, 1)).stdout.strip()
    rows = json.loads(text)["signatures"] if text else []
    return {int(row["offset"], 0) for row in rows if row["type"] == "gpt"}


def _what_is_left(origin: Origin, head: bytes) -> DeadTable:
    layout = "the layout recorded on the mirror tells where its partitions were"
    if _gpt_places(origin.path):
        return _lost(
            TableState.SECOND,
            f"the partition table at the beginning is gone, the GPT's second header at the end is "
            f"there; {layout}. To bring the table back, on a copy of the disk: gdisk, 'r', 'b'",
        )
    if not head.strip(b"\0"):
        return _lost(
            TableState.ZEROED, f"the partition table is gone: the beginning is zeros; {layout}"
        )
    return _lost(
        TableState.GONE, f"no partition table can be read: the beginning was overwritten; {layout}"
    )


def _lost(state: TableState, text: str) -> DeadTable:
    return DeadTable(state=state, finding=_note(Severity.NOTE, text))


def _note(severity: Severity, text: str) -> Finding:
    return Finding(severity=severity, link=LINK, message=text)


def same_as_recorded(dead: DeadTable, table_uuid: str) -> DeadTable:
    """Return the same with a remark where the table is not the one that was recorded."""
    if dead.table is None or dead.table.uuid == table_uuid:
        return dead
    text = f"{dead.finding.message}; it is not the recorded one ({table_uuid})"
    return replace(dead, finding=_note(Severity.NOTE, text))
