"""Belief in a record that says complete: once after each start the mirror itself is asked.

A source that is full or read-only when a run begins goes on saying complete of a mirror that is
being written. While the machine runs, its record is kept in memory (`run.state_store`); if the
power goes, the mirror alone knows that its run was cut.
"""

from dataclasses import replace
from pathlib import Path

from rescue import paths
from rescue.discover.marker import read_marker
from rescue.errors import RescueError
from rescue.model.mirror.record import MirrorRecord, MirrorState
from rescue.model.storage.machine import Machine
from rescue.plan.checks.recognise import attached_mirror
from rescue.store.records import save_unsaved


def as_the_mirror_says(
    machine: Machine,
    record: MirrorRecord,
    *,
    asked: Path = paths.ASKED,
    unsaved: Path = paths.UNSAVED,
) -> MirrorRecord:
    """Return the record, as incomplete if its mirror says so; that is remembered in `unsaved`.

    The mirror is asked where it is attached, in nobody's use, and was not asked since the machine
    started: a disk that sleeps is not woken by every status. Call it while no run is active.
    """
    disk = attached_mirror(machine, record)
    if record.state is not MirrorState.COMPLETE or disk is None or disk.all_uses:
        return record
    note = asked / record.name
    if note.exists():
        return record
    try:
        marker = read_marker(disk)
        note.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        note.touch(mode=0o600)
    except (RescueError, OSError):
        return record
    if marker is None or not _is_its_own(record, marker.record):
        return record
    if marker.record.state is MirrorState.COMPLETE:
        return record
    known = replace(record, state=marker.record.state, last_error=marker.record.last_error)
    save_unsaved(known, unsaved)
    return known


def _is_its_own(record: MirrorRecord, marker: MirrorRecord) -> bool:
    if record.secret.is_drawn:
        return record.secret.matches(marker.secret)
    return (record.machine_id, record.name) == (marker.machine_id, marker.name)
