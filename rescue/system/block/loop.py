"""Loop devices (man 8 losetup): a part of a disk or of an image file, seen as a block device.

Read-only ones are locked in the kernel: no mount, no repair and no journal gets through them. A
detached device that is still mounted goes away with its last user, so that a process that dies
leaves none behind.
"""

import contextlib
from dataclasses import dataclass

from rescue.system.process.run import CommandError, run


@dataclass(frozen=True, kw_only=True)
class Span:
    """A part of a device or file, in bytes from its beginning; length 0 is all the rest."""

    start: int = 0
    length: int = 0


def attach_argv(path: str, span: Span, *, writable: bool = False, sector: int = 0) -> list[str]:
    """Return the command that makes a loop device and prints its node.

    `sector` is the size in bytes of the logical sectors that it shows, 0 for the usual one.
    """
    return [
        "losetup",
        "--find",
        "--show",
        *([] if writable else ["--read-only"]),
        *([f"--offset={span.start}"] if span.start else []),
        *([f"--sizelimit={span.length}"] if span.length else []),
        *([f"--sector-size={sector}"] if sector else []),
        path,
    ]


def attach(path: str, span: Span | None = None, *, writable: bool = False, sector: int = 0) -> str:
    """Make a loop device over a part of `path` and return its node. Raises CommandError."""
    argv = attach_argv(path, span or Span(), writable=writable, sector=sector)
    return run(argv).stdout.strip()


def detach(device: str) -> None:
    """Release a loop device; one still in use disappears with its last user."""
    with contextlib.suppress(CommandError):
        run(["losetup", "--detach", device])


def sector_size(device: str) -> int:
    """Return the size in bytes of a block device's logical sectors (man 8 blockdev)."""
    return int(run(["blockdev", "--getss", device]).stdout)


def sectors(device: str) -> int:
    """Return the size of a block device in units of 512 bytes (man 8 blockdev)."""
    return int(run(["blockdev", "--getsz", device]).stdout)
