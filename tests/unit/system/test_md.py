"""What mdadm prints of a member's superblock (tests/data/mdadm, by mdadm 4.2)."""

from pathlib import Path

import pytest

from rescue.errors import RescueError
from rescue.system.block.loop import Span
from rescue.system.block.md import parse_member

RECORDED = Path(__file__).parents[2] / "data/mdadm"
MIB = 1024 * 1024


def test_a_superblock_at_the_beginning_keeps_the_data_behind_it() -> None:
    text = (RECORDED / "raid1-1.2.txt").read_text()
    assert parse_member(text) == Span(start=MIB, length=63 * MIB)


def test_a_superblock_at_the_end_is_not_part_of_the_data() -> None:
    text = (RECORDED / "raid1-1.0.txt").read_text()
    assert parse_member(text) == Span(start=0, length=65528 * 1024)


@pytest.mark.parametrize("text", ["", "     Raid Level : raid1\n", "Array Size : 1 KiB\n"])
def test_without_a_size_or_a_level_nothing_is_guessed(text: str) -> None:
    with pytest.raises(RescueError):
        parse_member(text)


def test_a_member_of_another_level_holds_a_part_alone() -> None:
    with pytest.raises(RescueError, match="level raid5"):
        parse_member((RECORDED / "raid5-1.2.txt").read_text())
