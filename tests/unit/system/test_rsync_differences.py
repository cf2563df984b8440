"""The names in rsync's listing, and when they do not tell how to carry it out."""

import os
from pathlib import Path

import pytest

from rescue.model.mirror.differences import Differences
from rescue.model.mirror.unread import Seen
from rescue.system.rsync import differences
from rescue.system.rsync.differences import DifferencesFound, folders_of

NOTHING = Seen()


def found(
    root: Path,
    *lines: str,
    seen: Seen = NOTHING,
    links: dict[int, list[str]] | None = None,
) -> Differences | None:
    listing = DifferencesFound()
    for line in lines:
        listing.line(line)
    return listing.of(root, seen=seen, links=links or {}, files_total=7)


def test_names_are_taken_as_they_are_and_folders_without_their_slash(tmp_path: Path) -> None:
    said = found(
        tmp_path,
        ".d..t......|4096|./",
        "cd+++++++++|4096|new folder/",
        r">f+++++++++|3|new folder/a\#012b",
        ".L..t......|4|link",
        "*deleting  |0|gone/deep/1",
        "*deleting  |0|gone/deep/",
        "*deleting  |0|gone/",
        "Number of files: 7 (reg: 3)",
        "cannot delete non-empty directory: kept",
    )
    assert said is not None
    assert said.changed == (".", "link", "new folder", "new folder/a\nb")
    assert said.gone == ("gone",)
    assert said.files_total == 7


@pytest.mark.parametrize(
    "lines",
    [
        (">f+++++++++|3|thing", "*deleting  |0|thing/inside", "*deleting  |0|thing/"),
        ("cL+++++++++|3|thing", "*deleting  |0|thing/inside"),
        ("cd+++++++++|3|thing/", "*deleting  |0|thing"),
    ],
)
def test_one_thing_in_the_place_of_another_is_not_told_by_names(
    tmp_path: Path, lines: tuple[str, ...]
) -> None:
    assert found(tmp_path, *lines) is None


def test_a_file_that_went_from_a_folder_that_stays_is_told_by_names(tmp_path: Path) -> None:
    said = found(tmp_path, ".d..t......|4096|stays/", "*deleting  |0|stays/gone")
    assert said is not None
    assert (said.changed, said.gone) == (("stays",), ("stays/gone",))


def test_every_name_of_a_changed_file_comes_along(tmp_path: Path) -> None:
    (tmp_path / "one").write_text("1")
    os.link(tmp_path / "one", tmp_path / "two")
    inode = (tmp_path / "one").stat().st_ino
    line = ">f.st......|1|one"
    said = found(tmp_path, line, links={inode: ["/one", "/two"]})
    assert said is not None
    assert said.changed == ("one", "two")
    assert found(tmp_path, line, links={inode: ["/one"]}) is None
    assert found(tmp_path, line) is None


def test_what_is_gone_from_an_encrypted_folder_is_left_to_a_pass_of_its_own(tmp_path: Path) -> None:
    lines = ("*deleting  |0|home/anna/letter", "*deleting  |0|home/annabel")
    said = found(tmp_path, *lines, seen=Seen(encrypted=("/home/anna",)))
    assert said is not None
    assert said.gone == ("home/annabel",)
    whole = found(tmp_path, *lines, seen=Seen(encrypted=("/",)))
    assert whole is not None
    assert whole.gone == ()


def test_more_than_can_be_remembered_is_looked_for_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(differences, "MOST", 2)
    lines = [f">f+++++++++|1|{number}" for number in range(4)]
    assert found(tmp_path, *lines[:2]) is not None
    assert found(tmp_path, *lines[:3]) is None
    assert found(tmp_path, *lines) is None


def test_folders_are_named_with_a_slash_and_the_root_by_nothing() -> None:
    assert folders_of(("top", "a/b/c", "a/b/d")) == ("", "a/b/")
