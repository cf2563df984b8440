"""Whatever the adapters say of the disks: a run is planned onto the enrolled mirror, or refused.

Serials lie (a dock shows its own for every disk, or none), tables and whole disks are copied, and
whatever a user can read of the mirror is put on a stick.
"""

from dataclasses import dataclass, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rescue.errors import ExitCode, RefusedError
from rescue.grants import grant_disk
from rescue.model.finding import Refused
from rescue.model.mirror.plan import MirrorRequest, Plan
from rescue.model.mirror.record import MirrorRecord, MirrorState
from rescue.model.mirror.secret import Secret
from rescue.model.storage.disk import Disk, TableKind
from rescue.model.storage.identity import DiskId
from rescue.model.storage.layer import Nothing
from rescue.model.storage.machine import Machine
from rescue.plan.checks.recognise import (
    Answer,
    attached_mirror,
    impostors,
    mirror_candidates,
    shows_as_recorded,
)
from rescue.plan.mirror import plan_mirror
from tests.builders import Enrolled, bare_disk, disk_with, enrolled, refused

IDS = (
    DiskId(serial="MIR0001", by_id=("virtio-MIR0001",)),
    DiskId(serial="DOCK", by_id=("usb-DOCK-0:0",)),
    DiskId(serial="DOCK", wwn="0x5000c500a1b2c3d4", by_id=("usb-DOCK-0:1",)),
    DiskId(serial="SRC0001"),
    DiskId(),
)
SHOWN = st.sampled_from(IDS)
SECRET, FORGED = Secret("5e" * 32), Secret("f0" * 32)


@dataclass(frozen=True)
class Bench:
    """Disks on a bench: what is attached, and what the root of each says, by path."""

    there: Enrolled
    machine: Machine
    markers: dict[str, MirrorRecord]
    mirror: str
    """The path of the enrolled mirror, '' where it is away."""
    clones: tuple[str, ...]
    """Paths of whole copies of it."""
    silent: bool = False
    """Whether a disk looks like it, and has no marker that can be read."""

    @property
    def told_apart(self) -> Machine:
        """The machine with its impostors known."""
        record = self.there.record
        disks = mirror_candidates(self.machine, record)
        answers = {disk.path: self._answer(disk) for disk in disks}
        found = impostors(record, disks, answers) if len(disks) > 1 else ()
        return replace(self.machine, impostors=tuple(disk.path for disk in found))

    @property
    def shows_as_recorded(self) -> bool:
        """Whether the mirror is there, and shows the identity that is recorded."""
        disk = self.machine.disk_at(self.mirror)
        return disk is not None and shows_as_recorded(disk, self.there.record.mirror)

    def _answer(self, disk: Disk) -> Answer:
        marker = self.markers.get(disk.path)
        if marker is None:
            return Answer.SILENT
        knows = self.there.record.secret.matches(marker.secret)
        return Answer.KNOWS if knows else Answer.KNOWS_ANOTHER

    def planned(self) -> Plan | Refused:
        """Do what a run does: look for the mirror, read its marker, plan."""
        machine = self.told_apart
        disk = attached_mirror(machine, self.there.record)
        marker = self.markers.get(disk.path) if disk is not None else None
        return plan_mirror(machine, self.there.record, marker, MirrorRequest())


def at(disk: Disk, path: str, shown: DiskId) -> Disk:
    """Return a disk as another port or adapter shows it."""
    parts = tuple(replace(p, path=f"{path}{p.number}", uses=()) for p in disk.partitions)
    table = replace(disk.table, partitions=parts) if disk.table is not None else None
    return replace(disk, path=path, id=shown, table=table)


def emptied(disk: Disk) -> Disk:
    """Return a disk with the same table and nothing in it, as 'sfdisk -d | sfdisk' makes it."""
    assert disk.table is not None
    parts = tuple(replace(p, content=Nothing()) for p in disk.partitions)
    return replace(disk, table=replace(disk.table, partitions=parts))


