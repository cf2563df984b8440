"""A dead disk that was a member of RAID 1 is read without starting its array."""

import hashlib
import os
import shutil
import struct
from pathlib import Path

import pytest

from rescue.model.mirror.record import FilesystemPair
from rescue.model.restore.way_back import Origin, OriginKind, Reading
from rescue.model.storage.filesystem import FsKind
from rescue.model.storage.place import OnPartition
from rescue.restore.dead_disk import opened
from rescue.system.process.run import which
from tests.image.loopdisks import in_child, sh

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root: loop devices and mounts"),
    pytest.mark.skipif(which("mdadm") is None, reason="needs mdadm"),
]

MIB = 1024 * 1024
SECTOR = 512
SIZE = 64 * MIB
HOME = "50bce000-0000-4000-8000-000000000002"


def superblock(*, at: int, data: int, length: int, level: int = 1) -> bytes:
    """Return a superblock of version 1 (linux/raid/md_p.h, struct mdp_superblock_1), in sectors.

    The kernel of whoever runs the tests may have no md to make one; mdadm and libblkid judge it.
    """

    def made(checksum: int) -> bytes:
        head = struct.pack("<IIII", 0xA92B4EFC, 1, 0, 0) + bytes(range(16))
        head += b"server:home".ljust(32, b"\0")
        head += struct.pack("<QIIQIII", 1700000000, level, 0, length, 0, 2, 0)
        head += bytes(28)  # nothing is reshaped
        head += struct.pack("<QQQQQ", data, length, at, 0, 0)
        head += bytes(range(16, 32)) + bytes(8)
        head += struct.pack("<QQQII", 1700000000, 17, 2**64 - 1, checksum, 2) + bytes(32)
        return head + struct.pack("<HH", 0, 1)

    words = struct.unpack("<65I", made(0))
    total = sum(words)
    return made(((total & 0xFFFFFFFF) + (total >> 32)) & 0xFFFFFFFF)


def member(path: Path, *, behind: bool) -> None:
    """Make a member with a home on it; its superblock stands before the data, or behind it."""
    sectors = SIZE // SECTOR
    at = (sectors - 16) & ~7 if behind else 8
    data = 0 if behind else 2048
    length = at if behind else sectors - data
    with path.open("wb") as image:
        image.truncate(SIZE)
    files = path.with_name("files")
    (files / "anna").mkdir(parents=True)
    (files / "anna/mail").write_text("mail of today\n")
    options = ["-U", HOME, "-d", str(files), "-E", f"offset={data * SECTOR}"]
    sh("mke2fs", "-q", "-t", "ext4", *options, str(path), f"{length * SECTOR // 1024}k")
    with path.open("r+b") as image:
        image.seek(at * SECTOR)
        image.write(superblock(at=at, data=data, length=length))


@pytest.mark.parametrize("behind", [False, True])
def test_a_member_of_raid_1_is_read_and_not_written(tmp_path: Path, behind: bool) -> None:
    image = tmp_path / "member"
    member(image, behind=behind)
    assert "linux_raid_member" in sh("blkid", "-p", "-o", "export", str(image))
    before = hashlib.sha256(image.read_bytes()).hexdigest()
    origin = Origin(kind=OriginKind.PARTITION, path=str(image), name="dead", size=SIZE)
    pair = FilesystemPair(
        mount_point="/home",
        kind=FsKind.EXT4,
        place=OnPartition(number=5),
        source_uuid=HOME,
        mirror_uuid="f7e50002-0000-4000-8000-000000000002",
        mirror_partuuid="",
    )

    def look() -> list[str]:
        with opened(origin, [pair], table_uuid="", layout=None, scratch=tmp_path) as dead:
            assert dead.readings == {"/home": Reading.CLEAN}
            mail = (dead.places["/home"] / "anna/mail").read_text()
            return [mail, *(finding.message for finding in dead.findings)]

    said = in_child(look)
    assert isinstance(said, list)
    assert said[0] == "mail of today\n"
    assert any("a member of RAID 1 " in each for each in said)
    assert hashlib.sha256(image.read_bytes()).hexdigest() == before
    shutil.rmtree(tmp_path / "files")
