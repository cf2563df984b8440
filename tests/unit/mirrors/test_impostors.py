"""A stick that was made to look like the mirror stops no run of the mirror beside it."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from rescue.discover.marker import Marker
from rescue.errors import DamagedError, ExitCode
from rescue.mirrors import impostors as module
from rescue.mirrors.impostors import tell_apart
from rescue.model.finding import Refused
from rescue.model.mirror.plan import MirrorRequest, Plan
from rescue.model.mirror.record import MirrorRecord
from rescue.model.mirror.secret import Secret
from rescue.model.storage.disk import Disk, Use, UseKind
from rescue.model.storage.identity import DiskId
from rescue.model.storage.machine import Machine
from rescue.plan.checks.recognise import attached_mirror, is_attached, stands_in
from rescue.plan.mirror import plan_mirror
from tests.builders import enrolled
from tests.property.test_identity import at

THERE = enrolled()
RECORD = replace(THERE.record, secret=Secret.draw())
SOURCE, MIRROR = THERE.machine.disks
FORGED = replace(RECORD, secret=Secret.draw())

Says = Marker | None | DamagedError
DAMAGED = DamagedError("mirror.json is not a state file of rescue")


def knows(record: MirrorRecord = RECORD) -> Marker:
    return Marker(record=record)


@pytest.fixture(name="bench")
def bench_(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Machine]:
    """Attach disks with what their roots say, and tell them apart."""

    def attach(*shown: tuple[str, str, Says], records: tuple[MirrorRecord, ...] = ()) -> Machine:
        says = {path: said for path, _, said in shown}

        def read(disk: Disk) -> Marker | None:
            said = says[disk.path]
            if isinstance(said, DamagedError):
                raise said
            return said

        monkeypatch.setattr(module, "read_marker", read)
        disks = (at(MIRROR, path, DiskId(serial=serial)) for path, serial, _ in shown)
        machine = replace(THERE.machine, disks=(SOURCE, *disks))
        return tell_apart(machine, records or (RECORD,)).machine

    return attach


TRUE = ("/dev/sdb", "MIR0001", knows())
SAYS: dict[str, Says] = {
    "another secret": knows(FORGED),
    "no secret": knows(THERE.record),
    "no marker": None,
    "a marker that is a FIFO": DAMAGED,
}


@pytest.mark.parametrize("serial", ["FORGED", "MIR0001"])
@pytest.mark.parametrize("says", SAYS)
@pytest.mark.parametrize("first", [True, False])
def test_the_mirror_gets_its_run_beside_a_forged_one(
    bench: Callable[..., Machine], says: str, serial: str, *, first: bool
) -> None:
    forged = ("/dev/sda" if first else "/dev/sdc", serial, SAYS[says])
    machine = bench(TRUE, forged)
    disk = attached_mirror(machine, RECORD)
    assert disk is not None
    plan = plan_mirror(machine, RECORD, RECORD, MirrorRequest(hotplug=True))
    assert isinstance(plan, Plan)
    assert plan.target_path == "/dev/sdb"
    assert machine.impostors == (forged[0],)


def test_behind_an_adapter_it_is_still_the_one_that_knows_the_secret(
    bench: Callable[..., Machine],
) -> None:
    machine = bench(("/dev/sdb", "DOCK", knows()), ("/dev/sdc", "MIR0001", knows(FORGED)))
    disk = attached_mirror(machine, RECORD)
    assert disk is not None
    assert disk.path == "/dev/sdb"


@pytest.mark.parametrize("says", ["no marker", "a marker that is a FIFO"])
def test_behind_an_adapter_it_is_no_copy_of_a_mirror_that_is_damaged(
    bench: Callable[..., Machine], says: str
) -> None:
    """The one that knows the secret may be a copy, and the silent one the mirror."""
    machine = bench(("/dev/sdb", "CLONE", knows()), ("/dev/sdc", "MIR0001", SAYS[says]))
    refused_as_several(machine)


@pytest.mark.parametrize("serial", ["CLONE", "MIR0001"])
@pytest.mark.parametrize("generations", [(0, 0), (0, -1), (-1, 0)])
def test_whole_copies_of_the_mirror_are_never_told_apart(
    bench: Callable[..., Machine], serial: str, generations: tuple[int, int]
) -> None:
    one, two = (replace(RECORD, generation=RECORD.generation + more) for more in generations)
    machine = bench(("/dev/sdb", "MIR0001", knows(one)), ("/dev/sdc", serial, knows(two)))
    refused_as_several(machine)
    more = bench(TRUE, ("/dev/sdc", serial, knows()), ("/dev/sdd", "FORGED", knows(FORGED)))
    refused_as_several(more)
    assert more.impostors == ("/dev/sdd",)


def refused_as_several(machine: Machine) -> None:
    assert attached_mirror(machine, RECORD) is None
    found = plan_mirror(machine, RECORD, None, MirrorRequest())
    assert isinstance(found, Refused)
    assert found.findings[0].code is ExitCode.REFUSED
    assert "several disks" in found.findings[0].reason


def test_what_somebody_has_open_is_not_asked_and_not_ruled_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert MIRROR.table is not None
    clone = at(MIRROR, "/dev/sdc", DiskId(serial="CLONE"))
    assert clone.table is not None
    used = replace(clone.partitions[-1], uses=(Use(kind=UseKind.MOUNTED, where="/mnt"),))
    clone = replace(clone, table=replace(clone.table, partitions=(*clone.partitions[:-1], used)))
    monkeypatch.setattr(module, "read_marker", lambda disk: knows())
    true = at(MIRROR, "/dev/sdb", DiskId(serial="MIR0001"))
    machine = replace(THERE.machine, disks=(SOURCE, true, clone))
    refused_as_several(tell_apart(machine, (RECORD,)).machine)


def test_a_forged_one_alone_is_left_to_the_guard(bench: Callable[..., Machine]) -> None:
    machine = bench(("/dev/sdb", "MIR0001", knows(FORGED)))
    assert machine.impostors == ()
    found = plan_mirror(machine, RECORD, FORGED, MirrorRequest())
    assert isinstance(found, Refused)
    assert "does not know the secret" in found.findings[0].reason


def test_a_mirror_of_an_older_rescue_has_nothing_to_be_told_by(
    bench: Callable[..., Machine],
) -> None:
    machine = bench(
        ("/dev/sdb", "MIR0001", knows(THERE.record)),
        ("/dev/sdc", "FORGED", knows(FORGED)),
        records=(THERE.record,),
    )
    assert machine.impostors == ()
    assert attached_mirror(machine, THERE.record) is None


def test_a_forged_one_of_the_mirror_in_the_drawer_takes_no_turn(
    bench: Callable[..., Machine],
) -> None:
    other = replace(
        RECORD,
        name="vault",
        secret=Secret.draw(),
        mirror=replace(RECORD.mirror, id=DiskId(serial="AWAY01"), table_uuid="0d0d0d0d"),
    )
    machine = bench(("/dev/sdb", "MIR0001", knows(FORGED)), records=(RECORD, other))
    assert not is_attached(machine, RECORD)
    assert stands_in(machine, RECORD), "alone it is refused, and the guard says why"
    assert not stands_in(machine, other)


def test_it_is_named(bench: Callable[..., Machine], monkeypatch: pytest.MonkeyPatch) -> None:
    machine = bench(TRUE, ("/dev/sdc", "FORGED", None))
    bare = replace(machine, impostors=())
    (note,) = tell_apart(bare, (RECORD,)).notes
    assert "/dev/sdc (FORGED) looks like mirror 'MIR0001' but does not know its secret" in note
