"""A disk as a picture: its partitions side by side, to scale."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

from rescue.model.storage.disk import Disk, Partition, PartitionKind, UseKind
from rescue.model.storage.graph import Graph
from rescue.ui.layers import describe, whole_content
from rescue.units import Sectors, human_bytes, to_bytes

LEAST = 2
"""The narrowest partition, in characters: its number is read even so."""

_GAP_SHARE = 0.01


@dataclass(frozen=True, kw_only=True)
class Shape:
    """The characters of a picture: left end, line, joint, right end of its edges, and walls."""

    top: tuple[str, str, str, str]
    bottom: tuple[str, str, str, str]
    wall: str


LINES = Shape(top=("┌", "─", "┬", "┐"), bottom=("└", "─", "┴", "┘"), wall="│")
LETTERS = Shape(top=("+", "-", "+", "+"), bottom=("+", "-", "+", "+"), wall="|")


@dataclass(frozen=True, kw_only=True)
class Cell:
    """A part of the disk in the picture: its length in sectors, and two lines of text.

    Of each line there are several wordings, the longest first: the first that fits is taken.
    """

    length: int
    above: tuple[str, ...]
    below: tuple[str, ...] = ()
    style: str = ""


class Picture:
    """One disk, as wide as the available space."""

    def __init__(self, disk: Disk, graph: Graph) -> None:
        """Nothing is drawn yet. The graph tells what lies in the disk's layers."""
        self._cells = cells(disk, graph)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Draw it, in plain ASCII if the terminal has no line characters."""
        shape = LETTERS if options.ascii_only else LINES
        yield from draw(self._cells, width=options.max_width, shape=shape)


def cells(disk: Disk, graph: Graph) -> tuple[Cell, ...]:
    """Return the parts of a disk in the order they lie in; gaps that are worth it are free."""
    if disk.table is None or describe(disk.content):
        whole = whole_content(graph, disk.path, disk.content)
        size = human_bytes(disk.size)
        return (Cell(length=disk.sectors, above=(whole or "empty",), below=(size,)),)
    found: list[Cell] = []
    reached = 0
    # The extended partition surrounds its logical ones: those are drawn, it is not.
    inner = [part for part in disk.partitions if part.kind is not PartitionKind.EXTENDED]
    for part in sorted(inner, key=lambda each: each.start):
        found += _gap(disk, reached, part.start)
        found.append(_cell(part, disk, graph))
        reached = part.start + part.length
    return (*found, *_gap(disk, reached, disk.sectors))


def draw(parts: Sequence[Cell], *, width: int, shape: Shape) -> Iterator[Text]:
    """Yield the lines of the picture, each exactly `width` characters wide."""
    most = (width - 1) // (LEAST + 1)
    shown = list(parts)
    if len(shown) > most:
        rest = shown[most - 1 :]
        hidden = Cell(length=sum(each.length for each in rest), above=(f"+{len(rest)}", "+"))
        shown = [*shown[: most - 1], hidden]
    room = width - 1 - len(shown)
    wide = widths([each.length for each in shown], room=room, least=LEAST)
    yield _frame(shape.top, wide)
    for row in (0, 1):
        line = Text(shape.wall, no_wrap=True)
        for cell, size in zip(shown, wide, strict=True):
            texts = cell.above if row == 0 else cell.below
            text = next((each for each in texts if len(each) <= size), "")
            line.append(text.ljust(size), style=cell.style)
            line.append(shape.wall)
        yield line
    yield _frame(shape.bottom, wide)


def widths(lengths: Sequence[int], *, room: int, least: int) -> list[int]:
    """Share `room` characters out by length, `least` for each; they add up to `room`.

    Raises ValueError where there is no room for so many.
    """
    if room < least * len(lengths):
        raise ValueError(f"{len(lengths)} parts do not fit {room} characters")
    small: set[int] = set()
    while True:
        large = [index for index in range(len(lengths)) if index not in small]
        left, total = room - least * len(small), sum(lengths[index] for index in large)
        narrow = {index for index in large if lengths[index] * left < least * total}
        if not narrow:
            break
        small |= narrow
    shares = {index: lengths[index] * left // total if total else least for index in large}
    found = [shares.get(index, least) for index in range(len(lengths))]
    # What rounding leaves goes to the longest ones, one character each.
    order = sorted(range(len(lengths)), key=lambda index: lengths[index], reverse=True)
    for turn in range(room - sum(found)):
        found[order[turn % len(order)]] += 1
    return found


def _gap(disk: Disk, start: int, end: int) -> list[Cell]:
    length = end - start
    if length < disk.sectors * _GAP_SHARE:
        return []
    return [Cell(length=length, above=("free",), below=(_size(disk, length),), style="dim")]


def _cell(part: Partition, disk: Disk, graph: Graph) -> Cell:
    mounted = [use.where for use in part.uses if use.kind is UseKind.MOUNTED]
    held = whole_content(graph, part.path, part.content)
    whole = held or ("BIOS boot" if "bios_grub" in part.flags else "empty")
    kind = whole.partition(" ")[0]
    size = _size(disk, part.length)
    number = str(part.number)
    return Cell(
        length=part.length,
        above=(" ".join((number, *mounted[:1])), number),
        below=(f"{whole} {size}", f"{kind} {size}", kind, size),
        style="bold" if part.uses else "",
    )


def _size(disk: Disk, length: int) -> str:
    return human_bytes(to_bytes(Sectors(length), logical_sector=disk.logical_sector))


def _frame(edge: tuple[str, str, str, str], wide: Sequence[int]) -> Text:
    left, line, joint, right = edge
    text = left + joint.join(line * size for size in wide) + right
    return Text(text, no_wrap=True)
