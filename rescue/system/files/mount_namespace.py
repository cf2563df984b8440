"""Private mounts in a mount namespace (man 7 mount_namespaces).

It ends with its last process, and every mount in it too: a run that dies leaves nothing mounted.

Trees that users write in are seen through `SAFE` mounts alone: whatever they link, and whenever
they swap a folder for a link, no path that begins in such a mount leads out of it.
"""

import contextlib
import ctypes
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from rescue.errors import RescueError
from rescue.model.storage.filesystem import FsKind
from rescue.system.block import blockinfo
from rescue.system.process.run import CommandError, run

_CLONE_NEWNS = 0x00020000
_MNT_DETACH = 2
_ATTEMPTS = 10
_OWN_NAMESPACE = Path("/proc/self/ns/mnt")
_REPLAY = 900.0
"""Seconds: a journal that has to be replayed on a slow disk takes its time."""

SAFE = "nosymfollow,nodev,nosuid,noexec"
"""Links can be read and made, and lead nowhere (man 8 mount, nosymfollow; Linux 5.10). Device
nodes and programs can be copied, and neither opened nor started."""

_TAKEN_BACK = "symfollow,exec"
"""Where programs of the mirror run in its own tree: they need its links."""


class Access(Enum):
    """How a mirror is mounted: to write, to read (a journal may be replayed), or to look at."""

    READ_WRITE = "rw"
    READ = "ro"
    LOOK = "look"


_LOOK = {
    # Not even the journal is replayed: looking at a disk must not change it.
    FsKind.EXT2: "ro",
    FsKind.EXT3: "ro,noload",
    FsKind.EXT4: "ro,noload",
    FsKind.XFS: "ro,norecovery",
    FsKind.BTRFS: "ro,rescue=nologreplay",
    FsKind.VFAT: "ro",
}
_CALM = "errors=remount-ro"
"""What ext does with errors is in its superblock; 'panic' there would stop this machine."""

_GOING_ON = "errors=continue"
"""A mirror mounted for writing: whatever can no longer be read on it is rewritten."""


@dataclass(frozen=True, kw_only=True)
class Mounted:
    """What is mounted in a place, as the kernel reports it; `device` is the node, not a link."""

    device: str
    uuid: str
    fstype: str


class HostNamespace:
    """The mount namespace that this process is in now, kept for children after it has left it."""

    def __enter__(self) -> "HostNamespace":
        self._fd = os.open(_OWN_NAMESPACE, os.O_RDONLY | os.O_CLOEXEC)
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._fd)

    def prefix(self) -> list[str]:
        """Return the command prefix that runs a program in the host's namespace (nsenter)."""
        if os.fstat(self._fd).st_ino == _OWN_NAMESPACE.stat().st_ino:
            return []
        return ["nsenter", f"--mount=/proc/{os.getpid()}/fd/{self._fd}", "--"]


def enter_private() -> None:
    """Move this process into a mount namespace of its own, whose mounts do not propagate.

    Mounts made by the machine remain visible in it: otherwise nothing could be mounted on
    demand. Raises RescueError where the kernel refuses (not root). Children that are started
    from now on live in it; there is no way back for this process.
    """
    # os.unshare came with Python 3.12.
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_CLONE_NEWNS) != 0:
        raise RescueError(
            f"no private mount namespace: {os.strerror(ctypes.get_errno())}",
            hint="run rescue as root",
        )
    run(["mount", "--make-rslave", "/"])


def mount_argv(
    device: str, target: Path, kind: FsKind, access: Access, *, compression: str = ""
) -> list[str]:
    """Return the command that mounts a mirror's file system (man 8 mount).

    `compression` is the source's own option, where what is written takes as much room as there
    ('compress=zstd:3').
    """
    match access:
        case Access.LOOK:
            options = look_options(kind)
        case Access.READ:
            options = _options(kind, access.value)
        case Access.READ_WRITE:
            options = _options(kind, access.value, errors=_GOING_ON)
    more = f",{compression}" if compression else ""
    return ["mount", "-t", kind.value, "-o", f"{options}{more}", device, str(target)]


def look_options(kind: FsKind) -> str:
    """Return the mount options for inspecting an untrusted disk (man 8 mount)."""
    return _options(kind, _LOOK[kind])


def _options(kind: FsKind, how: str, *, errors: str = _CALM) -> str:
    return ",".join(("noatime", SAFE, how, *((errors,) if kind.is_ext else ())))


def compression_at(target: Path) -> str:
    """Return the compression option of what is mounted there (man 5 btrfs), or ''."""
    path = os.path.realpath(target)
    found = next((m for m in reversed(blockinfo.mounts()) if m.target == path), None)
    options = found.options if found is not None and found.fstype == FsKind.BTRFS else ()
    return next((each for each in options if each.startswith("compress")), "")


