"""What `rescue status` says, and what monitoring makes of it."""

import io
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from rescue import paths
from rescue.model.event import Notice
from rescue.model.mirror.record import Handover, MirrorRecord, MirrorState, RunSummary
from rescue.model.mirror.role import Role
from rescue.model.run.status import STATUS_VERSION, Health, Status
from rescue.model.storage.disk import TableKind
from rescue.status import current
from rescue.status.assess import on_mirror as status_on_mirror
from rescue.status.assess import on_source, with_damage
from rescue.status.exposure import Known
from rescue.store.codec import from_json, to_json
from rescue.ui.next_steps import step_words
from rescue.ui.screen import Screen, summary_lines
from rescue.ui.status.frames import status_view
from rescue.ui.status.lines import age_words, status_lines
from rescue.ui.status.monitor import monitor_line
from rescue.ui.status.page import report
from tests.builders import bare_disk, enrolled, on_mirror, server, unplugged

NOW = 1_700_000_000.0
HOUR = 3600.0


def record(*, hours: float = 5, state: MirrorState = MirrorState.COMPLETE) -> MirrorRecord:
    return replace(enrolled().record, state=state, last_complete=NOW - hours * HOUR)


def on_first_disk(*records: MirrorRecord) -> Status:
    return on_source(enrolled().machine, records, now=NOW, overdue_hours=36)


def in_rescue_mode(**changes: object) -> Status:
    machine = replace(on_mirror(), **changes)  # type: ignore[arg-type]
    assert machine.running_mirror is not None
    return status_on_mirror(
        machine, machine.running_mirror, now=NOW + HOUR, boots=("2026-11-24T01:02:03Z",)
    )


def steps(status: Status) -> tuple[str, ...]:
    return tuple(map(step_words, status.next_steps))


def text(status: Status) -> str:
    return "\n".join(line.plain for line in status_lines(status))


def test_a_machine_with_a_fresh_mirror_is_good() -> None:
    status = on_first_disk(record())
    assert status.health is Health.GOOD
    assert status.runs_from is Role.SOURCE
    first, *rest = text(status).splitlines()
    assert first == "GOOD: server runs from its first disk (SRC0001, /dev/vda)"
    assert rest[0].startswith("  if SRC0001 dies now: 5 h 0 min of changes are lost")
    assert "complete, generation 3, 5 h old, attached" in rest[1]
    assert steps(status) == ()


def test_an_overdue_mirror_is_a_warning() -> None:
    status = on_first_disk(record(hours=37))
    assert status.health is Health.WARNING
    assert steps(status) == ("rescue mirror MIR0001",)


def test_a_run_that_was_refused_is_a_warning_and_its_reason_is_said() -> None:
    status = on_first_disk(replace(record(), last_error="the brake"))
    assert status.health is Health.WARNING
    assert "last error: the brake" in text(status)


@pytest.mark.parametrize("state", [MirrorState.FAILED, MirrorState.RUNNING, MirrorState.NEW])
def test_a_mirror_that_is_not_complete_is_critical(state: MirrorState) -> None:
    assert on_first_disk(record(state=state)).health is Health.CRITICAL


def test_a_mirror_that_is_being_written_now_is_no_alarm_and_one_that_was_cut_is() -> None:
    written = record(state=MirrorState.RUNNING)

    def health(each: MirrorRecord, *, active: bool) -> Health:
        known = {each.name: Known(active=active)}
        machine = enrolled().machine
        return on_source(machine, (each,), now=NOW, overdue_hours=36, known=known).health

    assert health(written, active=True) is Health.GOOD
    assert health(written, active=False) is Health.CRITICAL
    assert health(record(hours=50, state=MirrorState.RUNNING), active=True) is Health.WARNING
    assert health(replace(written, last_error="full"), active=True) is Health.WARNING
    assert health(replace(written, last_complete=0.0), active=True) is Health.CRITICAL
    assert health(record(state=MirrorState.FAILED), active=True) is Health.CRITICAL


def test_a_mirror_that_never_was_complete_is_critical() -> None:
    status = on_first_disk(replace(record(), last_complete=0.0))
    assert status.health is Health.CRITICAL
    assert "never complete" in text(status)


def test_the_worst_mirror_counts() -> None:
    assert on_first_disk(record(), record(hours=40)).health is Health.WARNING


