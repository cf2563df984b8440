from rescue.model.storage.filesystem import FileSystem, FsKind, FsOptions, SwapArea
from rescue.system.block.mkfs import mkfs_argv, mkswap_argv, wipe_argv

UUID = "5d3f3c0e-7a46-4a3c-a0a5-0d4c1e5c8c11"


def test_ext4_has_the_sources_features_and_no_others() -> None:
    options = FsOptions(
        block_size=4096, inode_size=256, inode_count=8192, features=("extent", "has_journal")
    )
    assert mkfs_argv(
        FileSystem(kind=FsKind.EXT4, uuid=UUID, label="root", options=options), "/dev/x1"
    ) == [
        *["mke2fs", "-q", "-F", "-t", "ext4", "-U", UUID, "-L", "root"],
        *["-b", "4096", "-I", "256", "-N", "8192", "-O", "none,extent,has_journal"],
        *["-E", "lazy_itable_init=0,lazy_journal_init=0,nodiscard", "/dev/x1"],
    ]


def test_options_that_are_not_known_are_left_to_the_tool() -> None:
    argv = mkfs_argv(FileSystem(kind=FsKind.EXT2, uuid=UUID), "/dev/x1")
    assert not {"-O", "-b", "-I", "-N", "-L"} & set(argv)


def test_xfs_tokens_go_to_their_own_options() -> None:
    options = FsOptions(
        block_size=4096,
        inode_size=512,
        features=("crc=1", "finobt=1", "sparse=1", "reflink=0", "bigtime=1", "ftype=1"),
    )
    assert mkfs_argv(FileSystem(kind=FsKind.XFS, uuid=UUID, options=options), "/dev/x1") == [
        *["mkfs.xfs", "-q", "-f", "-K", "-b", "size=4096"],
        *["-m", f"uuid={UUID},crc=1,finobt=1,reflink=0,bigtime=1"],
        *["-i", "size=512,sparse=1", "-n", "ftype=1", "/dev/x1"],
    ]


def test_btrfs_free_space_tree_is_a_runtime_feature() -> None:
    options = FsOptions(block_size=4096, features=("^free-space-tree", "^no-holes", "extref"))
    argv = mkfs_argv(FileSystem(kind=FsKind.BTRFS, uuid=UUID, options=options), "/dev/x1")
    assert argv[argv.index("--features") + 1] == "^no-holes,extref"
    assert argv[argv.index("--runtime-features") + 1] == "^free-space-tree"


def test_vfat_and_swap_and_wipe() -> None:
    esp = FileSystem(
        kind=FsKind.VFAT, uuid="ABCD-1234", label="ESP", options=FsOptions(fat_bits=32)
    )
    assert mkfs_argv(esp, "/dev/x1") == [
        *["mkfs.vfat", "-i", "ABCD1234", "-F", "32", "-n", "ESP", "/dev/x1"]
    ]
    assert mkswap_argv(SwapArea(uuid=UUID, label="s"), "/dev/x2") == [
        *["mkswap", "--force", "--uuid", UUID, "--label", "s", "/dev/x2"]
    ]
    assert wipe_argv("/dev/x1") == ["wipefs", "--all", "--force", "/dev/x1"]
