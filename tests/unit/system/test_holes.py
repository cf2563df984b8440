"""Copies of files with holes."""

import os
from pathlib import Path

import pytest

from rescue.system.files.holes import copy_with_holes, holes_of, same_but_content
from rescue.system.files.same_content import same_content

MIB = 1 << 20


def sparse(path: Path, islands: dict[int, bytes], size: int) -> None:
    with path.open("wb") as file:
        file.truncate(size)
        for place, data in islands.items():
            file.seek(place)
            file.write(data)


@pytest.mark.parametrize(
    "islands",
    [
        {},
        {0: b"at the beginning"},
        {50 * MIB: b"x" * (3 * MIB + 5)},
        {0: b"1", 10 * MIB: b"2", 100 * MIB - 1: b"3"},
    ],
    ids=["holes alone", "beginning", "middle", "islands to the end"],
)
def test_a_copy_is_the_same_and_takes_no_more(tmp_path: Path, islands: dict[int, bytes]) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    sparse(one, islands, 100 * MIB)
    one.chmod(0o2640)
    os.utime(one, ns=(5, 1_000_000_000_123_456_789))
    two.write_bytes(b"old")
    assert not same_but_content(one, two)
    assert copy_with_holes(one, two) <= 8 * MIB
    assert same_content(one, two)
    assert same_but_content(one, two)
    assert holes_of(two.stat()) > 80 * MIB
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one", "two"]


def test_what_is_written_meanwhile_has_another_time_by_the_next_look(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    sparse(one, {0: b"x" * 2 * MIB}, 10 * MIB)

    def write(_: float) -> None:
        with one.open("r+b") as file:
            file.write(b"y")
        os.utime(one, ns=(1, 2 * 10**18))

    copy_with_holes(one, two, kib_per_second=1, pause=write)
    assert not same_but_content(one, two)


def test_nothing_is_followed_or_left(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("/etc/passwd")
    os.mkfifo(tmp_path / "fifo")
    for name in ("link", "fifo", "missing"):
        with pytest.raises(OSError, match=r"Errno"):
            copy_with_holes(tmp_path / name, tmp_path / "copy")
    (tmp_path / "folder").mkdir()
    sparse(tmp_path / "one", {0: b"1"}, MIB)
    with pytest.raises(IsADirectoryError):
        copy_with_holes(tmp_path / "one", tmp_path / "folder")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["fifo", "folder", "link", "one"]


def test_no_more_is_read_in_a_second_than_allowed(tmp_path: Path) -> None:
    sparse(tmp_path / "one", {0: b"x" * 3 * MIB}, 10 * MIB)
    pauses: list[float] = []
    copied = copy_with_holes(
        tmp_path / "one", tmp_path / "two", kib_per_second=1024, pause=pauses.append
    )
    assert sum(pauses) == pytest.approx(copied / MIB)
