"""A dying disk is imaged with ddrescue, and copies are repaired, never the disk."""

import os
import shutil
from pathlib import Path

import pytest

from rescue.errors import RefusedError
from rescue.model.storage.filesystem import FileSystem, FsKind
from rescue.system.block import ddrescue, loop
from rescue.system.block.mkfs import mkfs_argv
from rescue.system.block.superblock import find_backup, primary_uuid, repair
from rescue.system.process.run import CommandError
from tests.image.deaddisk import MIB, Post, night_of
from tests.image.loopdisks import sh, tree_of
from tests.image.test_restore import last_night

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root: loop devices and mounts"),
]
needs_ddrescue = pytest.mark.skipif(
    shutil.which("ddrescue") is None, reason="ddrescue is not installed (Debian: gddrescue)"
)

UUID = "50bce000-0000-4000-8000-00000000000a"


@needs_ddrescue
def test_a_disk_is_imaged_and_homes_come_back_from_the_image(tmp_path: Path) -> None:
    post = Post()
    with night_of(tmp_path) as night:
        last_night(night, post)
        image = tmp_path / "salvaged.img"
        shares: list[float] = []
        with loop.locked(str(night.image)) as device:
            done = ddrescue.salvage(device, str(image), on_share=shares.append)
        assert done.finished
        assert shares[-1] == 1.0
        night.image.unlink()
        night.image = image
        assert night.restored().complete
        assert post.missing(night.home) == []


def modes(*paths: Path) -> set[int]:
    return {path.stat().st_mode & 0o777 for path in paths}


@needs_ddrescue
def test_the_image_is_root_s_alone_from_its_first_byte(tmp_path: Path) -> None:
    """In a folder that everybody can write to, and with the umask of a system."""
    (shared := tmp_path / "shared").mkdir(mode=0o777)
    disk, image = tmp_path / "disk", shared / "image"
    disk.write_bytes(os.urandom(4 * MIB))
    known = Path(ddrescue.map_of(str(image)))
    seen: list[int] = []

    def told(_: float) -> None:
        seen.extend(modes(*shared.iterdir()))

    before = os.umask(0o022)
    try:
        with loop.locked(str(disk)) as device:
            ddrescue.salvage(device, str(image), on_share=told)
            assert modes(image, known) == {0o600}
            assert set(seen) == {0o600}
            for path in (image, known):
                path.chmod(0o644)
            ddrescue.salvage(device, str(image), on_share=told)
        assert modes(image, known) == {0o600}, "one that an older rescue made"
    finally:
        os.umask(before)


@needs_ddrescue
@pytest.mark.parametrize("what", ["image", "map"])
@pytest.mark.parametrize("how", ["theirs", "a link", "a hard link", "a FIFO"])
def test_nobody_else_holds_what_the_disk_is_written_to(tmp_path: Path, what: str, how: str) -> None:
    victim, image = tmp_path / "victim", tmp_path / "image"
    victim.write_bytes(b"theirs")
    laid = image if what == "image" else Path(ddrescue.map_of(str(image)))
    if how == "a link":
        laid.symlink_to(victim)
    elif how == "a hard link":
        os.link(victim, laid)
    elif how == "a FIFO":
        os.mkfifo(laid)
    else:
        laid.touch()
        os.chown(laid, 65534, 65534)
    disk = tmp_path / "disk"
    disk.write_bytes(bytes(MIB))
    with pytest.raises(RefusedError, match=f"{laid.name} is a link, or was made by somebody"):
        ddrescue.salvage(str(disk), str(image), on_share=lambda share: None)
    assert victim.read_bytes() == b"theirs"


@needs_ddrescue
def test_what_cannot_be_read_is_said_and_read_when_it_can(tmp_path: Path) -> None:
    disk, image = tmp_path / "disk", tmp_path / "image"
    content = os.urandom(4 * MIB)
    disk.write_bytes(content)
    with loop.locked(str(disk)) as device:
        os.truncate(disk, 3 * MIB)
        cut = ddrescue.salvage(device, str(image), on_share=lambda share: None)
        assert not cut.finished
        assert cut.missing == pytest.approx(MIB, rel=0.01)
        assert image.read_bytes()[: 3 * MIB] == content[: 3 * MIB]
        disk.write_bytes(content)
        again = ddrescue.salvage(device, str(image), on_share=lambda share: None)
    assert again.finished
    assert image.read_bytes() == content


@pytest.mark.parametrize("kind", [FsKind.EXT4, FsKind.XFS])
def test_a_copy_without_its_superblock_is_repaired(tmp_path: Path, kind: FsKind) -> None:
    image = tmp_path / "image"
    with image.open("wb") as file:
        file.truncate(320 * MIB)
    sh(*mkfs_argv(FileSystem(kind=kind, uuid=UUID), str(image)))
    place = tmp_path / "place"
    place.mkdir()
    sh("mount", str(image), str(place))
    for number in range(50):
        (place / f"letter {number}").write_bytes(os.urandom(number * 100))
    wanted = tree_of(place)
    sh("umount", str(place))
    assert primary_uuid(kind, str(image)) == UUID
    with image.open("r+b") as file:
        file.write(bytes(4096))
    assert primary_uuid(kind, str(image)) == ""

    with loop.writable(str(image)) as device:
        backup = find_backup(device, uuid=UUID) if kind.is_ext else None
        assert (backup is not None) == kind.is_ext
        repair(kind, device, backup)
        assert primary_uuid(kind, device) == UUID
        sh("mount", "-o", "ro", device, str(place))
        try:
            assert tree_of(place) == wanted
        finally:
            sh("umount", str(place))


def test_a_locked_loop_device_cannot_be_repaired(tmp_path: Path) -> None:
    image = tmp_path / "image"
    with image.open("wb") as file:
        file.truncate(64 * MIB)
    sh(*mkfs_argv(FileSystem(kind=FsKind.EXT4, uuid=UUID), str(image)))
    before = image.read_bytes()
    with loop.locked(str(image)) as device, pytest.raises(CommandError):
        repair(FsKind.EXT4, device, None)
    assert image.read_bytes() == before
