"""The folders in which new content waits for the end of a run, where something cut it."""

import os
import shutil
import stat
from pathlib import Path


def remove_waiting(target: Path, name: str, *, source: Path | None = None) -> int:
    """Remove the folders of that name in which new content waits; return how many there were.

    Only what rsync made is one: a folder of root's alone (man 1 rsync, --partial-dir). With a
    `source` what it has, too, stays: whoever knows the name may have made it, and the run makes it
    equal.
    """
    removed = 0
    for folder, inside, _ in os.walk(target):
        if name not in inside:
            continue
        place = Path(folder) / name
        twin = source / place.relative_to(target) if source is not None else None
        if _is_roots_own(place) and (twin is None or not os.path.lexists(twin)):
            inside.remove(name)
            shutil.rmtree(place)
            removed += 1
    return removed


def _is_roots_own(folder: Path) -> bool:
    seen = folder.lstat()
    return stat.S_ISDIR(seen.st_mode) and seen.st_uid == 0 and not seen.st_mode & 0o077
