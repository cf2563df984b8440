"""The recovery page of one server: what to do on the night, with its own disks and names."""

from dataclasses import dataclass
from datetime import UTC, datetime
from string import Template

from rescue.model.mirror.record import DiskRef, MirrorRecord
from rescue.model.storage.disk import Disk
from rescue.model.storage.machine import Machine
from rescue.model.storage.place import number_of
from rescue.printable import as_html, printable
from rescue.template import template
from rescue.text.grub_env import menu_name
from rescue.units import human_bytes, to_bytes

TEXT_NAME = "recovery.txt"
HTML_NAME = "recovery.html"


@dataclass(frozen=True, kw_only=True)
class RecoveryPage:
    """Both forms of one page."""

    text: str
    html: str

    def recovery_files(self) -> dict[str, bytes]:
        """Return both as files by their names."""
        return {TEXT_NAME: self.text.encode(), HTML_NAME: self.html.encode()}


@dataclass(frozen=True, kw_only=True)
class _Facts:
    """The values for the templates: sentences, and two tables of plain cells."""

    words: dict[str, str]
    disks: tuple[tuple[str, ...], ...]
    layout: tuple[tuple[str, ...], ...]


def recovery_page(
    machine: Machine, record: MirrorRecord, *, others: tuple[MirrorRecord, ...] = ()
) -> RecoveryPage:
    """Given the machine as it is now and the record of the mirror, return its recovery page.

    `others` are this machine's other mirrors. A disk that is not attached is described from its
    record. The page carries the time of the record's last run, not of today: the same run gives
    the same page.
    """
    facts = _facts(machine, record, others)
    text = {name: printable(word) for name, word in facts.words.items()} | {
        "disks": "".join(_block(_printable(row)) for row in facts.disks),
        "layout": _columns(tuple(_printable(row) for row in facts.layout)),
    }
    html = {name: as_html(word) for name, word in facts.words.items()} | {
        "disks": "\n".join(_row(row) for row in facts.disks),
        "layout": "\n".join(_row(row[:4], row[4:]) for row in facts.layout),
    }
    return RecoveryPage(text=_filled(TEXT_NAME, text), html=_filled(HTML_NAME, html))


def _facts(machine: Machine, record: MirrorRecord, others: tuple[MirrorRecord, ...]) -> _Facts:
    source = _find(machine, record.source)
    ended = record.last_run.started + record.last_run.seconds if record.last_run else 0.0
    words = {
        "host": record.host,
        "name": record.name,
        "menu_name": menu_name(record),
        "generation": str(record.generation),
        "written": _time(max(ended, record.last_complete)),
        "complete": _time(record.last_complete),
        "machine_id": record.machine_id,
        "source_disk": _named(record.source),
        "source_size": human_bytes(source.size) if source else "see its label",
        "mirror_disk": _named(record.mirror),
        "boot": " and ".join(f"GRUB for {platform}" for platform in record.platforms),
    }
    mirrors = (record, *(each for each in others if each.name != record.name))
    rows = [("first disk", record.source), *((f"mirror {m.name}", m.mirror) for m in mirrors)]
    disks = tuple(_disk_row(role, ref, _find(machine, ref)) for role, ref in rows)
    return _Facts(words=words, disks=disks, layout=_layout(record, source))


def _disk_row(role: str, ref: DiskRef, disk: Disk | None) -> tuple[str, ...]:
    model = (disk.model or disk.transport) if disk else "not attached when this was written"
    size = human_bytes(disk.size) if disk else ""
    return role, _named(ref), model, size, ref.table_uuid


def _layout(record: MirrorRecord, source: Disk | None) -> tuple[tuple[str, ...], ...]:
    sizes = {}
    for part in source.partitions if source else ():
        length = to_bytes(part.length, logical_sector=source.logical_sector if source else 512)
        sizes[part.number] = human_bytes(length)
    rows: dict[int, tuple[str, str, str, str]] = {}
    for pair in record.filesystems:
        uuids = (pair.source_uuid, pair.mirror_uuid)
        rows[number_of(pair.place)] = (str(pair.kind), pair.mount_point, *uuids)
    for swap in record.swaps:
        rows[number_of(swap.place)] = ("swap", "", swap.source_uuid, swap.mirror_uuid)
    empty = ("-", "", "", "")
    return tuple(
        (str(number), sizes.get(number, ""), *rows.get(number, empty))
        for number in sorted({*sizes, *rows})
    )


def _find(machine: Machine, ref: DiskRef) -> Disk | None:
    same = (disk for disk in machine.disks if disk.id.same_disk(ref.id))
    return next(iter((*machine.with_table(ref.table_uuid), *same)), None)


def _named(ref: DiskRef) -> str:
    return ref.id.name or f"with partition table {ref.table_uuid}"


def _time(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M} UTC" if seconds else "never"


def _block(row: tuple[str, ...]) -> str:
    role, serial, model, size, table = row
    about = ", ".join(word for word in (model, size) if word)
    return f"  {role:<18} {serial}\n  {'':<18} {about}\n  {'':<18} table {table}\n"


def _columns(rows: tuple[tuple[str, ...], ...]) -> str:
    lines = []
    for number, size, holds, where, source, mirror in rows:
        lines.append(f"  {number:>3}  {size:>10}  {holds:<6} {where}".rstrip() + "\n")
        if source:
            lines.append(f"       first disk UUID={source}\n       mirror     UUID={mirror}\n")
    return "".join(lines)


def _printable(cells: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(map(printable, cells))


def _row(cells: tuple[str, ...], lines: tuple[str, ...] = ()) -> str:
    """Return a row of a table, with `lines` as one more cell where there are any."""
    shown = [as_html(cell) for cell in cells]
    shown += ["<br>".join(as_html(line) for line in lines if line)] if lines else []
    return "<tr>" + "".join(f"<td>{cell}</td>" for cell in shown) + "</tr>"


def _filled(name: str, words: dict[str, str]) -> str:
    return Template(template(name)).substitute(words)
