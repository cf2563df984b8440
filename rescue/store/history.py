"""The history of runs: a file of JSON lines for each mirror, on the source.

The last runs lie on the mirror, too, beside its marker.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rescue import paths
from rescue.errors import DamagedError, UsageError
from rescue.model.run.history import HISTORY_VERSION, RunEntry
from rescue.store.codec import from_json, to_line
from rescue.store.records import load_paper
from rescue.system.files.atomic import write_atomic

ON_MIRROR = "runs.jsonl"
"""The name of the file beside the mirror's marker."""

LAST_ON_MIRROR = 30
DAMAGED_SUFFIX = ".damaged"


@dataclass(frozen=True, kw_only=True)
class History:
    """The runs of one mirror, oldest first, and what is wrong with each line that is left out."""

    runs: tuple[RunEntry, ...] = ()
    damage: tuple[str, ...] = ()


def load_history(name: str, directory: Path = paths.HISTORY) -> History:
    """Return the runs of the mirror of that name; none where there is no file.

    Damaged lines (a power cut, a disk that rots) are skipped and reported. Raises UsageError
    where a newer rescue wrote one, OSError.
    """
    path = directory / f"{name}.jsonl"
    try:
        return _read(path.read_bytes(), where=str(path))
    except FileNotFoundError:
        return History()


def load_runs(name: str, directory: Path = paths.HISTORY) -> tuple[RunEntry, ...]:
    """Return the runs of the mirror of that name, oldest first. Raises what `load_history` does."""
    return load_history(name, directory).runs


def put_aside(name: str, directory: Path = paths.HISTORY) -> Path:
    """Keep a damaged history unchanged beside the new one; return its path."""
    path = directory / f"{name}.jsonl"
    aside = path.with_name(path.name + DAMAGED_SUFFIX)
    write_atomic(aside, path.read_bytes(), mode=0o600)
    return aside


def known_runs(name: str, folder: Path = paths.HISTORY) -> tuple[RunEntry, ...]:
    """Return the history of a mirror, or nothing if it is unreadable: a run reports that."""
    try:
        return load_runs(name, folder)
    except (UsageError, OSError):
        return ()


def known_runs_on_mirror(root: Path) -> tuple[RunEntry, ...]:
    """Return the recent runs stored on the mirror whose root is there, if readable."""
    try:
        return _read(load_paper(root, ON_MIRROR) or b"", where=ON_MIRROR).runs
    except UsageError:
        return ()


def save_runs(name: str, runs: Sequence[RunEntry], directory: Path = paths.HISTORY) -> None:
    """Write the history of one mirror, atomically, readable by root alone."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_atomic(directory / f"{name}.jsonl", as_lines(runs), mode=0o600)


def forget_runs(name: str, directory: Path = paths.HISTORY) -> None:
    """Remove the history of the mirror of that name, where there is one."""
    (directory / f"{name}.jsonl").unlink(missing_ok=True)


def as_lines(runs: Sequence[RunEntry]) -> bytes:
    """Return runs as JSON lines."""
    return "".join(to_line(run) for run in runs).encode()


def _read(data: bytes, *, where: str) -> History:
    runs, damage = [], []
    for number, line in enumerate(data.splitlines(), 1):
        if not line.strip():
            continue
        place = f"{where}, line {number}"
        try:
            runs.append(from_json(line, RunEntry, known_version=HISTORY_VERSION, where=place))
        except DamagedError as error:
            damage.append(error.message)
    return History(runs=tuple(runs), damage=tuple(damage))
