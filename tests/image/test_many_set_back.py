"""More files than a comparison believes, with size and time set back: every night goes on."""

import os
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from rescue import run
from rescue.apply.engine import apply_plan
from rescue.apply.marker import store_marker
from rescue.apply.workspace import Workspace
from rescue.model.mirror.plan import Plan
from rescue.model.mirror.record import RECORD_VERSION, MirrorRecord, MirrorState
from rescue.plan.rot import MOST_SUSPECTS
from rescue.run.preflight import Overrides, preflight
from rescue.store.codec import from_json, to_json
from rescue.store.config import Config, DiskEntry
from rescue.system.files.digests import opened
from rescue.system.notify import journal
from rescue.ui.screen import Screen
from tests.image.loopdisks import DiskPair, disk_pair, in_child
from tests.image.test_rot import spoil
from tests.image.users import as_user, home_of

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root: loop devices and mounts"),
]

EVE = "home/eve"
NAMES = [f"f{number:05}" for number in range(MOST_SUSPECTS + 1)]
SETTINGS = Config(version=1, source=DiskEntry(serial="SOURCE-1", table_uuid="u"))


@pytest.fixture(name="pair")
def pair_(tmp_path: Path) -> Iterator[DiskPair]:
    with disk_pair(tmp_path) as pair:
        home_of(pair.root / "home")
        as_user(pair.root / EVE, fill)
        yield pair


def fill() -> None:
    for name in NAMES:
        Path(name).write_bytes(b"as it was")


def set_back() -> None:
    for name in NAMES:
        spoil(Path(name))


def weekly(pair: DiskPair, record: MirrorRecord, *, first: bool = False) -> dict[str, object]:
    """Do a run that compares every content, as the command does; return what came of it."""
    alarms: list[str] = []

    def looked(plan: Plan) -> Plan:
        with pytest.MonkeyPatch.context() as patch:
            opens = partial(Workspace.comparing, site=pair.site)
            patch.setattr(Workspace, "comparing", opens)
            patch.setattr(run.preflight, "opened", partial(opened, pair.folder / "digests.sqlite"))
            patch.setattr(journal, "report_alarm", lambda said, mirror: alarms.append(said))
            # The brake is another matter: on so small a server they are most of all files.
            overrides = Overrides(checksum=True, accept_changes=True)
            return preflight(plan, SETTINGS, Screen(), overrides)

    def action() -> object:
        plan = replace(pair.plan(first=first), record=record)
        plan = plan if first else looked(plan)
        outcome = apply_plan(plan, pair.grant(plan), emit=lambda _: None, site=pair.site)
        complete = replace(
            outcome.record, state=MirrorState.COMPLETE, last_run=outcome.summary, last_complete=1.0
        )
        store_marker(complete, pair.grant(plan), site=pair.site)
        return {
            "record": to_json(complete),
            "alarms": alarms,
            "failing_source": list(plan.failing_source),
            "degraded": outcome.summary.is_degraded,
        }

    told = in_child(action)
    assert isinstance(told, dict)
    return told


def record_of(told: dict[str, object]) -> MirrorRecord:
    return from_json(
        str(told["record"]), MirrorRecord, known_version=RECORD_VERSION, where="a test"
    )


def test_what_a_user_set_back_is_a_change_and_no_failing_disk(pair: DiskPair) -> None:
    record = record_of(weekly(pair, pair.record, first=True))
    as_user(pair.root / EVE, set_back)
    told = weekly(pair, record)
    assert (told["alarms"], told["failing_source"], told["degraded"]) == ([], [], False)
    with pair.mirror_seen() as mirror:
        for name in (NAMES[0], NAMES[-1]):
            assert (mirror / EVE / name).read_bytes() == (pair.root / EVE / name).read_bytes()


def test_more_rot_than_is_believed_raises_an_alarm_and_the_night_goes_on(pair: DiskPair) -> None:
    record = record_of(weekly(pair, pair.record, first=True))
    with pair.mirror_seen() as mirror:
        for name in NAMES:
            spoil(mirror / EVE / name)
    (pair.root / "home/ann/letter").write_bytes(b"new")
    (pair.root / "home/ann/mail").unlink()
    # Nothing is known of when the files were touched last.
    told = weekly(pair, replace(record, last_run=None))
    assert told["degraded"]
    alarms = told["alarms"]
    assert isinstance(alarms, list)
    assert len(alarms) == 1
    assert alarms[0].startswith("10,001 files differ")
    with pair.mirror_seen() as mirror:
        assert (mirror / "home/ann/letter").read_bytes() == b"new"
        assert (mirror / "home/ann/mail").exists(), "nothing is deleted on the word of that disk"
