"""What our commands make, as other tools read it."""

import subprocess
from pathlib import Path

import pytest

from rescue.discover.filesystems import read_options
from rescue.model.storage.filesystem import FileSystem, FsKind, FsOptions, SwapArea
from rescue.system.block import blockinfo
from rescue.system.block.mkfs import mkfs_argv, mkswap_argv, tune_argv, wipe_argv

UUID = "5d3f3c0e-7a46-4a3c-a0a5-0d4c1e5c8c11"


def image(folder: Path, name: str, mib: int) -> str:
    path = folder / name
    with path.open("wb") as file:
        file.truncate(mib * 1024 * 1024)
    return str(path)


def sh(*argv: str) -> str:
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout


@pytest.mark.parametrize(
    ("kind", "mib", "options"),
    [
        (FsKind.EXT2, 32, FsOptions(block_size=1024, inode_size=128, features=("ext_attr",))),
        (FsKind.EXT3, 32, FsOptions(block_size=4096, features=("filetype", "has_journal"))),
        (
            FsKind.EXT4,
            64,
            FsOptions(
                block_size=4096,
                inode_size=256,
                inode_count=16384,
                features=("extent", "filetype", "flex_bg", "has_journal", "sparse_super"),
            ),
        ),
        (FsKind.XFS, 320, FsOptions(features=("crc=1", "reflink=0", "bigtime=0", "rmapbt=1"))),
        (FsKind.BTRFS, 160, FsOptions(features=("^no-holes", "extref"))),
        (FsKind.VFAT, 64, FsOptions(fat_bits=32)),
        (FsKind.VFAT, 16, FsOptions(fat_bits=16)),
    ],
)
def test_made_as_asked(tmp_path: Path, kind: FsKind, mib: int, options: FsOptions) -> None:
    uuid = "ABCD-1234" if kind is FsKind.VFAT else UUID
    path = image(tmp_path, "fs.img", mib)
    sh(*mkfs_argv(FileSystem(kind=kind, uuid=uuid, label="DATA", options=options), path))
    seen = blockinfo.probe(path)
    assert seen is not None
    assert (seen.type, seen.uuid, seen.label) == (kind.value, uuid, "DATA")
    made, _ = read_options(kind, path, version=seen.version)
    if kind.is_ext:
        assert made.features == options.features
    else:
        assert set(options.features) <= set(made.features)
    if options.block_size:
        assert made.block_size == options.block_size
    if options.inode_count:
        assert made.inode_count == options.inode_count
    assert made.fat_bits == options.fat_bits


@pytest.mark.parametrize("kind", [FsKind.EXT4, FsKind.XFS, FsKind.BTRFS])
def test_twin_of_a_default_file_system_has_the_same_options(tmp_path: Path, kind: FsKind) -> None:
    first, second = image(tmp_path, "a.img", 320), image(tmp_path, "b.img", 320)
    sh({"ext4": "mkfs.ext4", "xfs": "mkfs.xfs", "btrfs": "mkfs.btrfs"}[kind.value], first)
    options, _ = read_options(kind, first, version="")
    sh(*mkfs_argv(FileSystem(kind=kind, uuid=UUID, options=options), second))
    assert read_options(kind, second, version="")[0] == options


@pytest.mark.parametrize(
    "tuned",
    [
        ["-m", "0", "-e", "remount-ro", "-o", "^acl,journal_data_writeback,nodelalloc"],
        ["-m", "1.5", "-e", "panic", "-o", "^acl,^user_xattr"],
        ["-m", "5", "-e", "continue", "-o", "journal_data_ordered,discard"],
    ],
)
def test_settings_beside_the_files_are_as_on_the_source(tmp_path: Path, tuned: list[str]) -> None:
    first, second = image(tmp_path, "a.img", 64), image(tmp_path, "b.img", 64)
    quotas = "quotatype=usrquota:prjquota"
    sh("mke2fs", "-q", "-t", "ext4", "-O", "quota,project", "-E", quotas, first)
    sh("tune2fs", *tuned, first)
    options, _ = read_options(FsKind.EXT4, first, version="")
    assert options.ext is not None
    assert options.ext.quotas == ("usrquota", "prjquota")
    sh(*mkfs_argv(FileSystem(kind=FsKind.EXT4, uuid=UUID, options=options), second))
    sh(*tune_argv(options.ext, second))
    assert read_options(FsKind.EXT4, second, version="")[0] == options
    # And back again, as a run does it.
    sh("tune2fs", "-m", "3", "-e", "panic", "-o", "journal_data,debug", second)
    sh(*tune_argv(options.ext, second))
    assert read_options(FsKind.EXT4, second, version="")[0] == options


def test_swap_and_wipe(tmp_path: Path) -> None:
    path = image(tmp_path, "swap.img", 8)
    sh(*mkswap_argv(SwapArea(uuid=UUID, label="sw"), path))
    seen = blockinfo.probe(path)
    assert seen is not None
    assert (seen.type, seen.uuid, seen.label) == ("swap", UUID, "sw")
    sh(*wipe_argv(path))
    after = blockinfo.probe(path)
    assert after is not None
    assert after.type == ""
