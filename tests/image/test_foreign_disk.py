"""A stick that a stranger made, on a loop device: looked at, it neither hangs nor harms us."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from rescue.mirrors.impostors import tell_apart
from rescue.model.mirror.secret import Secret
from rescue.model.storage.disk import Disk
from rescue.model.storage.filesystem import FsKind
from rescue.model.storage.identity import DiskId
from rescue.paths import OWN_FOLDER
from rescue.plan.checks.recognise import attached_mirror
from rescue.store.codec import to_stored_json
from rescue.store.records import save_marker
from rescue.system.files import mount_namespace
from rescue.system.files.mount_namespace import Access
from rescue.units import MIB
from tests.builders import enrolled
from tests.image.loopdisks import SIZE, ChildError, in_child, sh
from tests.image.sticks import name_on, plugged_in

RECORD = enrolled().record

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root: loop devices and mounts"),
]


@contextmanager
def stick(
    folder: Path, fill: Callable[[Path], object], kind: FsKind = FsKind.EXT4
) -> Iterator[Disk]:
    """Make a file system with what `fill` puts there, and give the disk that it is on."""
    image, place = folder / "stick.img", folder / "place"
    with image.open("wb") as file:
        file.truncate(SIZE[kind] * MIB)
    sh(f"mkfs.{kind}", "-q", str(image))
    place.mkdir()
    sh("mount", "-o", "loop", str(image), str(place))
    try:
        fill(place)
    finally:
        sh("umount", str(place))
    with plugged_in(image, kind, locked=True) as disk:
        yield disk


@pytest.mark.parametrize("kind", [FsKind.EXT4, FsKind.XFS, FsKind.BTRFS])
def test_a_mirror_is_found_by_its_marker(tmp_path: Path, kind: FsKind) -> None:
    with stick(tmp_path, lambda root: save_marker(root, RECORD), kind) as disk:
        assert name_on(disk) == RECORD.name


def in_own_folder(make: Callable[[Path], object]) -> Callable[[Path], None]:
    def fill(root: Path) -> None:
        (root / OWN_FOLDER).mkdir()
        make(root / OWN_FOLDER / "mirror.json")

    return fill


ODD: dict[str, Callable[[Path], object]] = {
    "a FIFO": os.mkfifo,
    "a link to /dev/zero": lambda path: path.symlink_to("/dev/zero"),
    "a character device": lambda path: os.mknod(path, 0o20600, os.makedev(1, 5)),
    "a folder": lambda path: path.mkdir(),
    "brackets": lambda path: path.write_bytes(b"[" * 5 * MIB),
}


@pytest.mark.parametrize("odd", ODD)
def test_what_is_no_marker_is_named_and_nothing_waits(tmp_path: Path, odd: str) -> None:
    with (
        stick(tmp_path, in_own_folder(ODD[odd])) as disk,
        pytest.raises(ChildError, match=r"mirror\.json is not a state file") as caught,
    ):
        name_on(disk)
    assert caught.value.kind == "DamagedError"


def test_the_server_s_own_record_makes_no_stick_a_mirror(tmp_path: Path) -> None:
    """Its maker cannot read that file, but can name it in a link."""
    own = tmp_path / "record.json"
    own.write_text(to_stored_json(RECORD))
    with (
        stick(tmp_path, in_own_folder(lambda path: path.symlink_to(own))) as disk,
        pytest.raises(ChildError),
    ):
        name_on(disk)


def test_a_link_to_a_folder_of_ours_is_none_of_the_stick_s(tmp_path: Path) -> None:
    save_marker(tmp_path, RECORD)
    (tmp_path / OWN_FOLDER).chmod(0o755)
    with stick(tmp_path, lambda root: (root / OWN_FOLDER).symlink_to(tmp_path / OWN_FOLDER)) as one:
        assert name_on(one) is None
    assert (tmp_path / OWN_FOLDER).stat().st_mode & 0o777 == 0o755


def test_what_is_looked_at_follows_runs_and_stops_nothing(tmp_path: Path) -> None:
    """An ext4 whose superblock says errors=panic, with a program and a link on it."""

    def fill(root: Path) -> None:
        (root / "program").write_bytes(b"#!/bin/sh\n")
        (root / "program").chmod(0o4755)
        (root / "link").symlink_to("program")

    def look() -> list[object]:
        place = tmp_path / "seen"
        place.mkdir()
        mount_namespace.enter_private()
        mount_namespace.mount(
            mount_namespace.mount_argv(disk.partitions[0].path, place, FsKind.EXT4, Access.LOOK)
        )
        options = sh("findmnt", "--noheadings", "--output", "OPTIONS", str(place)).strip()
        mountinfo = Path("/proc/self/mountinfo").read_text()
        line = next(each for each in mountinfo.splitlines() if f" {place} " in each)
        try:
            (place / "link").read_bytes()
            followed = True
        except OSError:
            followed = False
        return [options, line, followed]

    with stick(tmp_path, fill) as disk:
        sh("tune2fs", "-e", "panic", str(tmp_path / "stick.img"))
        seen = in_child(look)
    assert isinstance(seen, list)
    options, line, followed = seen
    assert {"ro", "nosuid", "nodev", "noexec"} <= set(options.split(","))
    assert "errors=panic" not in line
    assert not followed


def test_a_damaged_marker_hides_no_good_one_behind_it(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    for folder in (one, two):
        folder.mkdir()
    with (
        stick(one, in_own_folder(os.mkfifo)) as first,
        stick(two, lambda root: save_marker(root, RECORD)) as second,
    ):
        assert first.table is not None
        both = replace(first.table, partitions=(*first.partitions, *second.partitions))
        assert name_on(replace(first, table=both)) == RECORD.name


@pytest.mark.parametrize("forgery", ["another secret", "a FIFO"])
def test_of_two_that_look_like_the_mirror_the_one_that_knows_the_secret_is_it(
    tmp_path: Path, forgery: str
) -> None:
    record = replace(RECORD, secret=Secret.draw())
    marker = {
        "another secret": lambda root: save_marker(root, replace(record, secret=Secret.draw())),
        "a FIFO": in_own_folder(os.mkfifo),
    }
    for folder in ("true", "forged"):
        (tmp_path / folder).mkdir()
    with (
        stick(tmp_path / "forged", marker[forgery]) as forged,
        stick(tmp_path / "true", lambda root: save_marker(root, record)) as true,
    ):
        disks = [
            replace(disk, id=shown, table=replace(disk.table, uuid=record.mirror.table_uuid))
            for disk, shown in ((forged, DiskId(serial="FORGED")), (true, record.mirror.id))
            if disk.table is not None
        ]
        machine = replace(enrolled().machine, disks=tuple(disks))

        def tell() -> list[str]:
            apart = tell_apart(machine, [record])
            found = attached_mirror(apart.machine, record)
            return [found.path if found else "", *apart.notes]

        said = in_child(tell)
        assert isinstance(said, list)
        assert said[0] == true.path
        assert f"{forged.path} (FORGED) looks like mirror 'MIR0001'" in said[1]
