"""The records of mirrors: /var/lib/rescue/mirrors/ on the source, /.rescue/ on the mirror."""

import contextlib
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TypeVar

from rescue import paths
from rescue.errors import DamagedError, RefusedError, UsageError
from rescue.model.mirror.record import (
    HANDOVER_VERSION,
    RECORD_VERSION,
    Handover,
    MirrorRecord,
    MirrorState,
)
from rescue.model.storage.place import number_of
from rescue.store.codec import from_json, to_stored_json
from rescue.system.files import foreign
from rescue.system.files.atomic import sync_directory, write_atomic
from rescue.text.grub_env import boot_note

T = TypeVar("T")

_MARKER = "mirror.json"
_SECOND = "mirror.copy.json"
"""A second copy: one damaged block must not make a mirror forget that it is one."""

_BOOT_NOTE = "mirror.env"
_BOOTED = "booted"
_HANDOVER = "failback.json"

_ANEW = "restore it from the other disk's copy, or prepare the mirror again"

NO_TIME = "an unknown time (its note is damaged)"
_BOOT_TIME = "%Y-%m-%dT%H:%M:%SZ"


def save_record(record: MirrorRecord, directory: Path = paths.RECORDS) -> None:
    """Write the record, atomically, readable by root alone.

    A damaged one that it takes the place of is kept, as NAME.json.damaged.
    """
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = directory / f"{record.name}.json"
    try:
        _read_record(path)
    except DamagedError:
        path.replace(path.with_name(f"{path.name}.damaged"))
    except (UsageError, OSError):
        pass  # it cannot be told what it is
    write_atomic(path, to_stored_json(record).encode(), mode=0o600)


def save_unsaved(record: MirrorRecord, directory: Path = paths.UNSAVED) -> None:
    """Write a record that the source cannot take to where it counts until the next start.

    Raises OSError.
    """
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_atomic(directory / f"{record.name}.json", to_stored_json(record).encode(), mode=0o600)


def forget_unsaved(name: str, directory: Path = paths.UNSAVED) -> None:
    """Remove such a record: the source has it now, or a newer one. Raises OSError."""
    (directory / f"{name}.json").unlink(missing_ok=True)


def load_record(
    name: str, directory: Path = paths.RECORDS, unsaved: Path = paths.UNSAVED
) -> MirrorRecord:
    """Return the record of the mirror of that name, from `unsaved` where it lies there.

    Raises UsageError where it was written by a newer rescue, DamagedError where there is none or
    it is damaged, which is left where it is.
    """
    with contextlib.suppress(UsageError, OSError):
        return _read_record(unsaved / f"{name}.json")
    path = directory / f"{name}.json"
    mend = f"copy /{paths.MARKER} of the mirror to {path}, or prepare the mirror again"
    try:
        return _read_record(path)
    except FileNotFoundError as error:
        raise DamagedError(
            f"mirror '{name}' is in the configuration, and {path} does not exist", hint=mend
        ) from error
    except DamagedError as error:
        aside = f"it is left as it is; to mend it, put it aside as {path}.damaged, and {mend}"
        raise DamagedError(error.message, hint=aside) from error


def _read_record(path: Path) -> MirrorRecord:
    data = path.read_bytes()
    read = from_json(data, MirrorRecord, known_version=RECORD_VERSION, where=str(path))
    return _sound(read, str(path))


def load_foreign_record(root: Path, inside: str) -> MirrorRecord | None:
    """Return a record that lies below `root` on a disk that may be anybody's, None without one.

    Also where it is damaged, or of a newer rescue: what cannot be read proves nothing.
    """
    try:
        data = foreign.read_regular(root, inside)
        return from_json(data, MirrorRecord, known_version=RECORD_VERSION, where=inside)
    except (OSError, UsageError):
        return None


def forget_record(name: str, directory: Path = paths.RECORDS) -> None:
    """Remove the record of the mirror of that name, where there is one."""
    forget_unsaved(name)
    (directory / f"{name}.json").unlink(missing_ok=True)
    if directory.is_dir():
        sync_directory(directory)


def save_marker(
    root: Path, record: MirrorRecord, beside: Mapping[str, bytes] | None = None
) -> None:
    """Write the record to the mirror whose root is mounted at `root`, readable by root alone.

    It is written twice, and what the medium's boot menu reads of it lies beside. What is less than
    complete is said there first, what is complete last: cut between them, nothing claims more than
    it may. `beside` are further files by name, what people read: they are written before it. Raises
    RefusedError where /.rescue is no folder, OSError.
    """
    folder = save_beside(root, beside or {})
    data = to_stored_json(record).encode()
    files = {_BOOT_NOTE: boot_note(record), _SECOND: data, _MARKER: data}
    complete = record.state is MirrorState.COMPLETE
    for name in reversed(files) if complete else files:
        write_atomic(folder / name, files[name], mode=0o600)


def save_beside(root: Path, recovery_files: Mapping[str, bytes]) -> Path:
    """Write files beside the marker of a mounted mirror, where they differ; return their folder."""
    folder = _own_folder(root)
    for name, data in recovery_files.items():
        if load_paper(root, name) != data:
            write_atomic(folder / name, data, mode=0o600)
    return folder


def load_paper(root: Path, name: str) -> bytes | None:
    """Return a file beside the marker, or None if there is none that could be ours."""
    try:
        return foreign.read_regular(root, f"{paths.OWN_FOLDER}/{name}")
    except OSError:
        return None


