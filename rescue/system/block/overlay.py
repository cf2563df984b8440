"""A throw-away overlay over a disk, which a guest may write to while the disk stays unchanged.

A qcow2 file (QEMU: docs/interop/qcow2.txt) takes what is written; the disk beneath is its backing
file, which QEMU opens for reading alone. The file has no name, so that it is gone with us; what is
written to it lies on a disk, for it can be more than memory holds. To lay something into it
without a guest, QEMU's storage daemon shows the overlay as a file (a FUSE export), of which the
kernel's loop device takes a partition: that needs neither nbd nor a kernel that reads partition
tables, and no byte of the disk itself is within reach.
"""

import contextlib
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rescue.errors import RescueError, UsageError
from rescue.model.virtual import ImageFormat
from rescue.system.block.loop import Span
from rescue.system.files import mount_namespace
from rescue.system.process.beside import running
from rescue.system.process.run import CommandError, run, which

PLACE = Path("/var/tmp")
"""Where what a guest writes is kept meanwhile: on a disk, not in memory (hier(7))."""

_DAEMON = "qemu-storage-daemon"
_START_SECONDS = 30.0
_STOP_SECONDS = 120.0


@dataclass(frozen=True, kw_only=True)
class Overlay:
    """An overlay of a disk; `path` names its file for our own and other programs while we live."""

    path: str
    format: ImageFormat = ImageFormat.QCOW2


def create_argv(path: str, *, backing: str, format_: ImageFormat) -> list[str]:
    """Return the command that makes an empty overlay of a disk or image (man 1 qemu-img)."""
    return [
        *("qemu-img", "create", "-q", "-f", "qcow2"),
        *("-b", backing, "-F", format_.value, path),
    ]


def blank_argv(path: str, *, size: int) -> list[str]:
    """Return the command that makes an empty disk of so many bytes (man 1 qemu-img)."""
    return ["qemu-img", "create", "-q", "-f", "qcow2", path, str(size)]


def export_argv(overlay: Overlay, mount_point: Path, span: Span | None = None) -> list[str]:
    """Return the command that shows an overlay, or a part of it, as a raw file.

    (man 1 qemu-storage-daemon.) One export of a disk at a time: each wants to resize it.
    """
    cache = "cache.direct=off,cache.no-flush=on"
    nodes = [
        f"driver=file,node-name=file,filename={overlay.path},{cache}",
        f"driver={overlay.format.value},node-name=disk,file=file,{cache}",
    ]
    shown = "disk"
    if span is not None:
        shown = "part"
        nodes.append(f"driver=raw,node-name=part,file=disk,offset={span.start},size={span.length}")
    export = f"type=fuse,id=export,node-name={shown},mountpoint={mount_point},writable=on"
    blockdevs = (word for node in nodes for word in ("--blockdev", node))
    return [_DAEMON, *blockdevs, "--export", export]


def partition_argv(image: Path, span: Span, kind: str, target: Path) -> list[str]:
    """Return the command that mounts a part of an image file (man 8 mount, 'LOOP-DEVICE SUPPORT').

    Its loop device disappears with the mount. Its content is not trusted: a link there, which
    may be absolute and lead to this machine, is not followed, and ext errors stop nothing.
    """
    place = f"loop,offset={span.start},sizelimit={span.length}"
    calm = ",errors=remount-ro" if kind.startswith("ext") else ""
    options = f"{place},noatime,nodev,nosuid,noexec,nosymfollow{calm}"
    return ["mount", "-t", kind, "-o", options, str(image), str(target)]


@contextmanager
def part_mounted(image: Path, span: Span, *, kind: str, folder: Path) -> Iterator[Path]:
    """Mount a part of a disk that is shown at `image`, until the block's end.

    `folder` is of a private mount namespace. Raises CommandError where it cannot be mounted.
    """
    place = folder / "mounted"
    place.mkdir(exist_ok=True)
    mount_namespace.mount(partition_argv(image, span, kind, place))
    try:
        yield place
    finally:
        mount_namespace.unmount_all(place)


@contextmanager
def overlay_of(
    backing: str, *, format_: ImageFormat = ImageFormat.RAW, place: Path = PLACE
) -> Iterator[Overlay]:
    """Make an overlay of a disk or an image file; it is gone at the block's end, or with us.

    Raises CommandError where the disk cannot be read or qemu-img is not installed.
    """
    with tempfile.TemporaryFile(dir=place) as changes:
        path = f"/proc/{os.getpid()}/fd/{changes.fileno()}"
        run(create_argv(path, backing=backing, format_=format_))
        yield Overlay(path=path)


@contextmanager
def blank_disk(size: int, *, place: Path = PLACE) -> Iterator[Overlay]:
    """Make an empty disk of so many bytes; it is gone at the block's end, or when we die."""
    with tempfile.TemporaryFile(dir=place) as content:
        path = f"/proc/{os.getpid()}/fd/{content.fileno()}"
        run(blank_argv(path, size=size))
        yield Overlay(path=path)


@contextmanager
def exported(overlay: Overlay, folder: Path, *, span: Span | None = None) -> Iterator[Path]:
    """Show an overlay, or a part of it, as a raw file in `folder` that can be read and written.

    Before a guest is started over it: two writers would destroy it. `folder` is of a private
    mount namespace (`mountns.vanishing_folder`). Raises UsageError where the storage daemon is
    not installed, RescueError where it does not come up.
    """
    if which(_DAEMON) is None:
        raise UsageError(
            f"{_DAEMON} is not installed",
            hint="apt install --no-install-recommends qemu-system-x86 qemu-utils",
        )
    image, log = folder / "disk.raw", folder / "export.log"
    image.touch()
    before = image.stat().st_dev
    with running(export_argv(overlay, image, span), log=log) as daemon:
        deadline = time.monotonic() + _START_SECONDS
        while image.stat().st_dev == before:
            if not daemon.is_running or time.monotonic() > deadline:
                said = log.read_text(errors="replace").strip()
                raise RescueError(
                    f"the overlay cannot be shown as a file: {said or 'no answer'}",
                    hint="the kernel's fuse is needed: 'modprobe fuse'",
                )
            time.sleep(0.05)
        # What the caller mounts lives in a namespace without the daemon: killed as its last process
        # the daemon would flush a file system through itself, and wait for itself for ever.
        mount_namespace.enter_private()
        try:
            yield image
        finally:
            # What was written is in the overlay when it has ended by itself.
            daemon.stop(seconds=_STOP_SECONDS)
            with contextlib.suppress(CommandError):
                mount_namespace.unmount_all(image)
