"""A dead disk's partition table: what is left of it, and where its file systems may lie."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from rescue.errors import RescueError
from rescue.model.finding import Finding, Severity
from rescue.model.mirror.record import FilesystemPair
from rescue.model.restore.way_back import Origin, OriginKind, TableState
from rescue.model.storage.disk import Partition, PartitionKind, PartitionTable, TableKind
from rescue.model.storage.place import place_of
from rescue.system.block.blockinfo import probe
from rescue.system.block.loop import Span, locked, sector_size
from rescue.system.block.read_table import read_table
from rescue.system.process.answer import rows_of, text_of, understood
from rescue.system.process.run import run

LINK = "table"
SECTORS = (512, 4096)
"""Bytes: the logical sectors that disks have."""

FILE_SECTOR = 512
HEAD_SECTORS = 34
"""Sectors of a GPT with 128 entries at the disk's beginning, the MBR among them."""


@dataclass(frozen=True, kw_only=True)
class DeadTable:
    """The table as far as it can be read, what is the matter with it, and whose layout is used.

    `sector` is the size in bytes of what it counts in: an adapter may show another one.
    """

    state: TableState
    table: PartitionTable | None = None
    finding: Finding
    sector: int


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
    """Look at the table of a disk or image, and say in a sentence what was found.

    Raises RescueError where a tool does not answer as its manual says.
    """
    if origin.kind is OriginKind.PARTITION or _is_filesystem(origin):
        return DeadTable(
            state=TableState.NONE_NEEDED,
            sector=origin.logical_sector,
            finding=_note(Severity.OK, f"{origin.path} is one file system, without a table"),
        )
    try:
        head = _head(origin)
    except OSError as error:
        text = f"the first sectors of {origin.path} cannot be read ({error.strerror})"
        hint = "image the disk first: 'rescue salvage'"
        return _lost(origin, TableState.UNREADABLE, f"{text}; {hint}")
    shown = _shown_sector(origin)
    try:
        table: PartitionTable | None = read_table(origin.path)
    except RescueError:
        table = None
    if table is None or _is_protective(table):
        return _by_other_sectors(origin, shown) or _what_is_left(origin, head)
    if table.kind is TableKind.GPT and shown not in _gpt_places(origin.path):
        text = "the first GPT header is damaged; the table was read from the second one, at the end"
        return _present(table, shown, Severity.NOTE, text)
    return _present(table, shown, Severity.OK, _words(table))


def table_behind(path: str, *, shown: int) -> PartitionTable | None:
    """Return the GPT of a disk whose adapter shows a sector size other than its own.

    `shown` is the adapter's sector size in bytes. None where there is no such table, or the
    disk cannot be read.
    """
    for sector in SECTORS:
        if sector != shown and (table := _read_with(path, sector)) is not None:
            return table
    return None


def _shown_sector(origin: Origin) -> int:
    """Return in what the tools count that read a table by this path: 512 bytes in a file."""
    if origin.kind is not OriginKind.IMAGE:
        return origin.logical_sector
    return sector_size(origin.path) if Path(origin.path).is_block_device() else FILE_SECTOR


def _read_with(path: str, sector: int) -> PartitionTable | None:
    """Read a GPT through a locked loop device that shows sectors of that size."""
    try:
        with locked(path, sector=sector) as device:
            table = read_table(device)
    except (OSError, RescueError):
        return None
    return table if table.kind is TableKind.GPT else None


def _by_other_sectors(origin: Origin, shown: int) -> DeadTable | None:
    for sector in SECTORS:
        if sector == shown or (table := _read_with(origin.path, sector)) is None:
            continue
        text = (
            f"{_words(table)}; it counts in sectors of {sector} bytes, and the adapter shows "
            f"{shown}: its byte offsets are used"
        )
        return _present(table, sector, Severity.NOTE, text)
    return None


def _is_protective(table: PartitionTable) -> bool:
    """Whether an MBR only guards a GPT, which is elsewhere (UEFI 2.10, section 5.2.3)."""
    kinds = {part.type for part in table.partitions}
    return table.kind is TableKind.MBR and kinds == {"ee"}