def strangers(table: Disk) -> st.SearchStrategy[tuple[str, Disk]]:
    """Draw a disk that is not the mirror: bare, with a table of its own, or with a copied one."""
    assert table.table is not None
    foreign = disk_with(replace(table.table, uuid="0f0e0d0c-0000-4000-8000-000000000000"))
    return st.sampled_from(
        [("bare", bare_disk()), ("foreign", foreign), ("copied table", emptied(table))]
    )


@st.composite
def benches(draw: st.DrawFn) -> Bench:
    """Draw what lies on the bench."""
    there = enrolled(draw(st.sampled_from(list(TableKind))))
    known = replace(there.record, state=MirrorState.COMPLETE, secret=SECRET)
    there = replace(there, record=known)
    source, mirror = there.machine.disks
    record = there.record
    older = replace(record, generation=record.generation - 1)
    disks: list[Disk] = []
    markers: dict[str, MirrorRecord] = {}
    clones: list[str] = []
    is_there = draw(st.booleans())
    names = iter(
        draw(st.permutations(["/dev/sdb", "/dev/sdc", "/dev/sdd", "/dev/sde", "/dev/sdf"]))
    )
    place = ""
    if is_there:
        place = next(names)
        disks.append(at(mirror, place, draw(SHOWN)))
        # A run that was cut noted its generation on one side.
        markers[place] = record
    for _ in range(draw(st.integers(0, 2))):
        path = next(names)
        disks.append(at(draw(strangers(mirror))[1], path, draw(SHOWN)))
        markers[path] = draw(st.sampled_from([replace(record, machine_id="f" * 32), older]))
    if draw(st.integers(0, 3)) == 0:
        path = next(names)
        disks.append(at(mirror, path, draw(st.sampled_from(IDS[1:]))))
        # Beside the mirror it may be as new; alone, it was made before the last run.
        markers[path] = record if is_there else older
        clones.append(path)
    silent = False
    if draw(st.booleans()):
        path = next(names)
        disks.append(at(mirror, path, draw(SHOWN)))
        silent = draw(st.booleans())
        if not silent:
            markers[path] = replace(record, secret=draw(st.sampled_from([Secret(), FORGED])))
    disks.sort(key=lambda disk: disk.path)
    return Bench(
        there=there,
        machine=replace(there.machine, disks=(source, *disks)),
        markers=markers,
        mirror=place,
        clones=tuple(clones),
        silent=silent,
    )


@given(bench=benches())
def test_nothing_but_the_enrolled_mirror_is_ever_written(bench: Bench) -> None:
    answer = bench.planned()
    if isinstance(answer, Plan):
        assert answer.target_path == bench.mirror
        assert not bench.clones, "two that are equal cannot be told apart"
    else:
        assert {each.code for each in refused(answer)} <= {ExitCode.REFUSED}
        doubt = bench.clones or (bench.silent and not bench.shows_as_recorded)
        assert doubt or not bench.mirror, "the mirror was there, and was not recognised"


@given(bench=benches(), shown=SHOWN)
def test_leave_is_for_the_disk_as_it_was_seen(bench: Bench, shown: DiskId) -> None:
    """A disk that comes in its place between plan and write, and shows another name, is refused."""
    answer = bench.planned()
    if not isinstance(answer, Plan):
        return
    grant = grant_disk(answer, named=answer.record.mirror.table_uuid)
    seen = next(disk.id for disk in bench.machine.disks if disk.path == answer.target_path)
    grant.check(seen, path=answer.target_path)
    if shown.serial != seen.serial:
        with pytest.raises(RefusedError):
            grant.check(shown, path=answer.target_path)


@given(bench=benches())
def test_a_run_leaves_both_records_such_that_the_next_one_finds_it(bench: Bench) -> None:
    """What the record learns of the serial never makes the mirror a stranger."""
    answer = bench.planned()
    if not isinstance(answer, Plan):
        return
    after = replace(answer.record, generation=answer.record.generation + 1)
    for record, marker in ((after, after), (after, bench.there.record)):
        later = replace(record, state=MirrorState.COMPLETE if marker is after else record.state)
        if marker is not after:
            later = replace(later, state=MirrorState.RUNNING)
        again = plan_mirror(bench.told_apart, later, marker, MirrorRequest())
        assert isinstance(again, Plan), [each.reason for each in again.findings]
        assert again.target_path == bench.mirror
