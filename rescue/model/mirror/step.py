"""The steps that plans are made of: complete values in a closed union, without behaviour.

Devices are named by their place on the target, or by file-system UUID; the engine turns them
into device nodes under the grant, when it opens them.
"""

from dataclasses import dataclass

from rescue.model.boot.files import LinkedFile
from rescue.model.boot.firmware import GrubPlatform
from rescue.model.mirror.differences import Differences
from rescue.model.mirror.role import Role
from rescue.model.storage.disk import PartitionTable
from rescue.model.storage.filesystem import ExtSettings, FileSystem, SwapArea
from rescue.model.storage.place import Place


@dataclass(frozen=True, kw_only=True)
class WipeSignatures:
    """Remove old signatures from the inside out: partitions, then the disk (man 8 wipefs)."""


@dataclass(frozen=True, kw_only=True)
class WriteTable:
    """Write this partition table; the contents of its partitions are not written by this."""

    table: PartitionTable


@dataclass(frozen=True, kw_only=True)
class MakeFilesystem:
    """Make a file system with the given UUID at one place of the disk.

    `mount_point` is where the running system has its counterpart ('' where it is not mounted).
    """

    place: Place
    filesystem: FileSystem
    mount_point: str = ""


@dataclass(frozen=True, kw_only=True)
class TuneFilesystem:
    """Give the mirror's ext2/3/4 for one mount point the source's present settings."""

    mount_point: str
    settings: ExtSettings


@dataclass(frozen=True, kw_only=True)
class MakeSwap:
    """Make a swap area with the given UUID at one place of the disk."""

    place: Place
    swap: SwapArea


@dataclass(frozen=True, kw_only=True)
class SyncTree:
    """Make the mirror's file system equal to the source's mounted at `mount_point`.

    Paths are relative to that file system's root and begin with '/'. `protect` are the mirror's
    own: neither sent nor deleted. `prune_last` are sent, but what vanished below them on the source
    is deleted only by `PruneTree`, after the boot files name what is there now. `paths` is None
    for everything, or the only paths to look at. `bandwidth_kib` is KiB a second, 0: no limit.
    Without `deletions` the mirror keeps what the source does not have. A `tight` one has no
    room for old and new at once: what is gone from the source is deleted first. `differences` are
    what a look just before the run found: only these names are carried out (None: everything is
    compared once more).
    """

    mount_point: str
    protect: tuple[str, ...] = ()
    prune_last: tuple[str, ...] = ()
    paths: tuple[str, ...] | None = None
    checksum: bool = False
    first: bool = False
    bandwidth_kib: int = 0
    deletions: bool = True
    tight: bool = False
    differences: Differences | None = None


@dataclass(frozen=True, kw_only=True)
class TakeContent:
    """Copy these files, whose contents differ though size and time are equal.

    Paths are relative to the file system's root and begin with '/'. `bandwidth_kib` is KiB a
    second, 0: no limit.
    """

    mount_point: str
    paths: tuple[str, ...]
    bandwidth_kib: int = 0


@dataclass(frozen=True, kw_only=True)
class PruneTree:
    """Delete what the source no longer has below these paths; `protect` as in SyncTree."""

    mount_point: str
    prune_last: tuple[str, ...]
    protect: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class CarryFlags:
    """Give the files of one file system the inode flags (chattr) of the source's.

    As the last thing: what is immutable cannot be written any more.
    """

    mount_point: str


@dataclass(frozen=True, kw_only=True)
class MakeSwapFile:
    """Make a swap file that the sync left out: path on the whole tree, and size in bytes."""

    path: str
    size: int


@dataclass(frozen=True, kw_only=True)
class WriteBootFiles:
    """Write every file that names a disk, translated by the record's identifier map.

    `patterns` are globs on the whole tree ('/etc/fstab', '/boot/loader/entries/*.conf'). A file
    that the source no longer has is removed from the mirror, where `deletions` are allowed. A link
    is written as it is; `linked` are the files that links lead to.
    `menus` are those that the boot loader reads: they are written when the kernels and initramfs
    that they name are there. `role` is what the target will be: a first disk gets none of the files
    of a mirror. `nofail` are mount points (and swap, as fstab names it) that the target must start
    without, since they lie on other disks.
    """

    patterns: tuple[str, ...]
    resume_uuid: str = ""
    menus: bool = False
    deletions: bool = True
    linked: tuple[LinkedFile, ...] = ()
    role: Role = Role.MIRROR
    nofail: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class BuildInitramfs:
    """Make the mirror's own initramfs for each kernel whose source initramfs is new."""


@dataclass(frozen=True, kw_only=True)
class InstallGrub:
    """Run grub-install for a platform onto the mirror, unless it already holds these files.

    `esp` is where the EFI system partition is mounted, '' for a platform that needs none.
    """

    platform: GrubPlatform
    distributor: str = "debian"
    esp: str = ""


Step = (
    WipeSignatures
    | WriteTable
    | MakeFilesystem
    | TuneFilesystem
    | MakeSwap
    | SyncTree
    | TakeContent
    | PruneTree
    | CarryFlags
    | MakeSwapFile
    | WriteBootFiles
    | BuildInitramfs
    | InstallGrub
)
