"""Which mirror a run goes to, and with which exit code it ends where there is none for it."""

from dataclasses import replace
from functools import partial
from pathlib import Path
from time import time

import pytest

from rescue.discover.marker import Marker
from rescue.errors import DamagedError, ExitCode, RescueError, SkippedError, UsageError
from rescue.mirrors import select as module
from rescue.mirrors.select import choose, choose_for_run, marker_on
from rescue.model.mirror.record import MirrorRecord, MirrorState
from rescue.model.mirror.rotation import Order, RotationSettings
from rescue.model.storage.disk import Disk
from rescue.model.storage.identity import DiskId
from rescue.model.storage.machine import Machine
from rescue.store import config
from rescue.store.records import load_record, save_record
from tests.builders import enrolled, server

HOUR = 3600.0
THERE = enrolled()


@pytest.fixture(autouse=True)
def records(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where this test's records lie: those of this machine are not read."""
    monkeypatch.setattr(module, "load_record", partial(load_record, directory=tmp_path))
    return tmp_path


def record(name: str, serial: str, *, hours: float) -> MirrorRecord:
    at = time() - hours * HOUR
    table = THERE.record.mirror.table_uuid if serial == "MIR0001" else f"table of {name}"
    mirror = replace(THERE.record.mirror, id=DiskId(serial=serial), table_uuid=table)
    return replace(
        THERE.record,
        name=name,
        mirror=mirror,
        state=MirrorState.COMPLETE,
        last_complete=at,
        last_tried=at,
    )


def known(folder: Path, *mirrors: MirrorRecord, order: Order = Order.ALTERNATE) -> config.Config:
    """Save the records, and return the configuration that names them."""
    for each in mirrors:
        save_record(each, folder)
    return config.Config(
        version=1,
        source=config.DiskEntry(table_uuid="x"),
        mirror=tuple(
            config.MirrorEntry(
                name=each.name,
                disk=config.DiskEntry(table_uuid="y", serial=each.mirror.id.serial),
            )
            for each in mirrors
        ),
        rotation=RotationSettings(order=order),
    )


def alone() -> Machine:
    return replace(THERE.machine, disks=THERE.machine.disks[:1])


def test_a_mirror_that_is_away_and_failed_is_not_as_young_as_its_last_complete_run(
    records: Path,
) -> None:
    failed = replace(record("attic", "AWAY01", hours=2), state=MirrorState.FAILED)
    with pytest.raises(RescueError, match="none of them is complete") as caught:
        choose_for_run(alone(), known(records, failed), name="")
    assert caught.value.code is ExitCode.FAILED


def test_on_the_day_of_the_one_that_is_away_the_run_is_skipped(records: Path) -> None:
    settings = known(
        records, record("attic", "MIR0001", hours=24), record("vault", "AWAY01", hours=48)
    )
    with pytest.raises(SkippedError) as caught:
        choose_for_run(THERE.machine, settings, name="")
    assert caught.value.code is ExitCode.SKIPPED
    assert "it is the turn of mirror 'vault' (AWAY01)" in caught.value.message
    assert "'rescue mirror attic'" in caught.value.hint


def test_named_it_gets_the_run_whatever_day_it_is(records: Path) -> None:
    settings = known(
        records, record("attic", "MIR0001", hours=24), record("vault", "AWAY01", hours=48)
    )
    assert choose_for_run(THERE.machine, settings, name="attic").record.name == "attic"
    assert choose(THERE.machine, settings, name="").name == "attic"


def test_when_it_is_too_old_it_does_not_wait(records: Path) -> None:
    settings = known(
        records, record("attic", "MIR0001", hours=37), record("vault", "AWAY01", hours=60)
    )
    turn = choose_for_run(THERE.machine, settings, name="")
    assert turn.record.name == "attic"
    assert "'vault' (AWAY01), which is not attached" in turn.note


def test_whichever_is_plugged_in_gets_its_run(records: Path) -> None:
    settings = known(
        records,
        record("attic", "MIR0001", hours=1),
        record("vault", "AWAY01", hours=48),
        order=Order.ATTACHED,
    )
    turn = choose_for_run(THERE.machine, settings, name="")
    assert (turn.record.name, turn.note) == ("attic", "")


@pytest.mark.parametrize("order", list(Order))
@pytest.mark.parametrize(
    ("hours", "code"),
    [((24, 48), ExitCode.SKIPPED), ((24, 61), ExitCode.SKIPPED), ((37, 62), ExitCode.FAILED)],
)
def test_with_none_attached_it_is_skipped_until_one_is_due(
    records: Path, order: Order, hours: tuple[float, float], code: ExitCode
) -> None:
    one, two = hours
    settings = known(
        records,
        record("attic", "GONE01", hours=one),
        record("vault", "AWAY01", hours=two),
        order=order,
    )
    with pytest.raises(RescueError) as caught:
        choose_for_run(alone(), settings, name="")
    assert caught.value.code is code
    assert "'attic' (GONE01), 'vault' (AWAY01)" in caught.value.message


def test_the_named_one_is_away_and_overdue(records: Path) -> None:
    settings = known(
        records, record("attic", "MIR0001", hours=1), record("vault", "AWAY01", hours=61)
    )
    with pytest.raises(RescueError) as caught:
        choose_for_run(THERE.machine, settings, name="vault")
    assert (caught.value.code, "overdue after 60 h" in caught.value.message) == (1, True)


def test_an_unknown_name_says_which_there_are(records: Path) -> None:
    settings = known(records, record("attic", "MIR0001", hours=1))
    with pytest.raises(UsageError) as caught:
        choose_for_run(THERE.machine, settings, name="cellar")
    assert "attic" in caught.value.hint


def dock(machine: Machine, serial: str) -> Machine:
    """Return the machine with its mirror in an adapter that shows a serial of its own."""
    shown = replace(machine.disks[1], id=DiskId(serial=serial))
    return replace(machine, disks=(machine.disks[0], shown))


@pytest.mark.parametrize("order", list(Order))
def test_of_two_mirrors_with_a_dock_s_serial_the_one_that_is_there_gets_the_run(
    records: Path, order: Order
) -> None:
    there = replace(record("attic", "MIR0001", hours=37), name="attic")
    there = replace(there, mirror=replace(there.mirror, id=DiskId(serial="DOCK")))
    settings = known(records, record("vault", "DOCK", hours=60), there, order=order)
    turn = choose_for_run(dock(THERE.machine, "DOCK"), settings, name="")
    assert turn.record.name == "attic"
    assert choose(dock(THERE.machine, "DOCK"), settings, name="").name == "attic"


def test_a_mirror_that_moved_from_its_dock_is_found_again(records: Path) -> None:
    moved = record("attic", "MIR0001", hours=1)
    moved = replace(moved, mirror=replace(moved.mirror, id=DiskId(serial="DOCK")))
    settings = known(records, moved)
    assert choose_for_run(THERE.machine, settings, name="").record.name == "attic"


def test_hardware_that_holds_something_else_is_left_to_the_guard(records: Path) -> None:
    """An emptied mirror is no absent one: the run says so, and does not end as skipped."""
    settings = known(records, record("attic", "MIR0001", hours=1))
    emptied = replace(THERE.machine.disks[1], table=None)
    machine = replace(THERE.machine, disks=(THERE.machine.disks[0], emptied))
    assert choose_for_run(machine, settings, name="").record.name == "attic"


def damaged(disk: Disk) -> Marker | None:
    raise DamagedError(f"/.rescue/mirror.json on {disk.id.name} is not a state file of rescue")


@pytest.mark.parametrize(("hours", "code"), [(24, ExitCode.SKIPPED), (48, ExitCode.FAILED)])
def test_a_stranger_s_damaged_marker_ends_no_run(
    records: Path, monkeypatch: pytest.MonkeyPatch, hours: float, code: ExitCode
) -> None:
    """The mirror is away, and somebody's stick is attached."""
    settings = known(records, record("vault", "AWAY01", hours=hours))
    monkeypatch.setattr(module, "read_marker", damaged)
    with pytest.raises(RescueError) as caught:
        choose_for_run(server(), settings, name="")
    assert caught.value.code is code
    assert "the marker on /dev/vdb (MIR0001) cannot be read" in caught.value.message


@pytest.mark.parametrize("gone", [False, True])
def test_a_damaged_record_of_a_mirror_in_the_drawer_stops_no_other(
    records: Path, *, gone: bool
) -> None:
    settings = known(
        records, record("attic", "MIR0001", hours=37), record("vault", "AWAY01", hours=60)
    )
    if gone:
        (records / "vault.json").unlink()
    else:
        (records / "vault.json").write_bytes(b'{"version": 1, "na')
    turn = choose_for_run(THERE.machine, settings, name="")
    assert turn.record.name == "attic"
    assert "mirror 'vault' is left out" in turn.note
    assert choose(THERE.machine, settings, name="").name == "attic"
    with pytest.raises(DamagedError):
        choose(THERE.machine, settings, name="vault")
    (records / "attic.json").write_bytes(b"")
    with pytest.raises(DamagedError, match="'attic' is left out"):
        choose_for_run(THERE.machine, settings, name="")


def test_a_mirror_whose_marker_cannot_be_read_is_refused_by_the_guard(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "read_marker", damaged)
    disk = THERE.machine.disks[1]
    with pytest.raises(RescueError) as caught:
        marker_on(disk, THERE.record)
    assert caught.value.code is ExitCode.REFUSED
    assert "no copy of the marker on /dev/vdb (MIR0001) can be read" in caught.value.message
    assert "'rescue prepare /dev/vdb --name MIR0001'" in caught.value.hint
