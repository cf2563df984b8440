"""Whatever the adapters say of the disks: a run is planned onto the enrolled mirror, or refused.

Serials lie (a dock shows its own for every disk, or none), tables and whole disks are copied.
"""

from dataclasses import dataclass, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rescue.confirm import grant
from rescue.errors import ExitCode, RefusedError
from rescue.model.disk import Disk, TableKind
from rescue.model.identity import DiskId
from rescue.model.layer import Nothing
from rescue.model.machine import Machine
from rescue.model.plan import MirrorRequest, Plan
from rescue.model.record import MirrorRecord, MirrorState
from rescue.plan.mirror import plan_mirror
from rescue.plan.recognise import attached_mirror
from tests.builders import Enrolled, bare_disk, disk_with, enrolled, refused

IDS = (
    DiskId(serial="MIR0001", by_id=("virtio-MIR0001",)),
    DiskId(serial="DOCK", by_id=("usb-DOCK-0:0",)),
    DiskId(serial="DOCK", wwn="0x5000c500a1b2c3d4", by_id=("usb-DOCK-0:1",)),
    DiskId(serial="SRC0001"),
    DiskId(),
)
SHOWN = st.sampled_from(IDS)


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

    def planned(self) -> Plan | tuple[object, ...]:
        """Do what a run does: look for the mirror, read its marker, plan."""
        disk = attached_mirror(self.machine, self.there.record)
        marker = self.markers.get(disk.path) if disk is not None else None
        return plan_mirror(self.machine, self.there.record, marker, MirrorRequest())


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
    there = replace(there, record=replace(there.record, state=MirrorState.COMPLETE))
    source, mirror = there.machine.disks
    record = there.record
    older = replace(record, generation=record.generation - 1)
    disks: list[Disk] = []
    markers: dict[str, MirrorRecord] = {}
    clones: list[str] = []
    is_there = draw(st.booleans())
    names = iter(draw(st.permutations(["/dev/sdb", "/dev/sdc", "/dev/sdd", "/dev/sde"])))
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
    disks.sort(key=lambda disk: disk.path)
    return Bench(
        there=there,
        machine=replace(there.machine, disks=(source, *disks)),
        markers=markers,
        mirror=place,
        clones=tuple(clones),
    )


@given(bench=benches())
def test_nothing_but_the_enrolled_mirror_is_ever_written(bench: Bench) -> None:
    answer = bench.planned()
    if isinstance(answer, Plan):
        assert answer.target_path == bench.mirror
        assert not bench.clones, "two that are equal cannot be told apart"
    else:
        assert {each.code for each in refused(answer)} <= {ExitCode.REFUSED}  # type: ignore[arg-type]
        assert bench.clones or not bench.mirror, "the mirror was there, and was not recognised"


@given(bench=benches(), shown=SHOWN)
def test_leave_is_for_the_disk_as_it_was_seen(bench: Bench, shown: DiskId) -> None:
    """A disk that comes in its place between plan and write, and shows another name, is refused."""
    answer = bench.planned()
    if not isinstance(answer, Plan):
        return
    leave = grant(answer, named=answer.record.mirror.table_uuid)
    seen = next(disk.id for disk in bench.machine.disks if disk.path == answer.target_path)
    leave.check(seen, path=answer.target_path)
    if shown.serial != seen.serial:
        with pytest.raises(RefusedError):
            leave.check(shown, path=answer.target_path)


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
        again = plan_mirror(bench.machine, later, marker, MirrorRequest())
        assert isinstance(again, Plan), [each.reason for each in again]
        assert again.target_path == bench.mirror
