"""What is at stake, in figures: each from a record, and 'unknown' where there is none."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rescue.model.boot.firmware import BootTimes
from rescue.model.mirror.plan import PlanKind
from rescue.model.mirror.record import FreeSpace, MirrorRecord, MirrorState, RunSummary
from rescue.model.run.exposure import Exposure, Proven
from rescue.model.run.history import RunEnd, RunEntry
from rescue.model.run.status import STATUS_VERSION, Health, Status
from rescue.model.storage.disk_health import DiskHealth, SmartState, SmartVerdict
from rescue.status.assess import on_source
from rescue.status.exposure import Known, exposure_of
from rescue.store.codec import from_json, to_json
from rescue.ui.next_steps import step_words
from rescue.ui.status.facts import duration_words, exposure_sentence, reasons
from rescue.ui.status.lines import status_lines
from tests.builders import enrolled

NOW = 1_700_000_000.0
HOUR = 3600.0
NAME = enrolled().record.name


def record(*, hours: float = 7, seconds: float = 720) -> MirrorRecord:
    complete = NOW - hours * HOUR
    run = RunSummary(
        started=complete - seconds,
        seconds=seconds,
        checksum=False,
        files_total=120_000,
        files_changed=37,
        bytes_changed=5 * 1024**2,
        deletions=2,
        free=(FreeSpace(mount_point="/", size=3 * 1024**3, free=1024**3),),
    )
    return replace(
        enrolled().record,
        state=MirrorState.COMPLETE,
        last_complete=complete,
        last_run=run,
        last_checksum=NOW - 3 * 24 * HOUR,
    )


def run(hours: float, end: RunEnd, **more: object) -> RunEntry:
    entry = RunEntry(kind=PlanKind.MIRROR, mirror=NAME, started=NOW - hours * HOUR, end=end)
    return replace(entry, **more)  # type: ignore[arg-type]


def health(state: SmartState, *said: str) -> DiskHealth:
    return DiskHealth(smart=SmartVerdict(state=state, said=said))


PREPARED = run(500, RunEnd.COMPLETE, kind=PlanKind.PREPARE, seconds=52 * 60)
PROVEN = Proven(
    at=NOW - HOUR,
    times=BootTimes(firmware=2, grub=6, kernel=12, userspace=21, total=41),
    generation=3,
)


def stand(
    known: Known,
    *,
    given: MirrorRecord | None = None,
    health: tuple[tuple[str, DiskHealth], ...] = (),
    **more: float,
) -> Status:
    return on_source(
        replace(enrolled().machine, health=health),
        (given or record(),),
        now=NOW,
        overdue_hours=36,
        known={NAME: known},
        **more,  # type: ignore[arg-type]
    )


def text(status: Status) -> str:
    return "\n".join(line.plain for line in status_lines(status))


def test_everything_was_measured() -> None:
    exposure = exposure_of((record(),), {NAME: Known(runs=(PREPARED,), proof=PROVEN)}, now=NOW)
    assert exposure_sentence(exposure, disk="SRC0001") == (
        "if SRC0001 dies now: 7 h 12 min of changes are lost, proven to boot in 41 s, "
        "failback about 52 min (by the preparing)"
    )


def test_nothing_was_measured() -> None:
    said = exposure_sentence(exposure_of((record(),), {}, now=NOW), disk="SRC0001")
    assert said == (
        "if SRC0001 dies now: 7 h 12 min of changes are lost, time to boot unknown (not proven), "
        "failback unknown (never measured)"
    )


def test_without_a_complete_mirror_everything_is_lost() -> None:
    for bad in (
        replace(record(), last_complete=0.0),
        replace(record(), state=MirrorState.FAILED),
    ):
        assert exposure_of((bad,), {}, now=NOW) == Exposure()
        assert "everything is lost" in text(stand(Known(), given=bad))


def test_a_rehearsal_counts_more_than_the_preparing() -> None:
    known = {NAME: Known(runs=(PREPARED,), rehearsed=1800)}
    exposure = exposure_of((record(),), known, now=NOW)
    assert (exposure.failback, exposure.failback_from) == (1800, "a rehearsal")


def test_a_proof_that_failed_proves_no_time_and_is_critical() -> None:
    failed = replace(PROVEN, cause="kernel: it panicked")
    status = stand(Known(proof=failed))
    assert status.exposure is not None
    assert status.exposure.boots is None
    assert status.health is Health.CRITICAL
    assert "proof: FAILED 60 min ago, generation 3: kernel: it panicked" in text(status)
    assert any(
        step.startswith(f"rescue prove {NAME}   # /var/lib/rescue/proofs/{NAME} holds ")
        for step in map(step_words, status.next_steps)
    )


def test_a_failed_proof_is_over_with_the_next_complete_run_or_proof() -> None:
    """The run made anew what the boot reads: of what stands there now nobody has seen anything."""
    failed = replace(PROVEN, cause="kernel: it panicked", generation=2)
    status = stand(Known(proof=failed))
    assert status.health is Health.GOOD
    assert status.next_steps == ()
    assert reasons(status) == ()
    assert "proof: FAILED 60 min ago, generation 2: kernel: it panicked; not proven since" in text(
        status
    )
    assert stand(Known(proof=replace(failed, generation=3))).health is Health.CRITICAL
    assert stand(Known(proof=PROVEN)).health is Health.GOOD


def test_a_proof_of_an_older_state_proves_nothing_of_this_one() -> None:
    newer = replace(record(), generation=4)
    exposure = exposure_of((newer,), {NAME: Known(proof=PROVEN)}, now=NOW)
    assert exposure.boots is None
    assert "time to boot unknown (not proven)" in exposure_sentence(exposure, disk="SRC0001")


@given(
    ages=st.lists(st.floats(0, 10**6), min_size=1, max_size=4),
    states=st.lists(st.sampled_from(MirrorState), min_size=4, max_size=4),
)
def test_the_figures_are_of_the_newest_whole_mirror(
    ages: list[float], states: list[MirrorState]
) -> None:
    records = [
        replace(record(hours=age), name=str(index), state=states[index])
        for index, age in enumerate(ages)
    ]
    exposure = exposure_of(records, {}, now=NOW)
    whole = [age for age, state in zip(ages, states, strict=False) if state is MirrorState.COMPLETE]
    if not whole:
        assert exposure.lost is None
    else:
        assert exposure.lost == pytest.approx(min(whole) * HOUR + 720)


def test_what_is_known_of_a_mirror_is_said() -> None:
    cut = run(30, RunEnd.CUT)
    old = run(31 * 24, RunEnd.FAILED, said="long ago")
    refused = run(20, RunEnd.REFUSED, exit_code=13, said="too many changes")
    known = Known(
        runs=(old, cut, refused, run(7.2, RunEnd.COMPLETE, generation=3, seconds=800)),
        proof=PROVEN,
    )
    untold = health(SmartState.NO_TOOL, "smartctl is not installed")
    status = stand(known, health=(("/dev/vdb", untold),))
    assert status.health is Health.GOOD
    said = text(status).splitlines()
    assert (
        "    last complete run: 13 min, 120000 files checked, 37 changed (5.0 MiB), 2 deleted"
    ) in said
    assert "    all contents compared: 3 days 0 h ago" in said
    assert "    room left: / 1.0 GiB of 3.0 GiB" in said
    assert (
        "    proof: booted in 41 s (firmware 2.0 s, GRUB 6.0 s, kernel 12.0 s, userspace 21.0 s), "
        "60 min ago, generation 3"
    ) in said
    assert "    disk: SMART unknown: smartctl is not installed" in said
    (ill,) = [line for line in said if "did not leave a complete mirror" in line]
    assert "2 runs" in ill
    assert ill.endswith("mirror refused (13): too many changes")
    again = from_json(to_json(status), Status, known_version=STATUS_VERSION, where="status")
    assert again == status


def test_a_disk_that_is_not_attached_is_not_asked() -> None:
    assert "disk: not attached, not asked" in text(stand(Known()))


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        (SmartState.PASSED, Health.GOOD),
        (SmartState.UNSUPPORTED, Health.GOOD),
        (SmartState.SUSPECT, Health.WARNING),
        (SmartState.FAILING, Health.CRITICAL),
    ],
)
def test_a_failing_disk_weighs(state: SmartState, expected: Health) -> None:
    for disk in ("/dev/vda", "/dev/vdb"):
        asked = ((disk, health(state, "3 media errors")),)
        assert stand(Known(), health=asked).health is expected


def test_the_alarm_grows_with_the_age() -> None:
    for hours, expected in ((35, Health.GOOD), (37, Health.WARNING), (97, Health.CRITICAL)):
        status = stand(Known(), given=record(hours=hours), critical_hours=96)
        assert status.health is expected, hours


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.4, "0 s"),
        (99, "99 s"),
        (100, "2 min"),
        (52 * 60, "52 min"),
        (7 * HOUR + 12 * 60, "7 h 12 min"),
        (3 * 24 * HOUR, "3 days 0 h"),
    ],
)
def test_durations_are_said_as_people_say_them(seconds: float, words: str) -> None:
    assert duration_words(seconds) == words


@given(seconds=st.floats(0, 10**8))
def test_a_duration_is_never_said_with_sixty_minutes(seconds: float) -> None:
    words = duration_words(seconds)
    assert " 60 min" not in words
    assert " 24 h" not in words
