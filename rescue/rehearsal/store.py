"""Stored rehearsals, /var/lib/rescue/drills/TIME-MIRROR/, the newest few."""

import shutil
import time
from collections.abc import Mapping
from pathlib import Path

from rescue.errors import UsageError
from rescue.model.rehearsal import DRILL_VERSION, DrillResult
from rescue.paths import DRILLS
from rescue.store.codec import from_json, to_json
from rescue.system.files.atomic import write_atomic

RESULT = "result.json"
KEPT = 12
"""The number of rehearsals kept: a year of monthly ones."""


def file_result(result: DrillResult, files: Mapping[str, bytes], directory: Path = DRILLS) -> Path:
    """Store a result and its files, readable by root only; return its folder.

    The result itself is written last: a folder without it was interrupted. Older rehearsals are
    removed.
    """
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder = directory / f"{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime(result.started))}"
    folder = folder.with_name(f"{folder.name}-{result.mirror}")
    folder.mkdir(mode=0o700, exist_ok=True)
    for name, data in files.items():
        write_atomic(folder / name, data, mode=0o600)
    write_atomic(folder / RESULT, to_json(result).encode(), mode=0o600)
    for old in _folders(directory)[:-KEPT]:
        shutil.rmtree(old)
    return folder


def filed(directory: Path = DRILLS, *, mirror: str = "") -> tuple[DrillResult, ...]:
    """Return the stored results, newest first; only those of one mirror if it is named.

    What is not readable, or was written by a newer rescue, is left out.
    """
    found = []
    for folder in reversed(_folders(directory)):
        path = folder / RESULT
        try:
            data = path.read_bytes()
            result = from_json(data, DrillResult, known_version=DRILL_VERSION, where=str(path))
        except (OSError, UsageError):
            continue
        if mirror in ("", result.mirror):
            found.append(result)
    return tuple(found)


def rehearsed_failback(mirror: str, directory: Path = DRILLS) -> float | None:
    """Return the duration in seconds of a mirror's newest failback, None if none was measured.

    Both passes together. One that was played on an emulated processor says nothing of the machine.
    """
    for result in filed(directory, mirror=mirror):
        times = result.times
        if times.failback and times.again and not result.emulated:
            return times.failback + times.again
    return None


def _folders(directory: Path) -> list[Path]:
    """Return the folders of rehearsals, the oldest first: their names begin with the time."""
    if not directory.is_dir():
        return []
    return sorted(path for path in directory.iterdir() if path.is_dir() and path.name[:1].isdigit())
