"""What only a machine and its mirror know: by it a disk is believed, and it is shown nowhere."""

import io
import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from rich.console import Console

from rescue.apply.handover import turned
from rescue.apply.marker import expect_marker
from rescue.errors import DamagedError, ExitCode, RefusedError
from rescue.grants import WriteGrant, grant_disk
from rescue.model.finding import Refused
from rescue.model.mirror.plan import PLAN_VERSION, MirrorRequest, Plan
from rescue.model.mirror.record import RECORD_VERSION, Handover, MirrorRecord, MirrorState
from rescue.model.mirror.secret import Secret
from rescue.model.proof import ProofSettings
from rescue.plan.failback import plan_failback
from rescue.plan.mirror import plan_mirror
from rescue.proof.plan import plan_proof
from rescue.run import execute
from rescue.run.recorder import Recorder
from rescue.run.state_store import Store
from rescue.store.codec import from_json, to_json, to_stored_json
from rescue.store.records import load_handover, load_marker, load_record, save_handover, save_marker
from rescue.store.records import save_record as save
from rescue.ui.plan import render_plan
from rescue.ui.recovery_page import recovery_page
from rescue.ui.screen import Screen
from tests.builders import Enrolled, enrolled, on_mirror, prepared, request, server
from tests.unit.plan.test_plan_failback import asked

TOLD = Secret.draw()
OTHER = Secret.draw()
BEFORE = enrolled()
THERE = replace(BEFORE, record=replace(BEFORE.record, secret=TOLD))


def answer(there: Enrolled, marker: MirrorRecord, *, hotplug: bool = False) -> Plan | Refused:
    return plan_mirror(there.machine, there.record, marker, MirrorRequest(hotplug=hotplug))


@pytest.mark.parametrize("marker", [Secret(), OTHER])
@pytest.mark.parametrize("hotplug", [True, False])
def test_a_disk_that_looks_like_the_mirror_and_does_not_know_the_secret_gets_nothing(
    marker: Secret, *, hotplug: bool
) -> None:
    """Serial, table, UUIDs, host and machine-id can be read by every user, and are copied here."""
    forged = replace(THERE.record, secret=marker)
    found = answer(THERE, forged, hotplug=hotplug)
    assert isinstance(found, Refused)
    assert found.findings[0].code is ExitCode.REFUSED
    assert "does not know the secret" in found.findings[0].reason
    assert found.findings[0].hint


@pytest.mark.parametrize("hotplug", [True, False])
def test_the_mirror_is_believed(*, hotplug: bool) -> None:
    plan = answer(THERE, THERE.record, hotplug=hotplug)
    assert isinstance(plan, Plan)
    assert plan.record.secret == TOLD


def test_nor_is_it_booted_in_a_proof() -> None:
    done = replace(THERE.record, state=MirrorState.COMPLETE)
    forged = replace(done, secret=OTHER)
    found = plan_proof(THERE.machine, done, forged, ProofSettings(), free_mib=10**6, room_mib=10**6)
    assert isinstance(found, Refused)
    assert "does not know the secret" in found.findings[0].reason


def test_a_mirror_of_an_older_rescue_is_known_as_before_but_not_when_it_is_plugged_in() -> None:
    plan = answer(BEFORE, BEFORE.record)
    assert isinstance(plan, Plan)
    found = answer(BEFORE, BEFORE.record, hotplug=True)
    assert isinstance(found, Refused)
    assert "has no secret that identifies it" in found.findings[0].reason
    assert "'rescue mirror MIR0001' once" in found.findings[0].hint


def test_a_run_that_was_cut_when_it_gave_a_secret_goes_on_with_it() -> None:
    plan = answer(BEFORE, replace(BEFORE.record, secret=OTHER))
    assert isinstance(plan, Plan)
    assert plan.record.secret == OTHER


@dataclass(frozen=True, kw_only=True)
class Written(Store):
    """Who was told which secret, in order, instead of files."""

    told: list[tuple[str, Secret]] = field(default_factory=list)

    def save(self, record: MirrorRecord) -> None:
        self.told.append(("source", record.secret))

    def mark(self, record: MirrorRecord, grant: WriteGrant, **_: object) -> None:
        self.told.append(("mirror", record.secret))


@pytest.mark.parametrize("known", [Secret(), TOLD])
def test_the_mirror_learns_a_new_secret_before_the_source_does(known: Secret) -> None:
    """Cut anywhere, the two know each other, or the source believes as an older rescue did."""
    record = replace(BEFORE.record, secret=known)
    plan = answer(replace(BEFORE, record=record), record)
    assert isinstance(plan, Plan)
    store, said = Written(), io.StringIO()
    recorder = Recorder(grant_disk(plan, named=plan.names[0]), store=store)
    recorder.begin()
    complete = execute.with_secret(recorder.record, Screen(console=Console(file=said)))
    recorder.complete(replace(complete, state=MirrorState.COMPLETE), recovery_files={})
    (_, *written) = store.told
    assert written == [("source", known), ("mirror", complete.secret), ("source", complete.secret)]
    assert complete.secret.is_drawn
    assert (complete.secret == known) is known.is_drawn
    assert ("has a secret" in said.getvalue()) is not known.is_drawn


