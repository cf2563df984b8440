"""What is noted of a run, whatever becomes of it; and who holds the lock, without trying it."""

import fcntl
import io
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from rescue.apply.engine import Outcome
from rescue.errors import BrakeError, ExitCode, UsageError
from rescue.model.boot.firmware import BootTimes
from rescue.model.mirror.plan import PlanKind
from rescue.model.mirror.record import FreeSpace, MirrorState, RunSummary
from rescue.model.run.exposure import Proven
from rescue.model.run.history import RunEnd, RunEntry, seen
from rescue.model.storage.disk_health import DiskHealth, SmartState, SmartVerdict
from rescue.model.storage.machine import Machine
from rescue.paths import OWN_FOLDER
from rescue.run.run_history import OpenRun, note_proof, noted
from rescue.store.history import (
    ON_MIRROR,
    known_runs,
    known_runs_on_mirror,
    load_history,
    load_runs,
    save_runs,
)
from rescue.store.records import save_beside
from rescue.system.process.lock import is_held
from rescue.ui.screen import Screen
from rescue.ui.status.facts import run_words
from tests.builders import enrolled

THERE = enrolled()
NAME = THERE.record.name
SUMMARY = RunSummary(
    started=1.0,
    seconds=2.0,
    checksum=True,
    files_total=30,
    files_changed=4,
    bytes_changed=5,
    deletions=6,
    unreadable=("/home/a", "/home/b"),
    free=(FreeSpace(mount_point="/", size=100, free=40),),
)


VERDICT = SmartVerdict(state=SmartState.SUSPECT, said=("3 media errors",))


def of_health(machine: Machine, health: DiskHealth) -> Machine:
    return replace(machine, health=tuple((disk.path, health) for disk in machine.disks))


def screen() -> Screen:
    return Screen(console=Console(file=io.StringIO()), errors=Console(file=io.StringIO()))


def book(folder: Path) -> AbstractContextManager[OpenRun]:
    return noted(
        of_health(THERE.machine, DiskHealth(smart=VERDICT)),
        THERE.record,
        kind=PlanKind.MIRROR,
        screen=screen(),
        folder=folder,
    )


def run(folder: Path, *, fail: BaseException | None = None) -> tuple[RunEntry, ...]:
    """Note one run, and return what the history held while it was at work."""
    with book(folder) as notes:
        notes.outcome = Outcome(record=THERE.record, summary=SUMMARY)
        during = load_runs(NAME, folder)
        if fail:
            raise fail
    return during


def test_a_proof_is_noted_at_the_run_whose_work_was_booted(tmp_path: Path) -> None:
    runs = tuple(
        RunEntry(kind=PlanKind.MIRROR, mirror=NAME, started=float(at), end=end, generation=number)
        for at, (number, end) in enumerate(
            [(6, RunEnd.COMPLETE), (7, RunEnd.DEGRADED), (7, RunEnd.REFUSED)]
        )
    )
    save_runs(NAME, runs, tmp_path)
    proof = Proven(at=9.0, generation=7, times=BootTimes(total=41))
    note_proof(proof, mirror=NAME, screen=screen(), folder=tmp_path)
    assert load_runs(NAME, tmp_path) == (runs[0], replace(runs[1], proof=proof), runs[2])
    assert run_words(load_runs(NAME, tmp_path)[1]).endswith(", proven to boot in 41 s")
    failed = replace(proof, cause="GRUB: no kernel")
    note_proof(failed, mirror=NAME, screen=screen(), folder=tmp_path)
    assert run_words(load_runs(NAME, tmp_path)[1]).endswith(", FAILED its proof")


def test_a_run_is_noted_when_it_begins_and_when_it_ends(tmp_path: Path) -> None:
    (begun,) = run(tmp_path)
    assert begun.end is RunEnd.RUNNING
    (done,) = load_runs(NAME, tmp_path)
    assert (done.end, done.exit_code) == (RunEnd.DEGRADED, 14)
    assert done.figures is not None
    assert (done.figures.files_total, done.figures.unreadable) == (30, 2)
    assert done.free == SUMMARY.free
    assert done.source_disk is not None
    assert done.source_disk.disk == "SRC0001"
    assert done.source_disk.smart == VERDICT
    assert done.mirror_disk is not None
    assert done.mirror_disk.disk == "MIR0001"


@pytest.mark.parametrize(
    ("error", "end", "code", "said"),
    [
        (BrakeError("too many"), RunEnd.REFUSED, 13, "too many"),
        (OSError(5, "Input/output error"), RunEnd.FAILED, 1, "Input/output error"),
        (KeyboardInterrupt(), RunEnd.FAILED, 1, "KeyboardInterrupt"),
    ],
)
def test_a_run_that_failed_is_noted_and_its_error_goes_on(
    tmp_path: Path, error: BaseException, end: RunEnd, code: int, said: str
) -> None:
    with pytest.raises(type(error)):
        run(tmp_path, fail=error)
    (entry,) = load_runs(NAME, tmp_path)
    assert (entry.end, entry.exit_code) == (end, code)
    assert said in entry.said


