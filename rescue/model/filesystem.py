"""File systems and swap areas: what is needed to make one again that boots as well."""

from dataclasses import dataclass, field
from enum import StrEnum


class FsKind(StrEnum):
    """The kinds of file system that can be made again, by the names of libblkid."""

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
class FsOptions:
    """What mkfs is told beyond identity, read from the source's superblock.

    `features` are the names of the kind's own tools: ext (dumpe2fs -h, without those that only
    describe a state), xfs ('crc', 'reflink=0', ... as xfs_info prints them) and btrfs. Zero
    means: left to the tool. `fat_bits` is 12, 16 or 32 for vfat.
    """

    block_size: int = 0
    inode_size: int = 0
    inode_count: int = 0
    features: tuple[str, ...] = ()
    fat_bits: int = 0


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
