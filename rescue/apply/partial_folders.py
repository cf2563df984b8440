"""The folders of partial content that an interrupted run leaves behind."""

import os
import shutil
import stat
from pathlib import Path


def remove_waiting(target: Path, name: str, *, source: Path | None = None) -> int:
    """Remove the folders of that name in which new content waits; return how many there were.

    Only those made by rsync count: folders owned by root alone (man 1 rsync, --partial-dir).
    With a `source`, folders that exist there stay, too: anyone who knows the name may have made
    one, and the run makes it equal.
    """
    removed = 0
    for folder, inside, _ in os.walk(target):
        if name not in inside:
            continue
        place = Path(folder) / name
        counterpart = source / place.relative_to(target) if source is not None else None
        if _is_roots_own(place) and (counterpart is None or not os.path.lexists(counterpart)):
            inside.remove(name)
            shutil.rmtree(place)
            removed += 1
    return removed


def _is_roots_own(folder: Path) -> bool:
    seen = folder.lstat()
    return stat.S_ISDIR(seen.st_mode) and seen.st_uid == 0 and not seen.st_mode & 0o077
