"""Commands that make file systems and swap areas, and remove old signatures; nothing runs here."""

from typing import assert_never

from rescue.model.storage.filesystem import ExtSettings, FileSystem, FsKind, SwapArea

_XFS_METADATA = ("crc", "finobt", "inobtcount", "reflink", "rmapbt", "bigtime")
_XFS_INODE = ("projid32bit", "sparse", "nrext64")
_XFS_NAMING = ("ftype",)

_JOURNAL = "journal_data"
_MOUNT_DEFAULTS = (
    "debug",
    "bsdgroups",
    "user_xattr",
    "acl",
    "uid16",
    "nobarrier",
    "block_validity",
    "discard",
    "nodelalloc",
)

_BTRFS_RUNTIME = ("free-space-tree",)
"""Debian 12's mkfs.btrfs (6.2) knows it as a runtime feature; newer ones take both ways."""


def mkfs_argv(filesystem: FileSystem, device: str) -> list[str]:
    """Return the command that makes this file system, with its UUID, label and features."""
    match filesystem.kind:
        case FsKind.EXT2 | FsKind.EXT3 | FsKind.EXT4:
            return _ext(filesystem, device)
        case FsKind.XFS:
            return _xfs(filesystem, device)
        case FsKind.BTRFS:
            return _btrfs(filesystem, device)
        case FsKind.VFAT:
            return _vfat(filesystem, device)
        case _:
            assert_never(filesystem.kind)


def tune_argv(settings: ExtSettings, device: str) -> list[str]:
    """Return the command that gives an unmounted ext2/3/4 these settings (man 8 tune2fs).

    Its quotas are made with it, or not at all.
    """
    journal = [name for name in settings.mount_defaults if name.startswith(_JOURNAL)]
    plain = [name for name in settings.mount_defaults if not name.startswith(_JOURNAL)]
    # One of three: '^' before any of them takes the choice back.
    cleared = [f"^{name}" for name in (_JOURNAL, *_MOUNT_DEFAULTS) if name not in plain]
    words = ",".join([*cleared, *plain, *journal])
    return ["tune2fs", "-m", str(settings.reserved), "-e", settings.errors, "-o", words, device]


def mkswap_argv(swap: SwapArea, device: str) -> list[str]:
    """Return the command that makes a swap area with a given UUID (man 8 mkswap)."""
    label = ["--label", swap.label] if swap.label else []
    return ["mkswap", "--force", "--uuid", swap.uuid, *label, device]


def mkswap_file_argv(path: str) -> list[str]:
    """Return the command that makes a file a swap area, with a UUID of its own."""
    return ["mkswap", path]


def wipe_argv(device: str) -> list[str]:
    """Return the command that removes every signature libblkid knows (man 8 wipefs).

    --force, since we hold the whole disk ourselves, and wipefs would refuse for that.
    """
    return ["wipefs", "--all", "--force", device]


def _ext(filesystem: FileSystem, device: str) -> list[str]:
    options = filesystem.options
    argv = ["mke2fs", "-q", "-F", "-t", filesystem.kind.value, "-U", filesystem.uuid]
    if filesystem.label:
        argv += ["-L", filesystem.label]
    if options.block_size:
        argv += ["-b", str(options.block_size)]
    if options.inode_size:
        argv += ["-I", str(options.inode_size)]
    if options.inode_count:
        argv += ["-N", str(options.inode_count)]
    if options.features:
        # 'none' first: otherwise today's mke2fs.conf adds what the source's GRUB may not know.
        argv += ["-O", ",".join(("none", *options.features))]
    # Tables written now, not by a kernel thread after the first mount; a new file system needs
    # no discard, and a disk that was in use may take minutes for it.
    extended = "lazy_itable_init=0,lazy_journal_init=0,nodiscard"
    if options.ext and options.ext.quotas:
        extended += f",quotatype={':'.join(options.ext.quotas)}"
    return [*argv, "-E", extended, device]


def _xfs(filesystem: FileSystem, device: str) -> list[str]:
    options = filesystem.options
    known = dict(_xfs_feature(token) for token in options.features)
    argv = ["mkfs.xfs", "-q", "-f", "-K"]
    if options.block_size:
        argv += ["-b", f"size={options.block_size}"]
    argv += ["-m", ",".join([f"uuid={filesystem.uuid}", *_chosen(known, _XFS_METADATA)])]
    inode = [*([f"size={options.inode_size}"] if options.inode_size else [])]
    inode += _chosen(known, _XFS_INODE)
    if inode:
        argv += ["-i", ",".join(inode)]
    # Without checksums ftype is a choice; with them it is always on and refused as an option 0.
    if naming := _chosen(known, _XFS_NAMING):
        argv += ["-n", ",".join(naming)]
    if sector := known.get("sectsz"):
        argv += ["-s", f"size={sector}"]
    if filesystem.label:
        argv += ["-L", filesystem.label]
    return [*argv, device]


def _xfs_feature(token: str) -> tuple[str, str]:
    name, sep, value = token.partition("=")
    return name, value if sep else "1"


def _chosen(known: dict[str, str], names: tuple[str, ...]) -> list[str]:
    return [f"{name}={known[name]}" for name in names if name in known]


def _btrfs(filesystem: FileSystem, device: str) -> list[str]:
    options = filesystem.options
    argv = ["mkfs.btrfs", "--quiet", "--force", "--nodiscard", "--uuid", filesystem.uuid]
    if options.block_size:
        argv += ["--sectorsize", str(options.block_size)]
    runtime = [name for name in options.features if name.lstrip("^") in _BTRFS_RUNTIME]
    # '^no-holes' denies a default of today's mkfs.btrfs that the source lacks.
    if wanted := [name for name in options.features if name not in runtime]:
        argv += ["--features", ",".join(wanted)]
    if runtime:
        argv += ["--runtime-features", ",".join(runtime)]
    if filesystem.label:
        argv += ["--label", filesystem.label]
    return [*argv, device]


def _vfat(filesystem: FileSystem, device: str) -> list[str]:
    # udev writes the volume id as ABCD-1234, mkfs.vfat wants the eight digits (man 8 mkfs.fat).
    argv = ["mkfs.vfat", "-i", filesystem.uuid.replace("-", "")]
    if filesystem.options.fat_bits:
        argv += ["-F", str(filesystem.options.fat_bits)]
    if filesystem.label:
        argv += ["-n", filesystem.label]
    return [*argv, device]
