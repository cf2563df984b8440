"""Where records are kept: /var/lib/rescue/mirrors/ on the source, /.rescue/ on the mirror."""

import contextlib
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

from rescue.codec import from_json, to_json
from rescue.errors import UsageError
from rescue.model.bootnote import boot_note
from rescue.model.record import (
    HANDOVER_VERSION,
    RECORD_VERSION,
    Handover,
    MirrorRecord,
    MirrorState,
)
from rescue.system.files import sync_directory, write_atomic

T = TypeVar("T")

STATE_DIRECTORY = Path("/var/lib/rescue/mirrors")

OWN_FOLDER = ".rescue"
"""On a mirror's root, relative to it; never copied from or to a source."""

_MARKER = "mirror.json"
_BOOT_NOTE = "mirror.env"
_BOOTED = "booted"
_HANDOVER = "failback.json"


def save_record(record: MirrorRecord, directory: Path = STATE_DIRECTORY) -> None:
    """Write the record, atomically, readable by root alone."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_atomic(directory / f"{record.name}.json", to_json(record).encode(), mode=0o600)


def note_record(record: MirrorRecord, directory: Path = STATE_DIRECTORY) -> None:
    """Write the record if the source lets it: one that is full is no reason not to mirror it.

    Nor may it take the place of the error that the record would tell of.
    """
    with contextlib.suppress(OSError):
        save_record(record, directory)


def load_record(name: str, directory: Path = STATE_DIRECTORY) -> MirrorRecord:
    """Return the record of the mirror of that name.

    Raises UsageError where there is none, it was written by a newer rescue, or it is damaged.
    """
    path = directory / f"{name}.json"
    try:
        data = path.read_bytes()
    except FileNotFoundError as error:
        raise UsageError(
            f"mirror '{name}' is in the configuration, and {path} does not exist",
            hint=f"copy /.rescue/mirror.json of the mirror to {path}, or prepare it again",
        ) from error
    return from_json(data, MirrorRecord, known_version=RECORD_VERSION, where=str(path))


def forget_record(name: str, directory: Path = STATE_DIRECTORY) -> None:
    """Remove the record of the mirror of that name, where there is one."""
    (directory / f"{name}.json").unlink(missing_ok=True)
    if directory.is_dir():
        sync_directory(directory)


def save_marker(root: Path, record: MirrorRecord) -> None:
    """Write the record to the mirror whose root is mounted at `root`, readable by root alone.

    Beside it lies what the medium's boot menu reads of it. What is less than complete is said
    there first, what is complete last: cut between the two, no menu trusts more than it may.
    """
    folder = _own_folder(root)
    complete = record.state is MirrorState.COMPLETE
    if not complete:
        write_atomic(folder / _BOOT_NOTE, boot_note(record), mode=0o600)
    write_atomic(folder / _MARKER, to_json(record).encode(), mode=0o600)
    if complete:
        write_atomic(folder / _BOOT_NOTE, boot_note(record), mode=0o600)


def save_papers(root: Path, papers: Mapping[str, bytes]) -> None:
    """Write what a person reads on the night beside the marker of a mounted mirror."""
    for name, data in papers.items():
        write_atomic(_own_folder(root) / name, data, mode=0o600)


def _own_folder(root: Path) -> Path:
    folder = root / OWN_FOLDER
    folder.mkdir(mode=0o700, exist_ok=True)
    folder.chmod(0o700)
    return folder


def load_marker(root: Path) -> MirrorRecord | None:
    """Return the record that a mounted mirror (or the running one) carries, None without one.

    Raises UsageError where it was written by a newer rescue or is damaged.
    """
    return _load_own(root, _MARKER, MirrorRecord, known_version=RECORD_VERSION)


def _load_own(root: Path, name: str, kind: type[T], *, known_version: int) -> T | None:
    path = root / OWN_FOLDER / name
    try:
        data = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return None
    return from_json(data, kind, known_version=known_version, where=str(path))


def load_boots(root: Path) -> tuple[str, ...]:
    """Return when a mounted mirror was started as the running system since its last run.

    One time in UTC for each start, as `rescue-booted.service` wrote it on the mirror.
    """
    try:
        text = (root / OWN_FOLDER / _BOOTED).read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, NotADirectoryError):
        return ()
    return tuple(line.split()[-1] for line in text.splitlines() if line.strip())


def forget_boots(root: Path) -> None:
    """Remove the note that a mounted mirror was started, after a run has made it equal again."""
    (root / OWN_FOLDER / _BOOTED).unlink(missing_ok=True)


def save_handover(root: Path, handover: Handover) -> None:
    """Note on the running mirror whose root is at `root` that a new first disk was made of it."""
    write_atomic(root / OWN_FOLDER / _HANDOVER, to_json(handover).encode(), mode=0o600)


def load_handover(root: Path) -> Handover | None:
    """Return the failback that was done from the running mirror, None where there was none.

    Raises UsageError where it was written by a newer rescue or is damaged.
    """
    return _load_own(root, _HANDOVER, Handover, known_version=HANDOVER_VERSION)


def forget_handover(root: Path) -> None:
    """Remove the note of a failback, after a run from the new first disk."""
    (root / OWN_FOLDER / _HANDOVER).unlink(missing_ok=True)


def forget_marker(root: Path) -> None:
    """Remove everything by which the disk whose root is mounted at `root` says it is a mirror."""
    if (root / OWN_FOLDER).is_dir():
        shutil.rmtree(root / OWN_FOLDER)
        sync_directory(root)
