"""Where the history of the runs is kept: one file of JSON lines for each mirror, on the source.

The last runs lie on the mirror, too, beside its marker.
"""

from collections.abc import Sequence
from pathlib import Path

from rescue.codec import from_json, to_line
from rescue.errors import UsageError
from rescue.model.history import HISTORY_VERSION, RunEntry
from rescue.system.files import write_atomic

HISTORY_DIRECTORY = Path("/var/lib/rescue/history")
ON_MIRROR = "runs.jsonl"
"""The name of the file beside the mirror's marker."""

LAST_ON_MIRROR = 30


def load_runs(name: str, directory: Path = HISTORY_DIRECTORY) -> tuple[RunEntry, ...]:
    """Return the runs of the mirror of that name, oldest first; none where there is no file.

    Raises UsageError where a newer rescue wrote one, or a line is damaged.
    """
    return _read(directory / f"{name}.jsonl")


def known_runs(name: str, folder: Path = HISTORY_DIRECTORY) -> tuple[RunEntry, ...]:
    """Return the history of a mirror; nothing where it cannot be read: a run says so."""
    try:
        return load_runs(name, folder)
    except (UsageError, OSError):
        return ()


def known_runs_on_mirror(own_folder: Path) -> tuple[RunEntry, ...]:
    """Return the last runs that a mirror carries; nothing where they cannot be read."""
    try:
        return _read(own_folder / ON_MIRROR)
    except (UsageError, OSError):
        return ()


def save_runs(name: str, runs: Sequence[RunEntry], directory: Path = HISTORY_DIRECTORY) -> None:
    """Write the history of one mirror, atomically, readable by root alone."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_atomic(directory / f"{name}.jsonl", as_lines(runs), mode=0o600)


def forget_runs(name: str, directory: Path = HISTORY_DIRECTORY) -> None:
    """Remove the history of the mirror of that name, where there is one."""
    (directory / f"{name}.jsonl").unlink(missing_ok=True)


def as_lines(runs: Sequence[RunEntry]) -> bytes:
    """Return runs as JSON lines."""
    return "".join(to_line(run) for run in runs).encode()


def _read(path: Path) -> tuple[RunEntry, ...]:
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return ()
    return tuple(
        from_json(line, RunEntry, known_version=HISTORY_VERSION, where=f"{path}, line {number}")
        for number, line in enumerate(data.splitlines(), 1)
        if line.strip()
    )