def test_a_mirror_beyond_its_own_interval_is_a_warning_though_the_other_is_fine() -> None:
    far = replace(record(hours=201), name="vault")
    machine = enrolled().machine
    limits = {"MIR0001": 60.0, "vault": 200.0}
    status = on_source(machine, (record(), far), now=NOW, overdue_hours=36, intervals=limits)
    assert status.health is Health.WARNING
    assert [each.health for each in status.mirrors] == [Health.GOOD, Health.WARNING]
    assert "'vault' (MIR0001): complete, generation 3, 8 days old (OVERDUE: its limit is" in text(
        status
    )
    assert steps(status) == ("rescue mirror vault",)
    younger = replace(far, last_complete=NOW - 199 * HOUR)
    status = on_source(machine, (record(), younger), now=NOW, overdue_hours=36, intervals=limits)
    assert status.health is Health.GOOD


def test_no_mirror_is_young_enough_though_each_is_within_its_interval() -> None:
    limits = {"MIR0001": 200.0}
    old = record(hours=50)
    status = on_source(enrolled().machine, (old,), now=NOW, overdue_hours=36, intervals=limits)
    assert status.health is Health.WARNING
    assert steps(status) == ("rescue mirror   # no mirror is younger than 36 h",)


def test_whose_day_it_is_is_said() -> None:
    assert "it is the day of mirror 'vault'" in text(replace(on_first_disk(record()), turn="vault"))


def test_a_time_that_is_yet_to_come_is_a_warning() -> None:
    assert on_first_disk(record(hours=-500)).health is Health.WARNING


def test_without_any_mirror_it_is_critical() -> None:
    status = on_first_disk()
    assert status.health is Health.CRITICAL
    assert "no mirror is enrolled" in text(status)


def test_a_first_disk_that_no_record_knows_is_critical() -> None:
    strange = replace(record(), source=replace(record().source, table_uuid="another"))
    status = on_first_disk(strange)
    assert status.health is Health.CRITICAL
    assert status.runs_from is Role.NONE
    assert "no mirror was made from" in text(status)


def test_an_absent_mirror_is_to_be_attached() -> None:
    machine = server(TableKind.GPT, bare_disk("/dev/vdz", "ELSE001"))
    status = on_source(machine, (record(hours=99),), now=NOW, overdue_hours=36)
    assert not status.mirrors[0].attached
    assert "attach MIR0001 first" in steps(status)[0]


def test_in_rescue_mode_it_says_what_to_do_with_the_real_names() -> None:
    dead = unplugged(server().disks[0], "/dev/vdc")
    status = in_rescue_mode(disks=(*on_mirror().disks, dead))
    assert status.health is Health.CRITICAL
    said = text(status)
    assert said.startswith("CRITICAL: server runs from its MIRROR (MIR0001, /dev/vda)")
    assert "state of the system: 2023-11-14 22:13 UTC (60 min ago), generation 3" in said
    assert "started from it at 2026-11-24T01:02:03Z" in said
    assert "rescue restore   # bring the homes back from SRC0001 (/dev/vdc)" in said
    assert "rescue failback NEW0001" in said


def test_without_a_bare_disk_one_has_to_be_attached() -> None:
    status = in_rescue_mode(disks=on_mirror().disks[:1])
    assert any("attach a new or repaired disk" in step for step in steps(status))
    wiped = bare_disk("/dev/vdb", "SRC0001")
    status = in_rescue_mode(disks=(on_mirror().disks[0], wiped))
    assert not any("failback SRC0001" in step for step in steps(status))
    small = bare_disk("/dev/vdb", "SMALL01", 1024**2)
    status = in_rescue_mode(disks=(on_mirror().disks[0], small))
    assert not any("SMALL01" in step for step in steps(status))


def test_a_disk_that_was_being_written_is_no_place_to_stay() -> None:
    running = on_mirror().running_mirror
    assert running is not None
    status = in_rescue_mode(running_mirror=replace(running, state=MirrorState.RUNNING))
    assert steps(status) == (
        "start this machine from SRC0001: this disk was being written and is not whole",
    )


def test_after_the_failback_it_says_how_to_come_home() -> None:
    given = record()
    new = replace(given, mirror=replace(given.mirror, id=bare_disk("/dev/vdb", "NEW0001").id))
    handover = Handover(record=new, boot_id="this-session", at=NOW)
    said = text(in_rescue_mode(handover=handover))
    assert "STILL runs from its mirror" in said.splitlines()[0]
    assert "rescue failback NEW0001" in said
    assert "then start from NEW0001" in said
    later = replace(handover, boot_id="the-session-before")
    assert "STILL" not in text(in_rescue_mode(handover=later))


