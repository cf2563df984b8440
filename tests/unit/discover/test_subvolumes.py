"""The subvolumes of a btrfs, as its own tool lists them, and how a few of them are named."""

from dataclasses import replace
from pathlib import Path

import pytest

from rescue.discover.machine import subvolumes_of
from rescue.errors import RescueError
from rescue.model.storage.machine import MACHINE_VERSION, Machine
from rescue.model.storage.mount import Mount
from rescue.model.storage.subvolume import TOP_LEVEL
from rescue.plan.layout.contents import some_of
from rescue.store.codec import from_json, to_json
from rescue.system.block.btrfs import from_the_top, list_argv, parse_subvolumes
from tests.builders import server

RECORDED = Path(__file__).parents[2] / "data" / "discover" / "btrfs-subvolumes.txt"


def test_all_of_the_file_system_are_listed_those_inside_others_too() -> None:
    assert list_argv("/home") == ["btrfs", "subvolume", "list", "-puqR", "/home"]
    assert list_argv("/home", read_only=True)[-2:] == ["-r", "/home"]
    seen = from_the_top(parse_subvolumes(RECORDED.read_text("utf-8")), seen_from=256)
    assert [(each.id, each.parent, each.path) for each in seen] == [
        (256, 5, "@rootfs"),
        (258, 5, "@home"),
        (259, 256, "@rootfs/nested"),
        (260, 256, "@rootfs/snap"),
        (261, 5, "@home2"),
        (262, 256, "@rootfs/dir/new\nline"),
    ]


def test_a_snapshot_tells_of_what_it_is_one() -> None:
    by_path = {each.path: each for each in parse_subvolumes(RECORDED.read_text("utf-8"))}
    assert by_path["snap"].snapshot_of == by_path["@rootfs"].uuid
    assert (by_path["@home"].snapshot_of, by_path["@home"].received) == ("", "")
    assert by_path["snap"].in_words == "snapshot"
    assert replace(by_path["snap"], read_only=True).in_words == "read-only snapshot"
    assert by_path["@home"].in_words == ""


def test_paths_are_the_whole_ones_where_the_top_itself_was_asked() -> None:
    listed = parse_subvolumes(RECORDED.read_text("utf-8"))
    assert from_the_top(listed, seen_from=TOP_LEVEL) == listed


def test_subvolumes_that_say_they_lie_in_one_another_end_the_search() -> None:
    listed = parse_subvolumes(RECORDED.read_text("utf-8"))
    one, other = (
        replace(each, parent=id_) for each, id_ in zip(listed[:2], (258, 256), strict=True)
    )
    lost = replace(listed[2], parent=999)
    assert [each.path for each in from_the_top((one, other, lost), seen_from=262)] == [
        "@rootfs",
        "@home",
        "nested",
    ]


def test_a_btrfs_without_subvolumes_has_an_empty_list() -> None:
    assert parse_subvolumes("") == ()


def test_what_is_no_such_list_is_not_taken_for_an_empty_one() -> None:
    with pytest.raises(RescueError, match="btrfs"):
        parse_subvolumes("ID\tgen\ttop level\tpath\n--\t---\t---------\t----\n256\t7\t5\tanna\n")


@pytest.mark.parametrize("changes", [{"fstype": "ext4"}, {"root": "/@home"}])
def test_other_mounts_are_not_asked(tmp_path: Path, changes: dict[str, str]) -> None:
    mount = Mount(device="/dev/vda5", target=str(tmp_path / "gone"), fstype="btrfs")
    assert subvolumes_of(replace(mount, **changes)) is None  # type: ignore[arg-type]


def test_a_machine_that_was_saved_before_they_were_listed_is_still_read() -> None:
    text = to_json(server())
    assert '"subvolumes"' in text
    older = "\n".join(line for line in text.splitlines() if '"subvolumes"' not in line)
    older = older.replace('"used": 0,', '"used": 0')
    read = from_json(older, Machine, known_version=MACHINE_VERSION, where="test")
    assert read == server()


def test_a_few_paths_are_named_and_the_rest_are_counted() -> None:
    assert some_of(["/a"]) == "/a"
    assert some_of([f"/{n}" for n in range(5)]) == "/0, /1, /2, /3, /4"
    assert some_of([f"/{n}" for n in range(7)]) == "/0, /1, /2, /3, /4 and 2 more"


def test_whatever_a_user_puts_into_a_name_stays_one_line_of_valid_text() -> None:
    said = some_of(["/home/new\nline", "/home/\udcff\x1b[31m"])
    assert said.isprintable()
    assert said.encode("utf-8")
