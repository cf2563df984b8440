"""What a rehearsal's guests report is judged against what must be true; nothing passes unseen."""

from dataclasses import replace

import pytest

from rescue.model.boot.firmware import Firmware
from rescue.model.rehearsal import DRILL_VERSION, Boot, DrillPlan, DrillResult, Line, Phase, digest
from rescue.rehearsal.verdict import console_end, failed_units, judge, measured, read_report
from rescue.store.codec import from_json, to_json
from rescue.ui.rehearsal import clock, plan_lines, progress_line, result_lines
from tests.unit.rehearsal.test_rehearsal_plan import planned, ready

PLAN: DrillPlan = planned(ready())


def said(*texts: str, start: float = 40.0, step: float = 10.0) -> tuple[Line, ...]:
    return tuple(Line(at=start + number * step, text=text) for number, text in enumerate(texts))


def marks(where: str, contents: dict[str, str]) -> list[str]:
    return [f"@ mark {where} {digest(text)} {name}" for name, text in contents.items()]


def night(*, without: str = "", instead: dict[str, str] | None = None) -> Boot:
    """Return the night as it should be, with lines left out or put in another's place."""
    back = {mark.name: mark.after_restore for mark in PLAN.marks if mark.after_restore}
    lines = [
        "\x1b[2J GRUB loading",
        "@ begin night",
        "@ state running",
        "@ disk MIR0001",
        "@ runs-from mirror",
        "@ start mirror",
        "  refused: this machine runs from its mirror",
        "@ done mirror 10",
        "@ start restore",
        "@ done restore 0",
        *marks("restored", back),
        "@ start failback",
        "@ done failback 0",
        "@ start again",
        "@ done again 0",
        "@ end night",
    ]
    kept = [line for line in lines if not without or not line.startswith(f"@ {without}")]
    changed = [(instead or {}).get(line, line) for line in kept]
    return Boot(lines=said(*changed), console="Welcome\n", seconds=400.0)


def home(**changes: object) -> Boot:
    lines = [
        "@ begin home",
        "@ state degraded",
        "@ failed networking.service",
        "@ disk DRILL-NEW",
        "@ runs-from source",
        *marks("home", {mark.name: mark.at_home for mark in PLAN.marks}),
        "@ end home",
    ]
    return replace(Boot(lines=said(*lines), console="login:\n", seconds=90.0), **changes)  # type: ignore[arg-type]


def changed(boot: Boot, old: str, new: str) -> tuple[Line, ...]:
    return tuple(replace(line, text=line.text.replace(old, new)) for line in boot.lines)


def outcome(*boots: Boot) -> dict[Phase, str]:
    """Return each phase's problem, 'ok' where it was passed and '-' where it was not reached."""
    return {
        result.phase: (result.problem or "ok") if result.reached else "-"
        for result in judge(PLAN, boots)
    }


def test_a_night_that_goes_well_passes_in_every_phase() -> None:
    assert set(outcome(night(), home()).values()) == {"ok"}
    times = measured((night(), home()))
    assert times.service == 60.0
    assert times.homes == 130.0
    assert times.failback == 10.0
    assert times.again == 10.0
    assert times.new_disk == 50.0
    assert failed_units((night(), home())) == ("failed units on the new disk: networking.service",)


def test_nothing_seen_is_nothing_passed() -> None:
    assert outcome()[Phase.SERVICE].startswith("the medium did not start the mirror")
    assert [*outcome().values()][1:] == ["-", "-", "-"]
    assert measured(()).service == 0.0


def test_a_machine_that_hangs_is_told_with_the_end_of_its_console() -> None:
    boot = Boot(console="GRUB loading\r\nerror: no such device\n", trouble="stopped after 600 s")
    first = judge(PLAN, (boot,))[0]
    assert first.problem == "the medium did not start the mirror: stopped after 600 s"
    assert first.console == ("GRUB loading", "error: no such device")


@pytest.mark.parametrize(
    ("without", "phase", "words"),
    [
        ("state", Phase.SERVICE, "did not come up"),
        ("runs-from", Phase.SERVICE, "on it does not know that it runs from its mirror"),
        ("done mirror", Phase.SERVICE, "did not finish"),
        ("done restore", Phase.HOMES, "'rescue restore' did not finish"),
        ("mark restored", Phase.HOMES, "lost: mail-0"),
        ("done failback", Phase.FAILBACK, "'rescue failback' did not finish"),
        ("done again", Phase.FAILBACK, "second pass"),
        ("end", Phase.FAILBACK, "did not shut itself down properly"),
    ],
)
def test_what_is_not_reported_fails_in_its_phase(without: str, phase: Phase, words: str) -> None:
    found = outcome(night(without=without), home())
    assert words in found[phase]
    later = list(Phase)[list(Phase).index(phase) + 1 :]
    assert {found[each] for each in later} <= {"-"}


