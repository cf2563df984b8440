"""The programs that rescue needs, and the Debian packages that contain them."""

from collections.abc import Callable, Collection

from rescue.model.storage.filesystem import FsKind

_ALWAYS = (
    ("rsync", "rsync"),
    ("sfdisk", "fdisk"),
    ("blkid", "util-linux"),
    ("findmnt", "util-linux"),
    ("wipefs", "util-linux"),
    ("mkswap", "util-linux"),
    ("setpriv", "util-linux"),
    ("ionice", "util-linux"),
    ("mount", "mount"),
    ("udevadm", "udev"),
    ("grub-install", "grub2-common"),
    ("mkinitramfs", "initramfs-tools-core"),
    ("lsinitramfs", "initramfs-tools-core"),
    ("unmkinitramfs", "initramfs-tools-core"),
)

_E2FSPROGS = (("dumpe2fs", "e2fsprogs"),)

_FOR_KIND: dict[FsKind, tuple[tuple[str, str], ...]] = {
    FsKind.EXT2: (("mkfs.ext2", "e2fsprogs"), *_E2FSPROGS),
    FsKind.EXT3: (("mkfs.ext3", "e2fsprogs"), *_E2FSPROGS),
    FsKind.EXT4: (("mkfs.ext4", "e2fsprogs"), *_E2FSPROGS),
    FsKind.XFS: (("mkfs.xfs", "xfsprogs"), ("xfs_db", "xfsprogs")),
    FsKind.BTRFS: (("mkfs.btrfs", "btrfs-progs"), ("btrfs", "btrfs-progs")),
    FsKind.VFAT: (("mkfs.vfat", "dosfstools"),),
}


def needed_tools(kinds: Collection[FsKind]) -> tuple[tuple[str, str], ...]:
    """Return program and Debian package of every tool needed with these file systems."""
    named = [pair for kind in FsKind if kind in kinds for pair in _FOR_KIND[kind]]
    return (*_ALWAYS, *dict.fromkeys(named))


def missing_tools(
    kinds: Collection[FsKind], which: Callable[[str], str | None]
) -> tuple[tuple[str, str], ...]:
    """Return those of the needed programs that `which` does not find."""
    return tuple((tool, package) for tool, package in needed_tools(kinds) if not which(tool))
