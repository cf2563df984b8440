"""The door to GNU ddrescue: a dying disk into an image file, resumable (info ddrescue)."""

import contextlib
import os
import re
import stat
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from rescue.errors import RefusedError
from rescue.system.process.run import CommandError, run, stream


@dataclass(frozen=True, kw_only=True)
class Rescued:
    """The state in a map file: whether the image is complete, and roughly the bytes missing."""

    finished: bool
    rescued: int
    missing: int


def map_of(image: str) -> str:
    """Return the path of an image's map file, from which the next run continues."""
    return f"{image}.map"


def ddrescue_argv(disk: str, image: str) -> list[str]:
    """Return the command that copies what can be read, and tries bad areas once more.

    --sparse keeps what is all zeros off the target's disk.
    """
    return ["ddrescue", "--sparse", "--retry-passes=1", disk, image, map_of(image)]


def status_argv(image: str) -> list[str]:
    """Return the command that prints what a map file says (man 1 ddrescuelog)."""
    return ["ddrescuelog", "--show-status", map_of(image)]


def salvage(disk: str, image: str, *, on_share: Callable[[float], None]) -> Rescued:
    """Copy the disk into the image, reporting the share (0 to 1) rescued so far.

    A disk's content is for root only, and so are image and map from their first byte: they may
    lie in a folder that many can read and write. Raises RefusedError where an existing one is
    not ours alone, CommandError where the disk was not read to its end.
    """
    _make_private(Path(image), Path(map_of(image)))

    def on_line(text: str) -> None:
        if (share := parse_share(text)) is not None:
            on_share(share)

    done = stream(ddrescue_argv(disk, image), on_line=on_line, umask=0o077)
    if done.returncode != 0:
        raise CommandError(done, hint="run the same command again: it goes on where it was")
    return status(image)


def _make_private(image: Path, known: Path) -> None:
    """Create the image if necessary, and check that nobody else holds it or its map.

    Whoever made a file keeps what he opened, and a link leads where he wants. Ours is what has the
    owner of a file that is made now: a share of the network may give root another one.
    """
    with tempfile.TemporaryFile(dir=image.parent) as made:
        owner = os.fstat(made.fileno()).st_uid
    with contextlib.suppress(FileExistsError):
        os.close(os.open(image, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    for path in (image, known):
        try:
            fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except FileNotFoundError:
            continue
        except OSError as error:
            raise _not_ours(path) from error
        try:
            seen = os.fstat(fd)
            if not stat.S_ISREG(seen.st_mode) or seen.st_uid != owner or seen.st_nlink > 1:
                raise _not_ours(path)
            # vfat and others have no modes: there the mount says who reads.
            with contextlib.suppress(PermissionError):
                os.fchmod(fd, 0o600)
        finally:
            os.close(fd)


def _not_ours(path: Path) -> RefusedError:
    return RefusedError(
        f"{path} is a link, or was made by somebody else, who could read the disk in it",
        hint="nothing was written; name a file in a folder where only root can write",
    )


def parse_share(line: str) -> float | None:
    """Given a line of ddrescue's display, return the share rescued, if the line states it."""
    found = re.match(r"\s*pct rescued:\s+(\d{1,3}(?:\.\d+)?)%", line)
    return float(found[1]) / 100 if found else None


def status(image: str) -> Rescued:
    """Return what the map file beside an image says."""
    return parse_status(run(status_argv(image)).stdout)


_UNITS = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
_MISSING = ("non-tried", "non-trimmed", "non-scraped", "bad-sector")


def parse_status(text: str) -> Rescued:
    """Parse the output of `ddrescuelog --show-status` (rounded, in decimal units)."""
    found = re.findall(r"^[ \t]*([a-z-]+):[ \t]+(\d{1,19}) ([kMGT]?)B,", text, re.MULTILINE)
    sizes = {name: int(number) * _UNITS[unit] for name, number, unit in found}
    missing = sum(sizes.get(name, 0) for name in _MISSING)
    return Rescued(
        finished="rescued" in sizes and not missing,
        rescued=sizes.get("rescued", 0),
        missing=missing,
    )