def test_it_is_printed_as_json_and_read_again() -> None:
    status = in_rescue_mode()
    again = from_json(to_json(status), Status, known_version=STATUS_VERSION, where="status")
    assert again == status


@pytest.mark.parametrize(
    ("seconds", "words"), [(600, "10 min"), (3 * HOUR, "3 h"), (72 * HOUR, "3 days")]
)
def test_ages_are_said_as_people_say_them(seconds: float, words: str) -> None:
    assert age_words(seconds) == words


def test_what_was_not_as_it_should_be_in_the_last_run_is_a_warning() -> None:
    run = RunSummary(
        started=NOW,
        seconds=60,
        checksum=False,
        files_total=10,
        files_changed=1,
        bytes_changed=1,
        deletions=0,
        vanished=3,
        unreadable=("/home/ann/lost", "/home/ann/too"),
        hooks_failed=("hook 'dump' (before the run) failed with exit code 1: no room",),
    )
    status = on_first_disk(replace(record(), last_run=run))
    assert status.health is Health.WARNING
    said = text(status)
    assert "    hook 'dump' (before the run) failed" in said
    assert "the last run could not read /home/ann/lost and 1 more" in said
    assert "3 files vanished while the last run copied them" in said


def test_what_was_not_as_on_other_nights_is_said_and_is_no_warning() -> None:
    run = RunSummary(
        started=NOW,
        seconds=60,
        checksum=False,
        files_total=10,
        files_changed=1,
        bytes_changed=1,
        deletions=0,
        vanished=3,
        live=("/", "/home"),
        notes=("apt-get (process 12) was waited for, 34 s",),
    )
    status = on_first_disk(replace(record(), last_run=run))
    assert status.health is Health.GOOD
    assert "3 files vanished" in text(status)
    assert "    noted in it: apt-get (process 12) was waited for, 34 s" in text(status)
    said = "\n".join(summary_lines(run))
    assert "note: 3 files vanished while they were copied" in said
    assert "note: apt-get (process 12) was waited for, 34 s" in said
    assert "copied while in use, without a snapshot: /, /home" in said


def test_what_a_run_has_noted_is_said_once() -> None:
    run = RunSummary(
        started=NOW,
        seconds=60,
        checksum=False,
        files_total=10,
        files_changed=1,
        bytes_changed=1,
        deletions=0,
        notes=("the menu of the last run was kept", "said by nobody yet"),
    )
    screen = Screen(console=Console(file=io.StringIO()))
    screen.emit(Notice(message=run.notes[0]))
    said = summary_lines(run, noted=screen.noted)
    assert [line for line in said if line.startswith("note")] == [f"note: {run.notes[1]}"]


DAMAGE = "/.rescue/mirror.json is not a state file of rescue: its second copy counts"


def test_a_damaged_marker_of_the_running_mirror_is_said() -> None:
    status = in_rescue_mode(damage=(DAMAGE,))
    assert f"  {DAMAGE}" in text(status).splitlines()
    assert any(step.startswith("rescue restore") for step in steps(status))


def test_a_machine_that_cannot_tell_its_mirror_has_a_status_all_the_same(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(paths, "CONFIG", tmp_path / "none")
    monkeypatch.setattr(current, "with_health", lambda machine, *_: machine)
    status = current.current_status(replace(on_mirror(), running_mirror=None, damage=(DAMAGE,)))
    assert (status.health, status.runs_from) == (Health.CRITICAL, Role.MIRROR)
    assert DAMAGE in text(status)


def test_a_damaged_record_is_critical_and_the_others_are_told() -> None:
    status = with_damage(on_first_disk(record()), (DAMAGE,))
    assert status.health is Health.CRITICAL
    assert DAMAGE in text(status)
    assert "complete, generation 3" in text(status)
    shown = Console(file=io.StringIO(), width=200)
    for part in status_view(status):
        shown.print(part)
    assert isinstance(shown.file, io.StringIO)
    assert DAMAGE in shown.file.getvalue()
    assert DAMAGE in report(status)
    assert monitor_line(status).startswith("RESCUE CRITICAL - ")
    assert DAMAGE in monitor_line(status)
    assert DAMAGE in monitor_line(replace(status, mirrors=()))