def test_both_sides_of_a_new_pair_know_its_own_secret() -> None:
    made = prepared(server(), replace(request(), secret=TOLD)).record
    assert made.secret == TOLD
    home = plan_failback(replace(on_mirror(), running_mirror=made), replace(asked(), secret=OTHER))
    assert isinstance(home, Plan)
    assert home.record.secret == OTHER
    assert turned(home.record).secret == OTHER, "the new first disk and its mirror"


def test_it_is_looked_for_once_more_when_the_mirror_is_mounted(tmp_path: Path) -> None:
    save_marker(tmp_path, replace(THERE.record, secret=OTHER))
    with pytest.raises(RefusedError, match="does not know its secret"):
        expect_marker(tmp_path, THERE.record)
    save_marker(tmp_path, THERE.record)
    assert expect_marker(tmp_path, THERE.record).secret == TOLD
    assert expect_marker(tmp_path, BEFORE.record).secret == TOLD


def shown_plan() -> str:
    plan = answer(THERE, THERE.record)
    assert isinstance(plan, Plan)
    return to_json(plan) + str(render_plan(plan, THERE.machine)) + repr(plan)


def shown_page() -> str:
    done = replace(THERE.record, state=MirrorState.COMPLETE, last_complete=1e9)
    page = recovery_page(THERE.machine, done, others=(done,))
    return "".join(each.decode() for each in page.recovery_files().values())


SHOWN: dict[str, Callable[[], str]] = {
    "the plan": shown_plan,
    "the recovery page": shown_page,
    "rescue disks --json on the mirror": lambda: to_json(
        replace(on_mirror(), running_mirror=THERE.record)
    ),
    "a traceback": lambda: repr(THERE.record) + str(TOLD),
}


@pytest.mark.parametrize("where", SHOWN)
def test_it_is_shown_nowhere(where: str) -> None:
    assert TOLD.text not in SHOWN[where]()


def test_what_is_shown_is_read_again_as_if_there_were_none() -> None:
    plan = answer(THERE, THERE.record)
    assert isinstance(plan, Plan)
    again = from_json(to_json(plan), Plan, known_version=PLAN_VERSION, where="a test")
    assert again == replace(plan, record=replace(plan.record, secret=Secret()))


def test_it_is_stored_for_root_alone(tmp_path: Path) -> None:
    save(THERE.record, tmp_path)
    save_marker(tmp_path, THERE.record)
    save_handover(tmp_path, Handover(record=THERE.record, boot_id="b", at=1.0))
    own = tmp_path / ".rescue"
    assert own.stat().st_mode & 0o777 == 0o700
    holding = [path for path in tmp_path.rglob("*.json") if TOLD.text in path.read_text()]
    assert {path.name for path in holding} == {
        f"{THERE.record.name}.json",
        *("mirror.json", "mirror.copy.json", "failback.json"),
    }
    assert {path.stat().st_mode & 0o777 for path in holding} == {0o600}
    assert TOLD.text.encode() not in (own / "mirror.env").read_bytes()
    assert load_record(THERE.record.name, tmp_path).secret == TOLD
    handover = load_handover(tmp_path)
    assert handover is not None
    assert handover.record.secret == TOLD
    marker = load_marker(tmp_path)
    assert marker is not None
    assert marker.secret == TOLD


def test_a_record_of_an_older_rescue_is_read() -> None:
    data = json.loads(to_stored_json(BEFORE.record))
    del data["secret"]
    read = from_json(json.dumps(data), MirrorRecord, known_version=RECORD_VERSION, where="x")
    assert not read.secret.is_drawn


@pytest.mark.parametrize("text", ["0", "f" * 63, "F" * 64, "f" * 64 + "\n", "g" * 64])
def test_what_was_not_drawn_is_none(text: str) -> None:
    data = json.loads(to_stored_json(BEFORE.record)) | {"secret": text}
    with pytest.raises(DamagedError):
        from_json(json.dumps(data), MirrorRecord, known_version=RECORD_VERSION, where="x")


def test_nothing_matches_what_is_missing() -> None:
    assert TOLD.matches(Secret(TOLD.text))
    assert not TOLD.matches(OTHER)
    assert not Secret().matches(Secret())
    assert not TOLD.matches(Secret())
