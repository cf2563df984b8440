"""A disk as a picture: to scale, and as wide as it was asked for."""

import io
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from rescue.model.storage.device import DeviceKind
from rescue.model.storage.disk import Disk, PartitionTable, TableKind
from rescue.model.storage.graph import Graph, graph_of
from rescue.model.storage.layer import Container
from rescue.ui.picture import LEAST, LETTERS, Cell, Picture, cells, draw, widths
from rescue.ui.terminal import console as terminal_console
from tests.builders import bare_disk, disk_with, ext4, part, server, volume


def picture(disk: Disk, width: int = 80) -> list[str]:
    out = io.StringIO()
    Console(file=out, width=width, color_system=None).print(Picture(disk, Graph(())))
    return out.getvalue().splitlines()


def test_a_server_s_disk() -> None:
    assert picture(server().disks[0]) == [
        "┌──┬──┬────┬───────────────────────────────────┬────────────┬─────┬────────────┐",
        "│1 │2 │3   │4 /                                │5 /home     │6    │free        │",
        "│  │  │ext4│ext4 3.0 GiB                       │ext4 1.0 GiB│swap │1.0 GiB     │",
        "└──┴──┴────┴───────────────────────────────────┴────────────┴─────┴────────────┘",
    ]


def test_logical_partitions_are_drawn_and_the_extended_one_around_them_is_not() -> None:
    titles = [cell.above[0] for cell in cells(server(TableKind.MBR).disks[0], Graph(()))]
    assert titles == ["1 /boot", "5 /", "6 /home", "7", "free"]


def test_a_disk_without_a_table() -> None:
    assert picture(bare_disk(), 20) == [
        "┌──────────────────┐",
        "│empty             │",
        "│6.0 GiB           │",
        "└──────────────────┘",
    ]


def test_a_console_that_draws_no_lines_gets_letters(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "vt220")
    monkeypatch.setenv("COLUMNS", "20")
    console = terminal_console()
    with console.capture() as captured:
        console.print(Picture(bare_disk(), Graph(())))
    assert captured.get().splitlines()[0] == "+------------------+"
    assert captured.get().isascii()


def test_partitions_lie_where_they_lie_and_gaps_are_free() -> None:
    table = PartitionTable(
        kind=TableKind.GPT, uuid="t", partitions=(part(2, 4096, 1000), part(1, 1, 1024))
    )
    shown = cells(disk_with(table), Graph(()))
    assert [cell.above[0] for cell in shown] == ["1", "free", "2", "free"]
    assert sum(cell.length for cell in shown) == pytest.approx(disk_with(table).sectors, rel=0.01)


def test_more_partitions_than_letters_end_in_a_number() -> None:
    parts = tuple(part(number, number * 10, 10) for number in range(1, 101))
    table = PartitionTable(kind=TableKind.GPT, uuid="t", partitions=parts)
    lines = picture(disk_with(table), 40)
    assert {len(line) for line in lines} == {40}
    assert "+" in lines[1].rsplit("│", 2)[1]


@given(
    lengths=st.lists(st.integers(min_value=1, max_value=2**40), min_size=1, max_size=20),
    spare=st.integers(min_value=0, max_value=200),
)
def test_widths_fill_the_room_and_keep_the_order_of_lengths(lengths: list[int], spare: int) -> None:
    room = LEAST * len(lengths) + spare
    found = widths(lengths, room=room, least=LEAST)
    assert sum(found) == room
    assert min(found) >= LEAST
    for one, wide in zip(lengths, found, strict=True):
        for other, narrow in zip(lengths, found, strict=True):
            # A longer partition is never drawn narrower; rounding gives one character at most.
            assert not (one > other and wide < narrow - 1)


def test_what_does_not_fit_raises() -> None:
    with pytest.raises(ValueError, match="do not fit"):
        widths([1, 1, 1], room=5, least=2)


@given(
    lengths=st.lists(st.integers(min_value=1, max_value=2**30), min_size=1, max_size=60),
    width=st.integers(min_value=20, max_value=200),
)
def test_every_line_is_exactly_as_wide_as_asked(lengths: list[int], width: int) -> None:
    parts = [Cell(length=each, above=(f"{n} /srv", f"{n}")) for n, each in enumerate(lengths)]
    lines = [text.plain for text in draw(parts, width=width, shape=LETTERS)]
    assert [len(line) for line in lines] == [width] * 4


def test_a_mount_point_that_does_not_fit_is_not_cut_in_the_middle() -> None:
    long = replace(server().disks[0])
    assert "/b" not in picture(long, 60)[1].replace("/boot", "")


def test_what_lies_in_layers_is_drawn_with_them() -> None:
    disk = replace(bare_disk(), content=Container(kind="crypto_LUKS", uuid="c"))
    open_ = volume("/dev/mapper/vault", disk.path, kind=DeviceKind.CRYPT)
    (cell,) = cells(disk, graph_of([disk], [replace(open_, content=ext4(1, "inner"))]))
    assert cell.above == ("crypto_LUKS (ext4 'inner')",)
