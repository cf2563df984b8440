"""Two files compared to their first difference; holes cost nothing."""

import os
from pathlib import Path

import pytest

from rescue.system.files.same_content import same_content

MIB = 1 << 20


@pytest.fixture(name="two")
def two_(tmp_path: Path) -> tuple[Path, Path]:
    return tmp_path / "one", tmp_path / "two"


@pytest.mark.parametrize("place", [0, MIB - 1, MIB, 3 * MIB - 1])
def test_one_byte_is_a_difference_wherever_it_is(two: tuple[Path, Path], place: int) -> None:
    data = bytearray(os.urandom(3 * MIB))
    two[0].write_bytes(data)
    two[1].write_bytes(data)
    assert same_content(*two)
    data[place] ^= 1
    two[1].write_bytes(data)
    assert not same_content(*two)


def test_a_hole_is_as_good_as_zeros_and_is_not_read(two: tuple[Path, Path]) -> None:
    for path in two:
        with path.open("wb") as file:
            # Read in whole it would take hours.
            file.truncate(1 << 43)
            file.seek(5 * MIB)
            file.write(b"island")
    with two[1].open("r+b") as file:
        file.seek(9 * MIB)
        file.write(bytes(MIB))
    assert same_content(*two)
    with two[1].open("r+b") as file:
        file.seek((1 << 42) + 7)
        file.write(b"!")
    assert not same_content(*two)


def test_another_size_a_link_and_what_is_gone(two: tuple[Path, Path], tmp_path: Path) -> None:
    two[0].write_bytes(b"a")
    assert not same_content(*two)
    two[1].write_bytes(b"ab")
    assert not same_content(*two)
    link = tmp_path / "link"
    link.symlink_to(two[0])
    assert not same_content(two[0], link)
    with pytest.raises(OSError, match="link"):
        same_content(link, two[0])


def test_empty_files_are_the_same(two: tuple[Path, Path]) -> None:
    for path in two:
        path.write_bytes(b"")
    assert same_content(*two)
