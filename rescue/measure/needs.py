"""What a run would need on the mirror: the bytes that it sends, and those that it frees."""

import os
import stat
from pathlib import Path

from rescue.system.rsync.listing import parse_deleted, parse_sent


class Needs:
    """Counts what a run would send, and what it frees: deleted files, and old contents.

    In bytes on the disk: holes take nothing, and what files share counts for each of them, as
    rsync writes it.
    """

    def __init__(self, source: Path, target: Path) -> None:
        """Take both roots of what is compared."""
        self.bytes = self.freed = 0
        self._source, self._target = source, target

    def line(self, text: str) -> None:
        """Take one line of rsync's output."""
        gone = parse_deleted(text)
        if sent := parse_sent(text):
            seen = regular(self._source / sent.path)
            self.bytes += taken(seen) if seen else 0
            gone = sent.path if sent.there else None
        old = regular(self._target / gone) if gone else None
        self.freed += taken(old) if old else 0


def free_for_root(root: Path) -> int:
    """Return the free bytes of the file system at `root`, including the share reserved for root."""
    info = os.statvfs(root)
    return info.f_bfree * info.f_frsize


def regular(path: Path) -> os.stat_result | None:
    """Return the inode data of a regular file, or None if it is not one or is gone."""
    try:
        seen = path.lstat()
    except OSError:
        return None
    return seen if stat.S_ISREG(seen.st_mode) else None


def taken(seen: os.stat_result) -> int:
    """Return the bytes that a file takes on its disk."""
    return seen.st_blocks * 512