def test_the_history_on_the_mirror_holds_this_run_as_it_will_end(tmp_path: Path) -> None:
    run(tmp_path)
    with book(tmp_path) as notes:
        notes.outcome = Outcome(record=THERE.record, summary=replace(SUMMARY, unreadable=()))
        recovery_files = notes.recovery_files(replace(THERE.record, generation=4))
    (data,) = recovery_files.values()
    lines = data.decode().splitlines()
    assert len(lines) == 2
    assert '"end": "complete"' in lines[1]
    assert '"generation": 4' in lines[1]


@pytest.mark.parametrize("state", list(MirrorState))
def test_a_run_that_was_cut_when_its_generation_was_announced_did_not_come_to_its_end(
    tmp_path: Path, state: MirrorState
) -> None:
    """The source knows a new generation before the mirror is marked with it."""
    cut = RunEntry(kind=PlanKind.MIRROR, mirror=NAME, started=1.0, generation=3)
    save_runs(NAME, (cut,), tmp_path)
    record = replace(THERE.record, state=state, generation=4)
    with noted(THERE.machine, record, kind=PlanKind.MIRROR, screen=screen(), folder=tmp_path):
        before = load_runs(NAME, tmp_path)[0]
    whole = state is MirrorState.COMPLETE
    assert before.end is (RunEnd.COMPLETE if whole else RunEnd.CUT)
    told = seen((cut,), generation=record.whole_generation, active=False)
    assert told[0].end is before.end


@pytest.mark.parametrize(
    "damaged", [b'{"version": 1, "cut in the mid', b'{"version": 1, "said": "a \xff rotted"}\n']
)
def test_a_damaged_line_of_the_history_is_put_aside_and_the_rest_goes_on(
    tmp_path: Path, damaged: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    run(tmp_path)
    (before,) = load_runs(NAME, tmp_path)
    file = tmp_path / f"{NAME}.jsonl"
    file.write_bytes(whole := file.read_bytes() + damaged)
    assert f"{NAME}.jsonl, line 2" in load_history(NAME, tmp_path).damage[0]
    assert known_runs(NAME, tmp_path) == (before,)
    with book(tmp_path) as notes:
        assert len(notes.recovery_files(THERE.record).popitem()[1].splitlines()) == 2
    assert file.with_name(f"{file.name}.damaged").read_bytes() == whole
    assert load_history(NAME, tmp_path).damage == ()
    assert len(load_runs(NAME, tmp_path)) == 2
    note_proof(
        Proven(at=9.0, generation=7, times=BootTimes()),
        mirror=NAME,
        screen=screen(),
        folder=tmp_path,
    )
    (tmp_path / OWN_FOLDER).mkdir()
    (tmp_path / OWN_FOLDER / ON_MIRROR).write_bytes(whole)
    assert known_runs_on_mirror(tmp_path) == (before,)


def test_a_newer_history_is_refused(tmp_path: Path) -> None:
    (tmp_path / f"{NAME}.jsonl").write_text('{"version": 99}\n')
    with pytest.raises(UsageError, match="newer rescue"):
        load_runs(NAME, tmp_path)


def test_whether_a_run_is_active_is_seen_without_trying_the_lock(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    assert not is_held(path)
    with path.open("w") as file:
        assert not is_held(path)
        fcntl.flock(file, fcntl.LOCK_EX)
        assert is_held(path)
    assert not is_held(path)


def test_a_run_from_a_failing_source_is_degraded(tmp_path: Path) -> None:
    good = replace(SUMMARY, unreadable=())
    with book(tmp_path) as notes:
        for summary, code in (
            (good, ExitCode.DONE),
            (replace(good, failing_source=("it fails",)), ExitCode.DEGRADED),
            (replace(good, kept=("/a",)), ExitCode.DEGRADED),
        ):
            notes.outcome = Outcome(record=THERE.record, summary=summary)
            assert notes.code is code


def test_the_running_mirror_knows_its_last_runs(tmp_path: Path) -> None:
    with book(tmp_path) as notes:
        notes.outcome = Outcome(record=THERE.record, summary=SUMMARY)
        save_beside(tmp_path, notes.recovery_files(THERE.record))
    (run_,) = known_runs_on_mirror(tmp_path)
    assert run_.end is RunEnd.DEGRADED
    assert known_runs_on_mirror(tmp_path / "nowhere") == ()
