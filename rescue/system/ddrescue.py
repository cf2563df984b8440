"""The door to GNU ddrescue: a dying disk into an image file, resumable (info ddrescue)."""

import re
from collections.abc import Callable
from dataclasses import dataclass

from rescue.system.run import CommandError, run, stream


@dataclass(frozen=True, kw_only=True)
class Rescued:
    """What a map file says: whether all is in the image, and about how many bytes are not."""

    finished: bool
    rescued: int
    missing: int


def map_of(image: str) -> str:
    """Return the path of an image's map file, which lets a run go on where the last one ended."""
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
    """Copy the disk into the image, telling which share of it (0 to 1) is in the image.

    Raises CommandError where it was not read to its end.
    """

    def on_line(text: str) -> None:
        if (share := parse_share(text)) is not None:
            on_share(share)

    done = stream(ddrescue_argv(disk, image), on_line=on_line)
    if done.returncode != 0:
        raise CommandError(done, hint="run the same command again: it goes on where it was")
    return status(image)


def parse_share(line: str) -> float | None:
    """Given a line of ddrescue's display, return the share that is rescued, where it tells."""
    found = re.match(r"\s*pct rescued:\s+([\d.]+)%", line)
    return float(found[1]) / 100 if found else None


def status(image: str) -> Rescued:
    """Return what the map file beside an image says."""
    return parse_status(run(status_argv(image)).stdout)


_UNITS = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
_MISSING = ("non-tried", "non-trimmed", "non-scraped", "bad-sector")


def parse_status(text: str) -> Rescued:
    """Given what `ddrescuelog --show-status` prints (rounded, in decimal units), return it."""
    found = re.findall(r"^\s*([a-z-]+):\s+(\d+) ([kMGT]?)B,", text, re.MULTILINE)
    sizes = {name: int(number) * _UNITS[unit] for name, number, unit in found}
    missing = sum(sizes.get(name, 0) for name in _MISSING)
    return Rescued(
        finished="rescued" in sizes and not missing,
        rescued=sizes.get("rescued", 0),
        missing=missing,
    )
