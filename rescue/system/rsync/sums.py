"""Digests of files as rsync makes them (man 1 rsync, --checksum).

A comparison reads every file on both disks once, and the digests come out of it: nothing is read
again to remember them.
"""

import re
from dataclasses import dataclass
from pathlib import Path

from rescue.system.rsync.rsync import POLITE, SyncJob, deleting, how, what

ALGORITHM = "xxh128"
"""Named, so that digests of different nights can be compared; no key, no attacker in mind."""

_OUT = "%i|%l|%C|%n"
# -ii: a line for files that are equal, too.
_SUMS = (f"--checksum-choice={ALGORITHM}", "--itemize-changes", "--itemize-changes")
_ITEM = re.compile(r"([>.hc])f([.+cstpoguax ]{9})\|(\d{1,19})\|([0-9a-f]{32})\|(.+)", re.DOTALL)
_ESCAPED = re.compile(r"\\#([0-3][0-7]{2})")


def compare_argv(job: SyncJob) -> list[str]:
    """Return the command that reports what a run would do when every content is compared.

    The job must have `checksum`; nothing is written.
    """
    looking = ["--dry-run", *deleting(job), *_SUMS]
    return [*POLITE, "rsync", *how(job, out=_OUT), *looking, *what(job)]


def take_argv(job: SyncJob, names: Path) -> list[str]:
    """Return the command that copies the files listed in `names`, regardless of size and time.

    A job with `checksum` copies them where their contents differ. `names` are paths relative to
    both roots, each ended by a zero byte; missing files are ignored. Their parent folders are
    left as they are, and each file is replaced whole: beside the old one, or where the job is
    tight, in its place.
    """
    return [
        *POLITE,
        "rsync",
        *how(job),
        *([] if job.checksum else ["--ignore-times"]),
        *([f"--bwlimit={job.bandwidth_kib}"] if job.bandwidth_kib else []),
        "--info=progress2",
        "--no-implied-dirs",
        "--ignore-missing-args",
        *(["--inplace"] if job.tight else []),
        "--from0",
        f"--files-from={names}",
        f"{job.source}/",
        f"{job.target}/",
    ]


def digests_argv(root: Path, names: Path, *, empty: Path) -> list[str]:
    """Return the command that prints the digests of files below `root`; `empty` is a folder."""
    return [
        *POLITE,
        "rsync",
        "--dry-run",
        "--checksum",
        *_SUMS,
        "--open-noatime",
        "--8-bit-output",
        "--no-human-readable",
        "--outbuf=Line",
        f"--out-format={_OUT}",
        "--no-implied-dirs",
        "--from0",
        f"--files-from={names}",
        f"{root}/",
        f"{empty}/",
    ]


@dataclass(frozen=True, kw_only=True)
class Compared:
    """One regular file of the source as a comparison saw it.

    `path` is relative to the file system's root. `only_content` is true where the mirror's file
    has the same size and time and another content; `there` where the mirror has one at all.
    """

    path: str
    size: int
    digest: bytes
    only_content: bool
    there: bool


def parse_compared(line: str) -> Compared | None:
    """Given a line of output, return the file that it is about, or None for anything else."""
    item = _ITEM.fullmatch(line)
    if item is None:
        return None
    return Compared(
        path=unescape(item[5]),
        size=int(item[3]),
        digest=bytes.fromhex(item[4]),
        only_content=item[1] == ">" and item[2].startswith("c.."),
        there="+" not in item[2],
    )


def unescape(name: str) -> str:
    """Return a file name decoded from rsync's output: it prints control characters as \\#012."""
    return _ESCAPED.sub(lambda found: chr(int(found[1], 8)), name)
