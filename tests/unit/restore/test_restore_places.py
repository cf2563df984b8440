"""Where a recorded file system can lie on a dead disk, and how the command line is refused."""

from dataclasses import replace

import pytest
from click.testing import CliRunner

from rescue.cli.main import cli
from rescue.model.finding import Finding, Severity
from rescue.model.mirror.record import FilesystemPair
from rescue.model.restore.way_back import Origin, OriginKind, TableState
from rescue.model.storage.disk import PartitionTable, TableKind
from rescue.model.storage.place import OnPartition
from rescue.restore.dead_table import Candidate, DeadTable, candidates
from tests.builders import GPT_PARTS, MBR_PARTS, MIB_SECTORS, SIZE, enrolled

DISK = Origin(kind=OriginKind.DISK, path="/dev/vda", name="SRC0001", size=SIZE)
GPT = PartitionTable(kind=TableKind.GPT, uuid="gpt", partitions=GPT_PARTS)
MBR = PartitionTable(kind=TableKind.MBR, uuid="mbr", partitions=MBR_PARTS)
MIB = MIB_SECTORS * 512


def dead(table: PartitionTable | None, state: TableState = TableState.ZEROED) -> DeadTable:
    finding = Finding(severity=Severity.NOTE, link="table", message="")
    return DeadTable(sector=512, state=state, table=table, finding=finding)


def home(kind: TableKind = TableKind.GPT) -> FilesystemPair:
    pairs = enrolled(kind).record.filesystems
    return next(pair for pair in pairs if pair.mount_point == "/home")


def places(
    table: PartitionTable | None,
    layout: PartitionTable | None,
    pair: FilesystemPair | None = None,
    origin: Origin = DISK,
) -> list[Candidate]:
    counted = replace(dead(table), sector=origin.logical_sector)
    return list(candidates(origin, counted, layout, pair or home()))


def test_with_its_own_table_the_partition_of_the_number_comes_first() -> None:
    found = places(GPT, GPT)
    assert found[0].span.start == 3584 * MIB
    assert found[0].expected
    assert [each.expected for each in found].count(True) == 1
    assert len(found) == 6, "the others are tried for their UUID: numbers may have changed"


@pytest.mark.parametrize(
    ("layout", "kind", "start"),
    [(GPT, TableKind.GPT, 3584), (MBR, TableKind.MBR, 3459)],
)
def test_without_a_table_the_layout_of_the_mirror_tells(
    layout: PartitionTable, kind: TableKind, start: int
) -> None:
    (only,) = places(None, layout, home(kind))
    assert (only.span.start, only.span.length) == (start * MIB, 1024 * MIB)
    assert "recorded on the mirror" in only.words


def test_another_table_and_the_layout_are_both_tried() -> None:
    found = places(MBR, GPT, replace(home(), place=OnPartition(number=5)))
    assert [each.expected for each in found[:2]] == [True, True]
    assert found[0].span != found[1].span
    assert all("extended" not in each.words for each in found)


def test_an_image_that_was_cut_short_has_no_place_behind_its_end() -> None:
    assert places(None, GPT, origin=replace(DISK, size=1024 * MIB)) == []


def test_behind_an_adapter_with_other_sectors_the_layout_is_tried_in_both() -> None:
    """The disk shows 4096 bytes, and was written in sectors of 512; its table is gone."""
    bridged = replace(DISK, logical_sector=4096)
    found = {each.span.start: each for each in places(None, GPT, origin=bridged)}
    at = found[3584 * MIB]
    assert not at.expected, "by its UUID alone"
    assert "counted in sectors of 512 bytes" in at.words


def test_sectors_of_4096_bytes_are_counted_as_such() -> None:
    large = replace(DISK, logical_sector=4096, size=8 * SIZE)
    assert places(None, GPT, origin=large)[0].span.start == 8 * 3584 * MIB


def test_one_file_system_is_its_own_place() -> None:
    (only,) = candidates(DISK, dead(None, TableState.NONE_NEEDED), GPT, home())
    assert (only.span.start, only.span.length, only.expected) == (0, 0, True)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["restore", "--yes"], "--expect-serial"),
        (["salvage", "/dev/vda"], "--to"),
    ],
)
def test_a_command_line_that_cannot_be_meant_is_a_usage_error(
    arguments: list[str], words: str
) -> None:
    done = CliRunner().invoke(cli, arguments)
    assert done.exit_code == 2
    assert words in done.output
