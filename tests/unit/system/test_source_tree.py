"""A tree looked over: what of it is unread, in how many names."""

import os
from pathlib import Path

from rescue.model.mirror.unread import Seen, Unread
from rescue.model.storage.filesystem import FsKind
from rescue.system.files.source_tree import (
    FEW_HOLES,
    HOLLOW,
    MOST_HOLES,
    MOST_HOLLOW,
    TOO_DEEP,
    _set_apart,
    look_over,
)
from rescue.system.rsync.rsync import SyncJob, escape, what
from rescue.system.rsync.stand_ins import few, noted


def test_every_regular_file_is_told_and_nothing_is_followed(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a/one").write_bytes(b"1")
    (tmp_path / "link").symlink_to("a")
    os.mkfifo(tmp_path / "fifo")
    told: dict[str, int] = {}
    seen = look_over(tmp_path, lambda path, info: told.update({path: info.st_size}))
    assert told == {"/a/one": 1}
    assert seen == Seen()


def test_many_unread_folders_of_one_user_stand_for_nobody_elses() -> None:
    eve = [Unread(path=f"/home/eve/a/{number}/b", why="w") for number in range(3000)]
    fewer = few([*eve, Unread(path="/home/anna", why="locked")])
    assert [each.path for each in fewer] == ["/home/eve/a", "/home/anna"]
    deep = Unread(path="/home/eve" + "/n" * 2000, why="w", failing=True)
    (short,) = few([deep])
    assert len(short.path) <= 3500
    assert deep.path.startswith(short.path)
    assert short.failing


def test_wherever_one_user_makes_them() -> None:
    """No deeper than others' folders, spread, and in folders that everybody shares."""
    places = ["/tmp/{}", "/var/tmp/{}/x", "/var/tmp/y/{}", "/home/eve/{}", "/home/eve/z/z/{}/z"]
    eve = [place.format(number) for place in places for number in range(700)]
    others = ["/home/anna/private", "/home/anna/mail", "/home/bert"]
    fewer = few([Unread(path=path, why="w") for path in (*eve, *others)])
    assert len(fewer) <= 1000
    left = {each.path for each in fewer}
    assert left >= set(others)
    assert all(any(f"{path}/".startswith(f"{each}/") for each in left) for path in eve)
    assert all("eve" in path or "tmp" in path for path in left - set(others))


def test_a_thousand_people_keep_a_name_each() -> None:
    every = [f"/home/{name}/{folder}" for name in range(1000) for folder in ("mail", "papers")]
    fewer = few([Unread(path=path, why="w") for path in every])
    assert {each.path for each in fewer} == {f"/home/{name}" for name in range(1000)}


def test_what_stands_for_others_is_found_without_end() -> None:
    """A folder in each folder beside the one that goes deeper: neither deep nor long a search."""
    comb = ["/d" * depth + "/x" for depth in range(1, 1700)]
    many = [f"{'/d' * 1700}/{number}" for number in range(5000)]
    fewer = few([Unread(path=path, why="w") for path in (*comb, *many)])
    assert 1 <= len(fewer) <= 1000
    assert "/" not in {each.path for each in fewer}


def test_a_name_that_is_longer_as_a_pattern_is_as_long_as_that() -> None:
    """rsync takes no rule of more than 4,096 bytes."""
    (short,) = few([Unread(path="/home/eve" + "/***" * 900, why="w")])
    assert len(escape(short.path)) <= 3500


def test_a_folder_whose_names_make_a_path_too_long_is_unread(tmp_path: Path) -> None:
    here = os.open(tmp_path, os.O_RDONLY)
    for _ in range(19):
        os.mkdir("d" * 200, dir_fd=here)
        here = os.open("d" * 200, os.O_RDONLY, dir_fd=here)
    told: list[str] = []
    assert look_over(tmp_path, lambda path, _: told.append(path)) == Seen()
    os.close(os.open("f" * 50, os.O_WRONLY | os.O_CREAT, dir_fd=here))
    assert look_over(tmp_path, lambda path, _: told.append(path)) == Seen()
    assert len(told) == 1
    os.close(os.open("f" * 100, os.O_WRONLY | os.O_CREAT, dir_fd=here))
    (unread,) = look_over(tmp_path, lambda path, _: told.append(path)).unread
    assert len(told) == 1
    assert unread.why == TOO_DEEP
    assert unread.path == ("/" + "d" * 200) * 17


def test_what_is_hidden_is_hidden_with_all_below_it() -> None:
    seen = Seen(unread=(Unread(path="/home/anna", why="w"),))
    assert seen.hides("/home/anna")
    assert seen.hides("home/anna/a")
    assert not seen.hides("/home/annabel")
    assert Seen(unread=(Unread(path="/", why="w"),)).hides("/etc")


def test_what_is_unread_is_neither_sent_nor_deleted() -> None:
    job = SyncJob(
        source=Path("/s"),
        target=Path("/t"),
        kind=FsKind.EXT4,
        protect=("/.rescue/",),
        unread=(
            Unread(path="/home/a*b\\", why="w"),
            Unread(path="/x\\y", why="w", is_folder=False),
            Unread(path="/x?", why="w", is_folder=False),
            Unread(path="/", why="w"),
        ),
    )
    assert what(job)[:5] == [
        "--filter=- /home/a\\*b\\\\/*",
        "--filter=- /x\\y",
        "--filter=- /x\\?",
        "--filter=- /*",
        "--filter=- /.rescue/",
    ]


def test_those_with_the_most_holes_are_set_apart_and_the_others_read_within_bounds() -> None:
    few_holes = [(HOLLOW, f"/db/{number}") for number in range(5000)]
    assert _set_apart(few_holes) == ((), ())
    disk = (FEW_HOLES, "/vm/disk")
    assert _set_apart([*few_holes, disk]) == (("/vm/disk",), ())
    disks = [(MOST_HOLES // 300, f"/vm/{number:03}") for number in range(300)]
    apart, left = _set_apart(disks)
    assert (len(apart), left) == (MOST_HOLLOW, ())
    large = [(MOST_HOLES // 2, f"/eve/{number}") for number in range(MOST_HOLLOW + 4)]
    apart, left = _set_apart([*few_holes, *large])
    assert len(apart) == MOST_HOLLOW
    assert len(left) == 3
    assert all(path.startswith("/eve/") for path in (*apart, *left))


def test_a_hollow_file_whose_name_is_too_long_to_be_told_is_read_or_left() -> None:
    name = "/*" * 300 + "/e" * 300
    assert _set_apart([(MOST_HOLES * 4, name)]) == ((), (name,))
    assert _set_apart([(MOST_HOLES, name)]) == ((), ())


def test_what_a_record_names_has_room_in_a_record() -> None:
    """A marker larger than 16 MiB is read by nobody; rsync may complain of so much at each call."""
    names = [f"/home/eve{'/d' * 100}/{number}{'n' * 200}" for number in range(60_000)]
    kept = noted([*names, *names, "/home/anna/letter", "more than can be listed"])
    assert len(kept) <= 1001
    assert sum(map(len, kept)) < 1 << 20
    assert "/home/anna/letter" in kept
    assert "more than can be listed" in kept
    few_names = ("/b", "/a", "no path")
    assert noted((*few_names, "/b")) == few_names
