"""Impostors: disks that look like an enrolled mirror, are asked for its secret, and passed over."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from rescue.discover.marker import read_marker
from rescue.errors import UsageError
from rescue.model.mirror.record import MirrorRecord
from rescue.model.storage.disk import Disk
from rescue.model.storage.machine import Machine
from rescue.plan.checks.recognise import Answer, impostors, mirror_candidates
from rescue.ui.screen import Screen


@dataclass(frozen=True, kw_only=True)
class ToldApart:
    """The machine with its impostors known, and sentences that name them."""

    machine: Machine
    notes: tuple[str, ...] = ()


def tell_apart(machine: Machine, records: Sequence[MirrorRecord]) -> ToldApart:
    """Ask the disks that can be one of these mirrors for its secret, where that decides anything.

    A disk that can be the only mirror alone is left to the guard, which says more; so is a mirror
    without a secret (of an older rescue). Takes the process into a private mount namespace where
    it asks. Raises RescueError without root.
    """
    found: list[str] = []
    notes: list[str] = []
    for record in records:
        disks = mirror_candidates(machine, record)
        if not record.secret.is_drawn or not disks or len(disks) + len(records) < 3:
            continue
        answers = {disk.path: _asked(disk, record) for disk in disks}
        for disk in impostors(record, disks, answers):
            found.append(disk.path)
            notes.append(
                f"{disk.path} ({disk.id.name or 'no serial'}) looks like mirror '{record.name}' "
                "but does not know its secret: it was left alone; it may have been made to look "
                "like it"
            )
    return ToldApart(machine=replace(machine, impostors=tuple(found)), notes=tuple(notes))


def passing_over(machine: Machine, records: Sequence[MirrorRecord], screen: Screen) -> Machine:
    """Do what `tell_apart` does, and show the sentences."""
    apart = tell_apart(machine, records)
    for note in apart.notes:
        screen.show(f"note: {note}")
    return apart.machine


def _asked(disk: Disk, record: MirrorRecord) -> Answer:
    if disk.all_uses:
        return Answer.IN_USE
    try:
        marker = read_marker(disk)
    except UsageError:
        return Answer.SILENT
    if marker is None:
        return Answer.SILENT
    knows = record.secret.matches(marker.record.secret)
    return Answer.KNOWS if knows else Answer.KNOWS_ANOTHER
