"""What is mounted, what fstab says, and what is swapped to."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Mount:
    """One mounted file system of the running system, from /proc/self/mountinfo (man 5 proc).

    `root` is the part of the file system that is seen ('/' for the whole); `device` is the
    block device's node or the name the kernel gives ('tmpfs'); `used` are the bytes that its
    files take (man 3 statvfs), 0 where that was not asked for. `subvolumes` are those of a btrfs
    that is mounted as a whole and that hold something, as paths below `target`; None where nobody
    could say, and for everything else.
    """

    device: str
    target: str
    fstype: str
    options: tuple[str, ...] = ()
    root: str = "/"
    major_minor: str = ""
    used: int = 0
    subvolumes: tuple[str, ...] | None = None


@dataclass(frozen=True, kw_only=True)
class FstabEntry:
    """One line of /etc/fstab (man 5 fstab), with libmount's own reading of its escapes.

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
        return self.spec.startswith("/dev/") or self.spec.partition("=")[0] in (
            "UUID",
            "LABEL",
            "PARTUUID",
            "PARTLABEL",
            "ID",
        )

    @property
    def may_be_absent(self) -> bool:
        """Whether the boot does not wait for it ('noauto' or 'nofail')."""
        return "noauto" in self.options or "nofail" in self.options


@dataclass(frozen=True, kw_only=True)
class Swap:
    """One active swap: a device node, or a file's path with its size in bytes."""

    path: str
    is_file: bool
    size: int
