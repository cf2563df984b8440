"""Which mirror a run goes to, and with which exit code it ends where there is none for it."""

from dataclasses import replace
from functools import partial
from pathlib import Path
from time import time

import pytest

from rescue import config
from rescue.commands import enrolled as module
from rescue.commands.enrolled import choose, choose_for_run
from rescue.errors import ExitCode, RescueError, SkippedError, UsageError
from rescue.model.identity import DiskId
from rescue.model.machine import Machine
from rescue.model.record import MirrorRecord, MirrorState
from rescue.model.rotation import Order, RotationSettings
from rescue.state import load_record, save_record
from tests.builders import enrolled

HOUR = 3600.0
THERE = enrolled()


@pytest.fixture(autouse=True)
def records(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where this test's records lie: those of this machine are not read."""
    monkeypatch.setattr(module, "load_record", partial(load_record, directory=tmp_path))
    return tmp_path


def record(name: str, serial: str, *, hours: float) -> MirrorRecord:
    at = time() - hours * HOUR
    mirror = replace(THERE.record.mirror, id=DiskId(serial=serial))
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
