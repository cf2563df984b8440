"""The commands of the way back, as lists, and what the tools print."""

from pathlib import Path

import pytest

from rescue.model.restore.way_back import Reading
from rescue.model.storage.filesystem import FsKind
from rescue.restore.dead_disk import backup_argv, readings
from rescue.system.block.ddrescue import ddrescue_argv, parse_share, parse_status
from rescue.system.block.snapshot import create_argv
from rescue.system.block.superblock import Backup, parse_positions, repair_argv
from rescue.system.rsync.way_back import ReturnJob, return_argv

JOB = ReturnJob(source=Path("/s"), target=Path("/t"), names=Path("/n"), fresh=Path("/f"))


def test_files_return_without_deletions_and_grow_elsewhere() -> None:
    argv = return_argv(JOB)
    assert argv[:2] == ["rsync", "-aHAXS"]
    for word in ("--update", "--numeric-ids", "--files-from=/n", "--from0", "--temp-dir=/f"):
        assert word in argv
    assert not [word for word in argv if "delete" in word or "inplace" in word or "partial" in word]
    assert argv[-2:] == ["/s/", "/t/"]
    assert "--backup" not in argv


def test_replaced_files_go_to_a_folder_of_their_own() -> None:
    job = ReturnJob(
        source=Path("/s"), target=Path("/t"), names=Path("/n"), fresh=Path("/f"), aside=Path("/a")
    )
    assert [w for w in return_argv(job) if "backup" in w] == ["--backup", "--backup-dir=/a"]


def test_a_snapshot_forgets_at_its_end() -> None:
    assert create_argv("x", origin="/dev/loop0", changes="/dev/loop1", sectors=8) == [
        "dmsetup",
        "create",
        "x",
        "--table",
        "0 8 snapshot /dev/loop0 /dev/loop1 N 8",
    ]


def test_a_copy_of_the_superblock_is_named_in_the_kernels_own_unit() -> None:
    backup = Backup(block=32768, block_size=4096)
    assert backup_argv("/dev/loop0", Path("/p"), FsKind.EXT4, backup) == [
        "mount",
        "-t",
        "ext4",
        "-o",
        "noatime,nosymfollow,nodev,nosuid,noexec,ro,noload,errors=remount-ro,sb=131072",
        "/dev/loop0",
        "/p",
    ]


@pytest.mark.parametrize("kind", [kind for kind in FsKind if kind is not FsKind.VFAT])
def test_a_disk_is_read_as_it_is_before_a_copy_is_repaired(kind: FsKind) -> None:
    ways = readings(kind, superblock=True)
    assert ways[:3] == (Reading.CLEAN, Reading.REPLAYED, Reading.LOOKED)
    assert readings(kind, superblock=False)[0] is Reading.REPAIRED
    assert (Reading.BACKUP in ways) == kind.is_ext


def test_repairs_name_the_copy_and_the_device() -> None:
    backup = Backup(block=8193, block_size=1024)
    assert repair_argv(FsKind.EXT4, "/d", backup) == [
        "e2fsck", "-f", "-y", "-b", "8193", "-B", "1024", "/d",
    ]  # fmt: skip
    assert repair_argv(FsKind.XFS, "/d", None) == ["xfs_repair", "/d"]


def test_positions_of_copies_are_read_from_mke2fs() -> None:
    said = "Superblock backups stored on blocks: \n\t32768, 98304, 163840\n\n"
    assert parse_positions(said) == (32768, 98304, 163840)
    assert parse_positions("Creating filesystem with 100 4k blocks\n") == ()


def test_an_image_is_sparse_and_its_map_beside_it() -> None:
    assert ddrescue_argv("/dev/vda", "/x/dead.img") == [
        "ddrescue",
        "--sparse",
        "--retry-passes=1",
        "/dev/vda",
        "/x/dead.img",
        "/x/dead.img.map",
    ]


STATUS = """
   current pos:   67043 kB,  current status: finished
mapfile extent:   67108 kB,  in      1 area(s)

     non-tried:        0 B,  in      0 area(s)  (  0%)
       rescued:   67108 kB,  in      1 area(s)  (100%)
   non-trimmed:        0 B,  in      0 area(s)  (  0%)
   non-scraped:        0 B,  in      0 area(s)  (  0%)
    bad-sector:{bad},  in      0 area(s)  (  0%)
"""


def test_what_ddrescue_left_out_is_said() -> None:
    done = parse_status(STATUS.format(bad="        0 B"))
    assert (done.finished, done.rescued, done.missing) == (True, 67108000, 0)
    cut = parse_status(STATUS.format(bad="      512 B"))
    assert (cut.finished, cut.missing) == (False, 512)
    assert not parse_status("").finished


def test_a_share_that_is_no_number_is_none() -> None:
    assert parse_share("     pct rescued:   99.98%, read errors:        8,") == pytest.approx(
        0.9998
    )
    for text in ("1.2.3%", ".%", f"{'9' * 5000}%"):
        assert parse_share(f"     pct rescued:  {text}") is None
