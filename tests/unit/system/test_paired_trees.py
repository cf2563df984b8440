"""Two folders read side by side."""

import os
from pathlib import Path

import pytest

from rescue.model.restore.name_pair import NamePair, Shape
from rescue.system.files.paired_trees import link_on_the_way, name_pair_at, name_pairs


@pytest.fixture(name="sides")
def sides_(tmp_path: Path) -> tuple[Path, Path]:
    there, here = tmp_path / "there", tmp_path / "here"
    for side in (there, here):
        (side / "anna").mkdir(parents=True)
    return there, here


def seen(sides: tuple[Path, Path], inside: str = "", skip: str = "") -> dict[str, NamePair]:
    found = list(name_pairs(*sides, inside=inside, skip=frozenset(filter(None, [skip]))))
    paths = [pair.path for pair in found]
    assert len(paths) == len(set(paths))
    parents = [path.rpartition("/")[0] for path in paths]
    for number, parent in enumerate(parents):
        assert parent not in paths[number:], "a folder comes before what is in it"
    return {pair.path: pair for pair in found}


def test_every_name_of_either_side_is_seen_once(sides: tuple[Path, Path]) -> None:
    there, here = sides
    (there / "anna/new").write_text("1")
    (here / "anna/own").write_text("22")
    (there / "zoe/deep/er").mkdir(parents=True)
    found = seen(sides)
    assert set(found) == {"anna", "anna/new", "anna/own", "zoe", "zoe/deep", "zoe/deep/er"}
    assert found["anna/new"].here is None
    assert found["anna/own"].there is None
    there_fact = found["zoe/deep"].there
    assert there_fact is not None
    assert there_fact.shape is Shape.FOLDER


def test_links_are_told_and_never_followed(sides: tuple[Path, Path]) -> None:
    there, here = sides
    (there / "out").symlink_to("/etc")
    (there / "mail").mkdir()
    (there / "mail/letter").write_text("x")
    (here / "mail").symlink_to("/etc")
    found = seen(sides)
    assert set(found) == {"anna", "out", "mail"}
    fact = found["out"].there
    assert fact is not None
    assert (fact.shape, fact.target) == (Shape.LINK, "/etc")


def test_one_tree_of_it_and_the_missing_way_to_it(sides: tuple[Path, Path]) -> None:
    there, here = sides
    (there / "srv/www/site").mkdir(parents=True)
    (there / "srv/other").write_text("x")
    assert list(seen(sides, inside="srv/www")) == ["srv", "srv/www", "srv/www/site"]
    (here / "srv").mkdir()
    assert list(seen(sides, inside="srv/www")) == ["srv/www", "srv/www/site"]
    assert list(seen(sides, inside="srv/other")) == ["srv/other"]


def test_what_is_left_out_is_left_out_with_all_below(sides: tuple[Path, Path]) -> None:
    (sides[0] / "anna/x").write_text("")
    (sides[0] / "bela").mkdir()
    assert set(seen(sides, skip="anna")) == {"bela"}
    assert set(seen(sides, skip="x")) == {"anna", "anna/x", "bela"}


def test_folders_nested_deeper_than_a_path_can_say(sides: tuple[Path, Path]) -> None:
    here = os.open(sides[1] / "anna", os.O_RDONLY)
    for _ in range(30):
        os.mkdir("d" * 200, dir_fd=here)
        deeper = os.open("d" * 200, os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = deeper
    os.close(here)
    assert 10 < len(seen(sides)) < 30


def test_names_of_any_bytes(sides: tuple[Path, Path]) -> None:
    name = os.fsdecode(b"a\xff\n")
    (sides[0] / name).write_text("x")
    assert name_pair_at(*sides, name).there is not None
    assert name in seen(sides)


def test_a_link_on_the_way_is_named(sides: tuple[Path, Path]) -> None:
    (sides[0] / "home").symlink_to("anna")
    assert link_on_the_way(sides[0], "home/x") == "/home"
    assert link_on_the_way(sides[0], "anna") == ""