def _own_folder(root: Path) -> Path:
    try:
        return foreign.private_folder(root, paths.OWN_FOLDER)
    except NotADirectoryError as error:
        raise RefusedError(
            f"{root / paths.OWN_FOLDER} is a link, or no folder: no mirror of ours has that",
            hint="nothing was written there; look at it, and remove it if nobody needs it",
        ) from error


@dataclass(frozen=True, kw_only=True)
class OwnMarker:
    """The record that a mirror carries, and sentences on damage to it."""

    record: MirrorRecord
    damage: tuple[str, ...] = ()


def load_marker(root: Path) -> MirrorRecord | None:
    """Return the record that a mounted mirror (or the running one) carries, None without one.

    Raises what `find_marker` raises.
    """
    found = find_marker(root)
    return found.record if found is not None else None


def find_marker(root: Path) -> OwnMarker | None:
    """Return the marker of a mounted mirror (or the running one), None where it carries none.

    Its second copy counts where the first one is damaged or gone: it never claims more, see
    `save_marker`. Raises UsageError where a newer rescue wrote it, DamagedError where neither copy
    can be read.
    """
    first: MirrorRecord | None = None
    damaged: DamagedError | None = None
    try:
        first = _load_marker(root, _MARKER)
    except DamagedError as error:
        damaged = error
    if first is not None:
        return OwnMarker(record=first)
    try:
        second = _load_marker(root, _SECOND)
    except DamagedError as error:
        raise damaged or error from error
    if second is not None:
        what = damaged.message if damaged else f"{root / paths.OWN_FOLDER / _MARKER} is gone"
        return OwnMarker(record=second, damage=(f"{what}: its second copy counts",))
    if damaged is not None:
        raise damaged
    return None


def _load_marker(root: Path, name: str) -> MirrorRecord | None:
    found = _load_own(root, name, MirrorRecord, known_version=RECORD_VERSION)
    return _sound(found, str(root / paths.OWN_FOLDER / name)) if found is not None else None


def _sound(record: MirrorRecord, where: str) -> MirrorRecord:
    """Return a record that can be worked by.

    Raises DamagedError where it is none, PlaceError where it names layers between partitions and
    file systems.
    """
    if record.is_sound:
        for place in record.places:
            number_of(place)
        return record
    raise DamagedError(f"{where} does not hold what a record of a mirror does", hint=_ANEW)


def _load_own(root: Path, name: str, kind: type[T], *, known_version: int) -> T | None:
    where = root / paths.OWN_FOLDER / name
    try:
        data = foreign.read_regular(root, f"{paths.OWN_FOLDER}/{name}")
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return None
    except OSError as error:
        raise DamagedError(
            f"{where} is not a state file of rescue: {error.strerror}",
            hint=_ANEW,
        ) from error
    return from_json(data, kind, known_version=known_version, where=str(where))


def load_boots(root: Path) -> tuple[str, ...]:
    """Return when a mounted mirror was started as the running system since its last run.

    One time in UTC for each start, as `rescue-booted.service` wrote it on the mirror; NO_TIME
    for a start whose line is truncated, or otherwise gives no time.
    """
    try:
        data = foreign.read_regular(root, f"{paths.OWN_FOLDER}/{_BOOTED}")
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return ()
    except OSError:
        return (NO_TIME,)
    # Zeros, too, are what a power cut leaves of a line that was written.
    lines = (line.split() for line in data.decode("utf-8", "replace").splitlines())
    return tuple(_boot_time(words[-1]) for words in lines if words)


def _boot_time(word: str) -> str:
    try:
        told = datetime.strptime(word, _BOOT_TIME)
    except ValueError:
        return NO_TIME
    return told.strftime(_BOOT_TIME)


def forget_boots(root: Path) -> None:
    """Remove the note that a mounted mirror was started, after a run has made it equal again."""
    foreign.remove(root, f"{paths.OWN_FOLDER}/{_BOOTED}")


def forget_past(root: Path) -> None:
    """Remove the notes of its starts and of a failback, after a run has made a mirror equal."""
    for name in (_BOOTED, _HANDOVER):
        foreign.remove(root, f"{paths.OWN_FOLDER}/{name}")


def save_handover(root: Path, handover: Handover) -> None:
    """Note on the running mirror whose root is at `root` that a new first disk was made of it."""
    data = to_stored_json(handover).encode()
    write_atomic(_own_folder(root) / _HANDOVER, data, mode=0o600)


def load_handover(root: Path) -> Handover | None:
    """Return the failback that was done from the running mirror, None where there was none.

    Raises UsageError where it was written by a newer rescue, DamagedError where it is damaged.
    """
    found = _load_own(root, _HANDOVER, Handover, known_version=HANDOVER_VERSION)
    if found is not None:
        _sound(found.record, str(root / paths.OWN_FOLDER / _HANDOVER))
    return found


def forget_marker(root: Path) -> None:
    """Remove everything that marks the disk whose root is mounted at `root` as a mirror.

    The marker is removed after its second copy, and before the rest: if interrupted before
    that, the disk is still a mirror.
    """
    for name in (_SECOND, _MARKER):
        foreign.remove(root, f"{paths.OWN_FOLDER}/{name}")
    if foreign.is_folder(root, paths.OWN_FOLDER):
        shutil.rmtree(root / paths.OWN_FOLDER)
        sync_directory(root)