def tmpfs_argv(target: Path, *, size: str, mode: str) -> list[str]:
    """Return the command that mounts an empty file system in memory."""
    return ["mount", "-t", "tmpfs", "-o", f"mode={mode},size={size}", "rescue", str(target)]


@contextmanager
def vanishing_folder(target: Path, *, size: str) -> Iterator[Path]:
    """Make a folder in memory that nobody else sees, gone at the block's end or when we die.

    `size` is what it may hold, as mount takes it ('64m'). Takes this process into a private mount
    namespace for good. Raises RescueError where the kernel refuses.
    """
    enter_private()
    target.mkdir(mode=0o700, parents=True, exist_ok=True)
    mount(tmpfs_argv(target, size=size, mode="0700"))
    try:
        yield target
    finally:
        # Where it is still held, it goes with the last process of the namespace.
        with contextlib.suppress(CommandError):
            unmount_all(target)


def bind_argv(source: Path, target: Path) -> list[str]:
    """Return the command that shows one file system in a second place, without its submounts.

    It stays so: what the machine mounts on it meanwhile is not seen at the second place. A folder
    that is covered would look empty.
    """
    return ["mount", "--bind", "--make-private", str(source), str(target)]


def safe_bind_argv(target: Path, *, read_only: bool) -> list[str]:
    """Return the command that makes an existing bind mount safe; the original stays as it is."""
    how = f"ro,{SAFE}" if read_only else SAFE
    return ["mount", "-o", f"remount,bind,{how}", str(target)]


def take_back_argv(target: Path) -> list[str]:
    """Return the command that allows links and programs again on one bind mount only."""
    return ["mount", "-o", f"remount,bind,{_TAKEN_BACK}", str(target)]


def special_argv(kind: str, target: Path) -> list[str]:
    """Return the command that mounts one of the kernel's own file systems (proc, sysfs)."""
    return ["mount", "-t", kind, "-o", "nosuid,nodev,noexec", kind, str(target)]


def mount(argv: list[str], *, timeout: float = _REPLAY) -> None:
    """Run a mount command, for at most this many seconds. Raises CommandError."""
    run(argv, timeout=timeout)


def bind_safely(source: Path, target: Path, *, read_only: bool = True) -> None:
    """Show the file system at `source` at `target`, without what is mounted on it.

    What users link there leads nowhere. Raises CommandError.
    """
    mount(bind_argv(source, target))
    mount(safe_bind_argv(target, read_only=read_only))


def uncover(target: Path) -> None:
    """Remove, for this process only, what users have mounted over a file system of the machine.

    Only in a private mount namespace. Raises OSError.
    """
    path = os.path.realpath(target)
    over = [mount for mount in blockinfo.mounts() if mount.target == path]
    while len(over) > 1 and over.pop().is_of_a_user:
        # Not by its path in a command: what lies there may not even let root look.
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.umount2(os.fsencode(path), _MNT_DETACH) != 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), path)


def unmount_all(root: Path) -> None:
    """Unmount everything at and below a folder, innermost first (man 8 umount).

    Retried for some seconds: a child that was told to end may still hold it.
    """
    for attempt in range(_ATTEMPTS):
        try:
            run(["umount", "--recursive", str(root)], timeout=3600)
        except CommandError:
            if attempt + 1 == _ATTEMPTS:
                raise
            time.sleep(0.5)
        else:
            return


def mounted_at(target: Path) -> Mounted:
    """Return what is mounted exactly there. Raises RescueError if nothing is.

    The UUID is read from the device itself, past every cache.
    """
    path = os.path.realpath(target)
    found = next((m for m in reversed(blockinfo.mounts()) if m.target == path), None)
    if found is None:
        raise RescueError(
            f"nothing is mounted at {target}",
            hint="see 'findmnt' and 'dmesg', and mount it as /etc/fstab says",
        )
    named = found.is_block and found.device.startswith("/dev/")
    signature = blockinfo.probe(found.device) if named else None
    return Mounted(
        device=os.path.realpath(found.device) if named else found.device,
        uuid=signature.uuid if signature else "",
        fstype=found.fstype,
    )


def expect(target: Path, *, uuid: str, below: Path) -> None:
    """Raise RescueError unless the file system with that UUID is what is mounted at `target`.

    `below` is a folder outside it: were they on one device, nothing would be mounted at all, and
    a run would write into the wrong file system.
    """
    if target.stat().st_dev == below.stat().st_dev:
        raise RescueError(
            f"{target} is not mounted: it lies on the same file system as {below}",
            hint="nothing was written; see 'dmesg'",
        )
    seen = mounted_at(target)
    if seen.uuid.lower() != uuid.lower():
        raise RescueError(
            f"{target} holds the file system {seen.uuid or seen.fstype} of {seen.device}, "
            f"expected was {uuid}",
            hint="nothing was written; compare 'rescue disks' with what was enrolled",
        )
