"""File systems and swap areas, described so that an equal one can be made."""

from dataclasses import dataclass, field
from enum import StrEnum


class FsKind(StrEnum):
    """The kinds of file system that rescue can recreate, by libblkid's names."""

    EXT2 = "ext2"
    EXT3 = "ext3"
    EXT4 = "ext4"
    XFS = "xfs"
    BTRFS = "btrfs"
    VFAT = "vfat"

    @property
    def is_ext(self) -> bool:
        """Whether e2fsprogs makes it."""
        return self in (FsKind.EXT2, FsKind.EXT3, FsKind.EXT4)


@dataclass(frozen=True, kw_only=True)
class ExtSettings:
    """tune2fs settings in an ext2/3/4 superblock that affect mounting (man 8 tune2fs).

    `reserved` are the blocks kept back for root, in per cent with two decimals; `errors` is what
    the kernel does when it finds damage: 'continue', 'remount-ro' or 'panic'; `mount_defaults` are
    the default mount options, sorted; `quotas` are those that live in hidden files: 'usrquota',
    'grpquota', 'prjquota'.
    """

    reserved: float
    errors: str
    mount_defaults: tuple[str, ...] = ()
    quotas: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class FsOptions:
    """The mkfs options other than identity, read from the source's superblock.

    `features` are the names of the kind's own tools: ext (dumpe2fs -h, without those that only
    describe a state), xfs ('crc', 'reflink=0', ... as xfs_info prints them) and btrfs. Zero
    means: left to the tool. `fat_bits` is 12, 16 or 32 for vfat; `ext` is None for every other
    kind, and where it could not be read.
    """

    block_size: int = 0
    inode_size: int = 0
    inode_count: int = 0
    features: tuple[str, ...] = ()
    fat_bits: int = 0
    ext: ExtSettings | None = None


@dataclass(frozen=True, kw_only=True)
class FileSystem:
    """One file system on one block device."""

    kind: FsKind
    uuid: str
    label: str = ""
    options: FsOptions = field(default_factory=FsOptions)


@dataclass(frozen=True, kw_only=True)
class SwapArea:
    """A swap area on a block device of its own."""

    uuid: str
    label: str = ""
