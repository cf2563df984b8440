"""Mounts, the lines of fstab, and swap areas in use."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass

ANSWER_SECONDS = 120.0
"""How long what is mounted on demand may take; systemd gives up on a device after 90 seconds."""

_ON_DEMAND = frozenset({"noauto", "nofail", "x-systemd.automount"})
_OWN_NUMBERS = frozenset({"btrfs", "bcachefs", "zfs"})


def may_be_absent(options: Collection[str]) -> bool:
    """Whether the boot proceeds without the device of an fstab line with these options.

    That is where it is not mounted at boot (noauto), mounted when it is opened
    (x-systemd.automount), or not waited for (nofail); man 5 systemd.mount.
    """
    return not _ON_DEMAND.isdisjoint(options)


def is_within(path: str, folder: str) -> bool:
    """Whether a whole path (or glob) is the folder, or lies in it."""
    return folder == "/" or path == folder or path.startswith(f"{folder}/")


def holder_of(path: str, mount_points: Iterable[str]) -> str:
    """Return the mount point of the file system that holds a whole path (or glob): the deepest.

    Raises ValueError where the path lies in none of them.
    """
    return max((point for point in mount_points if is_within(path, point)), key=len)


@dataclass(frozen=True, kw_only=True)
class Mount:
    """One mounted file system of the running system, from /proc/self/mountinfo (man 5 proc).

    `root` is the visible part of the file system ('/' for the whole); `device` is the block
    device's node or the kernel's name ('tmpfs'); in a Machine it is never a device on which the
    file system does not lie. `used` are the bytes that its files take (man 3 statvfs), 0 where
    they were not measured; `shared` are the additional bytes that they would take if no two
    files shared content, likewise. `subvolumes` are the non-empty ones of a btrfs that is
    mounted as a whole, as paths below `target`; None where they could not be determined, and
    for everything else.
    """

    device: str
    target: str
    fstype: str
    options: tuple[str, ...] = ()
    root: str = "/"
    major_minor: str = ""
    used: int = 0
    shared: int = 0
    subvolumes: tuple[str, ...] | None = None

    @property
    def is_block(self) -> bool:
        """Whether it lies on block devices.

        This is determined by the device number, not by a name: a FUSE file system can call
        itself anything. Kinds that can span several devices have numbers that belong to no
        device.
        """
        if self.fstype in _OWN_NUMBERS:
            return True
        major = self.major_minor.partition(":")[0]
        return major != "0" if major else self.device.startswith("/dev/")

    @property
    def is_of_a_user(self) -> bool:
        """Whether anybody may have mounted it, over a folder of his own (man 1 fusermount3).

        A FUSE file system on a block device ('fuseblk') is root's.
        """
        return self.fstype == "fuse" or self.fstype.startswith("fuse.")


@dataclass(frozen=True, kw_only=True)
class FstabEntry:
    """One line of /etc/fstab (man 5 fstab), with escapes decoded as libmount does.

    `device` is the block device that `spec` resolved to, or '' where it resolves to none.
    """

    spec: str
    target: str
    fstype: str
    options: tuple[str, ...] = ()
    device: str = ""

    @property
    def is_block(self) -> bool:
        """Whether the line names a block device (and not tmpfs, a bind, or the network)."""
        if self.fstype in _OWN_NUMBERS:
            return True
        return self.spec.startswith("/dev/") or self.spec.partition("=")[0] in (
            "UUID",
            "LABEL",
            "PARTUUID",
            "PARTLABEL",
            "ID",
        )

    @property
    def may_be_absent(self) -> bool:
        """Whether the boot proceeds without it."""
        return may_be_absent(self.options)


@dataclass(frozen=True, kw_only=True)
class Swap:
    """One active swap: a device node, or a file's path with its size in bytes."""

    path: str
    is_file: bool
    size: int
