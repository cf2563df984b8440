"""A look at a disk that nobody named leaves every byte of it as it was, damaged or not."""

import contextlib
import hashlib
import os
import signal
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path

import pytest

from rescue.discover.marker import read_marker
from rescue.model.mirror.record import MirrorRecord
from rescue.model.storage.disk import Disk
from rescue.model.storage.filesystem import FsKind
from rescue.store.records import save_marker
from rescue.system.block.loop import locked
from rescue.system.files import mount_namespace
from rescue.system.files.mount_namespace import Access
from rescue.units import MIB
from tests.builders import enrolled
from tests.image.loopdisks import SIZE, ChildError, in_child, sh
from tests.image.sticks import name_on, plugged_in

RECORD = enrolled().record
KINDS = [FsKind.EXT4, FsKind.XFS, FsKind.BTRFS]

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root: loop devices and mounts"),
]


def image_of(folder: Path, kind: FsKind, *, cut: bool = False) -> Path:
    """Make a file system with a marker on it; `cut` is as a power cut leaves it, with a journal."""
    image, place = folder / "stick.img", folder / "place"
    with image.open("wb") as file:
        file.truncate(SIZE[kind] * MIB)
    # Small ext4 would have blocks of 1024 bytes, which sectors of 4096 do not bear.
    sh(f"mkfs.{kind}", "-q", *(("-b", "4096") if kind.is_ext else ()), str(image))
    place.mkdir()
    sh("mount", "-o", "loop", str(image), str(place))
    try:
        save_marker(place, RECORD)
        sh("sync", "--file-system", str(place))
        (place / "late").write_bytes(b"x")
        sh("sync", str(place / "late"))
        if cut:
            sh("cp", "--sparse=always", str(image), str(folder / "cut.img"))
    finally:
        sh("umount", str(place))
    if not cut:
        return image
    image.unlink()
    return folder / "cut.img"


def digest(image: Path) -> str:
    os.sync()
    with image.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


DAMAGE: dict[str, tuple[str, ...]] = {
    "the folder's inode": ("clri /.rescue",),
    "the marker's inode": ("clri /.rescue/mirror.json",),
    "the folder's size": ("set_inode_field /.rescue size 3",),
    "the root's inode": ("set_inode_field / flags 0xffffffff",),
}


@pytest.mark.parametrize("what", DAMAGE)
def test_the_kernel_notes_no_error_on_a_damaged_disk(tmp_path: Path, what: str) -> None:
    """ext4 writes each error that it meets to the superblock, also of a mount that is read-only."""
    image = image_of(tmp_path, FsKind.EXT4)
    for command in DAMAGE[what]:
        sh("debugfs", "-w", "-R", command, str(image))
    before = digest(image)
    # What cannot be read may be said, and raised as DamagedError.
    with plugged_in(image, FsKind.EXT4) as disk, contextlib.suppress(ChildError):
        name_on(disk)
    assert digest(image) == before


@pytest.mark.parametrize("kind", KINDS)
def test_a_journal_is_not_replayed(tmp_path: Path, kind: FsKind) -> None:
    image = image_of(tmp_path, kind, cut=True)
    before = digest(image)
    with plugged_in(image, kind) as disk:
        # A marker that is in the journal alone is not seen (XFS).
        assert name_on(disk) in {RECORD.name, None}
    assert digest(image) == before


@pytest.mark.parametrize("sector", [512, 4096])
def test_it_is_seen_through_a_device_that_cannot_be_written(tmp_path: Path, sector: int) -> None:
    image = image_of(tmp_path, FsKind.EXT4)
    with plugged_in(image, FsKind.EXT4, sector=sector) as disk:
        path = disk.partitions[0].path
        with locked(path) as node:
            block = Path("/sys/class/block") / Path(node).name
            told = {
                each: (block / each).read_text().strip()
                for each in ("ro", "queue/logical_block_size", "loop/autoclear", "loop/dio")
            }
            assert told == {
                "ro": "1",
                "queue/logical_block_size": str(sector),
                "loop/autoclear": "1",
                "loop/dio": "1",
            }
            with pytest.raises(PermissionError), open(node, "r+b", buffering=0) as device:
                device.write(bytes(sector))
        assert name_on(disk) == RECORD.name
        # Whoever is asked to may write to the disk itself, as before.
        with open(path, "r+b"):
            pass


def over(path: str) -> str:
    return sh("losetup", "--noheadings", "--list", "--output", "NAME", "--associated", path)


def assert_alone(path: str) -> None:
    """No loop device lies over it any more, or soon: udev may still look at the last one."""
    end = time.monotonic() + 60
    while time.monotonic() < end and over(path):
        time.sleep(0.05)
    assert over(path) == ""


def killed_in(action: Callable[[], object]) -> None:
    """Start a process, and kill it as soon as it has done that."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(read)
        action()
        os.write(write, b"x")
        signal.pause()
    os.close(write)
    assert os.read(read, 1) == b"x"
    os.close(read)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)


@pytest.mark.parametrize("mounted", [False, True])
def test_nothing_stays_behind_a_look_that_was_killed(tmp_path: Path, *, mounted: bool) -> None:
    kept: list[AbstractContextManager[str]] = []

    def begin() -> None:
        mount_namespace.enter_private()
        node = locked(path)
        kept.append(node)
        argv = mount_namespace.mount_argv(node.__enter__(), tmp_path, FsKind.EXT4, Access.LOOK)
        if mounted:
            mount_namespace.mount(argv)
            node.__exit__(None, None, None)

    image = image_of(tmp_path, FsKind.EXT4)
    with plugged_in(image, FsKind.EXT4) as disk:
        path = disk.partitions[0].path
        killed_in(begin)
        assert_alone(path)
        assert name_on(disk) == RECORD.name
        assert_alone(path)


def generation_on(disk: Disk) -> object:
    def look() -> int:
        marker = read_marker(disk)
        return marker.record.generation if marker is not None else -1

    return in_child(look)


@pytest.mark.parametrize("kind", KINDS)
def test_what_was_just_written_is_seen_whatever_others_have_read(
    tmp_path: Path, kind: FsKind
) -> None:
    """Who holds the device open keeps what was read of it in the page cache, and that gets old."""
    image, place = image_of(tmp_path, kind), tmp_path / "place"
    with plugged_in(image, kind) as disk:
        path = disk.partitions[0].path
        with open(path, "rb") as held:
            while held.read(MIB):
                pass
            for generation in (RECORD.generation + 1, RECORD.generation + 2):
                written: MirrorRecord = replace(RECORD, generation=generation)
                sh("mount", path, str(place))
                save_marker(place, written)
                sh("umount", str(place))
                assert generation_on(disk) == generation