def _words(table: PartitionTable) -> str:
    return f"the {table.kind.name} table {table.uuid} is there: {len(table.partitions)} partitions"


def _present(table: PartitionTable, sector: int, severity: Severity, text: str) -> DeadTable:
    return DeadTable(
        state=TableState.PRESENT, table=table, sector=sector, finding=_note(severity, text)
    )


def candidates(
    origin: Origin, dead: DeadTable, layout: PartitionTable | None, pair: FilesystemPair
) -> Iterator[Candidate]:
    """Yield the places where a recorded file system may lie, most likely first.

    `layout` is the running mirror's own table: `prepare` made it identical to the sector. Only
    a GPT states its sector size; otherwise other sizes are tried, too, by UUID alone.
    """
    if dead.state is TableState.NONE_NEEDED:
        yield Candidate(span=Span(), words=origin.path, expected=True)
        return
    seen = set()
    certain = dead.table is not None and dead.table.kind is TableKind.GPT
    others = () if certain else tuple(each for each in SECTORS if each != dead.sector)
    for sector in (dead.sector, *others):
        for part, words, expected in _parts(dead, layout, pair):
            span = Span(start=part.start * sector, length=part.length * sector)
            if span in seen or span.start + span.length > origin.size:
                continue
            seen.add(span)
            if sector == dead.sector:
                yield Candidate(span=span, words=words, expected=expected)
            else:
                counted = f"{words}, counted in sectors of {sector} bytes"
                yield Candidate(span=span, words=counted, expected=False)


def _parts(
    dead: DeadTable, layout: PartitionTable | None, pair: FilesystemPair
) -> Iterator[tuple[Partition, str, bool]]:
    own = [p for p in _partitions(dead.table) if p.kind is not PartitionKind.EXTENDED]
    for part in own:
        if place_of(part) == pair.place:
            yield part, f"partition {part.number}", True
    for part in _partitions(layout):
        if place_of(part) == pair.place:
            yield (
                part,
                f"partition {part.number} according to the layout recorded on the mirror",
                True,
            )
    for part in own:
        if place_of(part) != pair.place:
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
    """Return where GPT headers are, in bytes from the beginning. Raises RescueError."""
    return parse_gpt_places(run(signatures_argv(path), ok=(0, 1)).stdout)


def parse_gpt_places(text: str) -> set[int]:
    """Given `wipefs --json` output (nothing if nothing is found), return GPT header offsets.

    Raises RescueError where it is not a list of signatures.
    """
    if not text.strip():
        return set()
    with understood("wipefs did not answer with a list of signatures"):
        rows = rows_of(json.loads(text)["signatures"])
        return {int(text_of(row, "offset"), 0) for row in rows if row.get("type") == "gpt"}


def _what_is_left(origin: Origin, head: bytes) -> DeadTable:
    layout = "the layout recorded on the mirror says where its partitions were"
    if _gpt_places(origin.path):
        return _lost(
            origin,
            TableState.SECOND,
            "the partition table at the beginning is gone, but the second GPT header at the end "
            f"is there; {layout}. To recover the table, on a copy of the disk: gdisk, 'r', 'b'",
        )
    if not head.strip(b"\0"):
        return _lost(
            origin,
            TableState.ZEROED,
            f"the partition table is gone: the beginning is zeros; {layout}",
        )
    return _lost(
        origin,
        TableState.GONE,
        f"no partition table can be read: the beginning was overwritten; {layout}",
    )


def _lost(origin: Origin, state: TableState, text: str) -> DeadTable:
    finding = _note(Severity.NOTE, text)
    return DeadTable(state=state, sector=origin.logical_sector, finding=finding)


def _note(severity: Severity, text: str) -> Finding:
    return Finding(severity=severity, link=LINK, message=text)


def same_as_recorded(dead: DeadTable, table_uuid: str) -> DeadTable:
    """Return the same with a remark where the table is not the one that was recorded."""
    if dead.table is None or dead.table.uuid == table_uuid:
        return dead
    text = f"{dead.finding.message}; it is not the recorded one ({table_uuid})"
    return replace(dead, finding=_note(Severity.NOTE, text))
