"""A tree looked over: what of it is unread, in how many names."""

import os
from pathlib import Path

from rescue.model.filesystem import FsKind
from rescue.model.unread import Seen, Unread
from rescue.system.rsync import SyncJob, escape, what
from rescue.system.sourcetree import (
    FEW_HOLES,
    HOLLOW,
    MOST_HOLES,
    MOST_HOLLOW,
    TOO_DEEP,
    _set_apart,
    few,
    look_over,
)


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


def test_a_name_that_is_longer_as_a_pattern_is_as_long_as_that() -> None:
    """rsync takes no rule of more than 4,096 bytes, and the kernel no command of 2 MiB."""
    (short,) = few([Unread(path="/home/eve" + "/***" * 900, why="w")])
    assert len(escape(short.path)) <= 3500
    many = [Unread(path=f"/home/eve/{number}{'/d' * 1500}", why="w") for number in range(900)]
    fewer = few([*many, Unread(path="/home/anna", why="locked")])
    assert sum(len(each.path) for each in fewer) <= 512 * 1024
    assert fewer[-1].path == "/home/anna"


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
        keep=("/.rescue/",),
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
