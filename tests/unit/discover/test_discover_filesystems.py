"""Superblocks as their own tools print them, read into what mkfs is told."""

from pathlib import Path

from rescue.discover.filesystems import (
    options_argv,
    parse_dump_super,
    parse_dumpe2fs,
    parse_xfs_info,
)
from rescue.model.storage.filesystem import FsKind, FsOptions

DATA = Path(__file__).parents[2] / "data" / "discover"


def recorded(name: str) -> str:
    return (DATA / name).read_text("utf-8")


def test_ext4() -> None:
    options = parse_dumpe2fs(recorded("dumpe2fs-ext4.txt"))
    assert (options.block_size, options.inode_size, options.inode_count) == (1024, 256, 51200)
    assert {"extent", "64bit", "metadata_csum", "has_journal"} <= set(options.features)


def test_ext4_that_is_mounted_has_no_feature_of_its_state() -> None:
    text = "Filesystem features:      has_journal needs_recovery extent orphan_present\n"
    assert parse_dumpe2fs(text).features == ("extent", "has_journal")


def test_xfs() -> None:
    assert parse_xfs_info(recorded("xfs-info.txt")) == FsOptions(
        block_size=4096,
        inode_size=512,
        features=(
            "crc=1",
            "finobt=1",
            "sparse=1",
            "rmapbt=0",
            "reflink=1",
            "bigtime=1",
            "inobtcount=1",
            "nrext64=0",
            "ftype=1",
        ),
    )


def test_btrfs() -> None:
    assert parse_dump_super(recorded("btrfs-super.txt")) == FsOptions(
        block_size=4096,
        features=("extref", "no-holes", "skinny-metadata"),
    )


def test_a_btrfs_without_a_feature_says_so_since_mkfs_would_add_it() -> None:
    text = recorded("btrfs-super.txt").replace(" |\n\t\t\t  NO_HOLES )", " )")
    assert parse_dump_super(text).features == ("^no-holes", "extref", "skinny-metadata")


def test_superblocks_are_read_on_the_device() -> None:
    assert options_argv(FsKind.EXT3, "/dev/vda3") == ["dumpe2fs", "-h", "/dev/vda3"]
    assert options_argv(FsKind.XFS, "/dev/vda3") == ["xfs_db", "-r", "-c", "info", "/dev/vda3"]