@pytest.mark.parametrize(
    ("line", "instead", "phase", "words"),
    [
        ("@ state running", "@ state maintenance", Phase.SERVICE, "came up as 'maintenance'"),
        ("@ runs-from mirror", "@ runs-from source", Phase.SERVICE, "source"),
        ("@ done mirror 10", "@ done mirror 0", Phase.SERVICE, "exit code 0, not 10: refused"),
        ("@ done restore 0", "@ done restore 14", Phase.HOMES, "exit code 14"),
        ("@ done again 0", "@ done again 15", Phase.FAILBACK, "exit code 15"),
    ],
)
def test_another_end_than_expected_fails(line: str, instead: str, phase: Phase, words: str) -> None:
    assert words in outcome(night(instead={line: instead}), home())[phase]


def test_a_file_that_came_back_with_another_content_fails() -> None:
    good = f"@ mark restored {digest('word changed since the mirror runs')} newer-here"
    bad = f"@ mark restored {digest('word changed before the disk died')} newer-here"
    found = outcome(night(instead={good: bad}), home())
    assert found[Phase.HOMES] == "not as expected: newer-here"


def test_the_new_disk_must_be_the_one_that_started_with_every_file() -> None:
    wrong = tuple(
        replace(line, text=line.text.replace("DRILL-NEW", "MIR0001")) for line in home().lines
    )
    assert "not the new disk: MIR0001" in outcome(night(), home(lines=wrong))[Phase.NEW_DISK]
    fewer = tuple(line for line in home().lines if not line.text.endswith("since-failback"))
    assert outcome(night(), home(lines=fewer))[Phase.NEW_DISK] == "lost: since-failback"
    marked = tuple(
        replace(line, text=line.text.replace("from source", "from mirror")) for line in home().lines
    )
    assert "first one: mirror" in outcome(night(), home(lines=marked))[Phase.NEW_DISK]
    cut = outcome(night(), home(trouble="stopped after 60 min"))[Phase.NEW_DISK]
    assert cut == "it did not shut itself down properly: stopped after 60 min"


def test_a_night_without_its_end_never_starts_the_new_disk() -> None:
    assert outcome(night())[Phase.NEW_DISK].startswith("the new disk did not start on its own")


def test_what_a_command_printed_is_part_of_its_failure() -> None:
    report = read_report(night().lines)
    assert report.said["mirror"] == ["refused: this machine runs from its mirror"]


def test_a_damaged_report_is_no_fact() -> None:
    report = read_report(
        said("@ done restore", "@ done again 0x", "@ mark x", "@", "@ nonsense", "begin night")
    )
    assert report.begun is None
    assert report.ends == {}


def test_control_sequences_of_a_console_are_taken_out() -> None:
    assert console_end("\x1b[0;32m  OK  \x1b[0m Started\x07\r\n\r\n\x1bc\n") == ("  OK   Started",)


def test_a_cursor_that_is_placed_begins_a_line() -> None:
    text = "\x1b[2J\x1b[01;01H\x1b[0;37mGNU GRUB\x1b[04;02H+---+\x1b[7m\x1b[05;03Hthe entry"
    assert console_end(text) == ("GNU GRUB", "the entry")


def result(*boots: Boot) -> DrillResult:
    return DrillResult(
        mirror="cellar",
        host="server",
        generation=3,
        last_complete=1_700_000_000.0,
        started=1_700_007_200.0,
        seconds=500.0,
        firmware=Firmware.BIOS,
        emulated=True,
        phases=judge(PLAN, boots),
        times=measured(boots),
        notes=failed_units(boots),
    )


def test_a_result_is_filed_and_read_again() -> None:
    good = result(night(), home())
    assert from_json(to_json(good), DrillResult, known_version=DRILL_VERSION, where="x") == good
    assert good.passed
    assert good.failed is None
    bad = result(night(without="done restore"))
    assert not bad.passed
    assert bad.failed is not None
    assert bad.failed.phase is Phase.HOMES


def test_people_read_the_verdict_first_and_the_console_where_it_failed() -> None:
    first, *rest = [line.plain for line in result_lines(result(night(), home()))]
    assert first.startswith("PASSED: rehearsal of 2023-11-15 00:13 UTC with mirror 'cellar'")
    text = "\n".join(rest)
    assert "2:10  power-on to the homes back" in text
    assert "emulated" in text
    failed = "\n".join(line.plain for line in result_lines(result(night(without="done restore"))))
    assert failed.startswith("FAILED")
    assert "Welcome" in failed
    assert "the new disk starts on its own, with every file on it: not reached" in failed


def test_news_are_told_while_it_plays() -> None:
    news = [progress_line(line) for line in night().lines]
    told = [line.plain for line in news if line is not None]
    assert told[0] == "  0:50  the mirror started"
    assert "  2:00  rescue restore ..." in told
    assert clock(3725) == "1:02:05"


def test_the_plan_says_that_the_mirror_is_not_written() -> None:
    text = "\n".join(line.plain for line in plan_lines(PLAN))
    assert "/dev/vdb (MIR0001), only read, never written" in text
    assert "shows SRC0001, without its partition table" in text


def test_a_code_of_many_digits_is_no_code() -> None:
    report = read_report([Line(at=1.0, text=f"@ done restore {'9' * 5000}")])
    assert report.ends == {}
