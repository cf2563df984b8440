"""The door to the subvolumes of a btrfs, with the real tools on a loop device."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from rescue.model.storage.filesystem import FileSystem, FsKind
from rescue.model.storage.subvolume import TOP_LEVEL
from rescue.system.block import btrfs
from rescue.system.block.mkfs import mkfs_argv
from rescue.system.process.run import CommandError
from tests.image.loopdisks import sh

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root: loop devices"),
    pytest.mark.skipif(not shutil.which("mkfs.btrfs"), reason="btrfs-progs is not installed"),
]
UUID = "9f3c6bfe-63c7-4b5e-8f0e-0d0e5f4e5c11"


@pytest.fixture
def top(tmp_path: Path) -> Iterator[Path]:
    """The top of an empty btrfs."""
    image, place = tmp_path / "disk.img", tmp_path / "top"
    with image.open("wb") as file:
        file.truncate(160 * 1024 * 1024)
    sh(*mkfs_argv(FileSystem(kind=FsKind.BTRFS, uuid=UUID), str(image)))
    place.mkdir()
    sh("mount", "-o", "loop", str(image), str(place))
    yield place
    sh("umount", str(place))


@pytest.fixture
def root(top: Path, tmp_path: Path) -> Iterator[Path]:
    """Its subvolume @rootfs, mounted beside the top; the ids have a gap before @home."""
    for name in ("@rootfs", "gone", "@home"):
        btrfs.create(top / name)
    btrfs.delete(top / "gone")
    place = tmp_path / "root"
    place.mkdir()
    sh(
        "mount",
        "-o",
        "subvol=@rootfs",
        sh("findmnt", "-no", "SOURCE", str(top)).strip(),
        str(place),
    )
    yield place
    sh("umount", str(place))


def test_what_is_made_is_listed_from_wherever_it_is_asked(top: Path, root: Path) -> None:
    (root / "var").mkdir()
    for path in (root / "var/machines", root / "var/machines/deep", top / "@home/two\nlines"):
        btrfs.create(path)
    sh("btrfs", "subvolume", "snapshot", "-r", str(root), str(root / "snapshot"))
    expected = {
        "@rootfs": TOP_LEVEL,
        "@home": TOP_LEVEL,
        "@rootfs/var/machines": btrfs.root_id(str(root)),
        "@rootfs/var/machines/deep": btrfs.root_id(str(root / "var/machines")),
        "@home/two\nlines": btrfs.root_id(str(top / "@home")),
        "@rootfs/snapshot": btrfs.root_id(str(root)),
    }
    for place in (top, root, root / "var/machines"):
        found = btrfs.subvolumes(str(place))
        assert {each.path: each.parent for each in found} == expected
        assert {each.path for each in found if each.read_only} == {"@rootfs/snapshot"}
        assert {each.path for each in found if each.snapshot_of} == {"@rootfs/snapshot"}
        assert {each.id for each in found if each.path == "@rootfs"} == {btrfs.root_id(str(root))}


def test_a_btrfs_begins_without_subvolumes_and_opens_its_top(top: Path) -> None:
    assert btrfs.subvolumes(str(top)) == ()
    assert btrfs.default_subvolume(str(top)) == btrfs.root_id(str(top)) == TOP_LEVEL


def test_the_subvolume_that_is_opened_by_default_is_set(top: Path, root: Path) -> None:
    btrfs.set_default(root)
    assert btrfs.default_subvolume(str(top)) == btrfs.root_id(str(root)) != TOP_LEVEL


def test_what_holds_another_is_not_deleted(top: Path) -> None:
    btrfs.create(top / "outer")
    (top / "outer/file").write_bytes(b"1")
    btrfs.create(top / "outer/inner")
    with pytest.raises(CommandError):
        btrfs.delete(top / "outer")
    assert (top / "outer/file").read_bytes() == b"1"
    btrfs.delete(top / "outer/inner")
    btrfs.delete(top / "outer")
    assert btrfs.subvolumes(str(top)) == ()


def test_a_folder_and_a_link_to_a_subvolume_are_none(top: Path) -> None:
    btrfs.create(top / "one")
    (top / "folder").mkdir()
    (top / "link").symlink_to("one")
    assert [btrfs.is_one(top / name) for name in ("one", "folder", "link")] == [True, False, False]
    with pytest.raises(FileNotFoundError):
        btrfs.is_one(top / "gone")


def test_a_name_that_looks_like_a_line_of_the_list_is_seen_not_to_be_there(top: Path) -> None:
    line = "ID 300 gen 7 parent 5 top level 5 parent_uuid -  received_uuid -  uuid x path @forged"
    btrfs.create(top / f"a\n{line}")
    names = [each.path for each in btrfs.subvolumes(str(top))]
    assert names == ["a", "@forged"]
    for name in names:
        with pytest.raises(FileNotFoundError):
            btrfs.is_one(top / name)


def test_quotas_are_seen(top: Path) -> None:
    assert not btrfs.has_quotas(str(top))
    sh("btrfs", "quota", "enable", str(top))
    assert btrfs.has_quotas(str(top))


def test_what_is_on_no_btrfs_is_an_error(tmp_path: Path) -> None:
    for ask in (btrfs.subvolumes, btrfs.root_id, btrfs.default_subvolume):
        with pytest.raises(CommandError):
            ask(str(tmp_path))
