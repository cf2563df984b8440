"""When runs are, which files that takes, and what is said when one fails."""

import subprocess
from dataclasses import replace
from datetime import date, datetime, timedelta
from email import message_from_string
from email.policy import default
from importlib.resources import files
from pathlib import Path

import pytest

from rescue.commands.mirror import compares
from rescue.errors import ExitCode, RescueError
from rescue.model.finding import Refused
from rescue.model.mirror.record import RECORD_VERSION, MirrorRecord, MirrorState
from rescue.model.run.schedule import (
    FAILED_SERVICE,
    MIRROR_SERVICE,
    OVERDUE_SERVICE,
    PLUGGED_SERVICE,
    PROVE_SERVICE,
    ChecksumDay,
    Installed,
    PluggedDisk,
    SchedulePlan,
    ScheduleSettings,
    ScheduleState,
    ServiceState,
    Starter,
    TimerState,
)
from rescue.paths import CRON_JOB, PLUGGED_RULES, UNIT_FOLDER
from rescue.schedule.plan import (
    PATHS,
    PLUGGED_PATHS,
    TEMPLATES,
    checksum_due,
    installed,
    plan_removal,
    plan_schedule,
)
from rescue.status.alarm import alarm_mail, hotplug_mail, hotplug_news, is_due, told_with
from rescue.store.codec import from_json, to_json
from rescue.system.boot import systemd
from rescue.system.notify.journal import last_lines_argv
from rescue.system.notify.people import mail_argv
from rescue.ui.schedule import plan_lines, state_lines
from tests.builders import enrolled

COMMAND = "/usr/local/sbin/rescue"
PLACES = ("@at@", "@delay@", "@command@", "@after@", "@prove@", "@metrics@")
PLUGGED = ScheduleSettings(when_plugged=True)
TWO_DISKS = (
    PluggedDisk(name="attic", partuuid="50bce111-0000-4000-8000-000000000004"),
    PluggedDisk(name="WD-1.x_2", partuuid="5eedbeef-05"),
)
FOLDER = files("rescue").joinpath("templates")
TEXTS = {name: FOLDER.joinpath(name).read_text("utf-8") for name in TEMPLATES}

SUNDAY = date(2026, 11, 22)
DAYS = tuple(day for day in ChecksumDay if day is not ChecksumDay.NEVER)


# --- the day on which every content is compared


@pytest.mark.parametrize("ahead", range(7))
@pytest.mark.parametrize("day", DAYS)
def test_in_every_week_the_chosen_day_compares_and_no_other(day: ChecksumDay, ahead: int) -> None:
    today = SUNDAY + timedelta(days=ahead)
    chosen = today.strftime("%A").lower() == day.value
    within = max(
        each
        for each in (today - timedelta(days=back) for back in range(1, 8))
        if each.strftime("%A").lower() == day.value
    )
    assert checksum_due(day, today=today, last=within, whole=True) is chosen


def test_a_missed_day_is_made_up_for_on_the_next_and_only_once() -> None:
    monday, before = SUNDAY + timedelta(days=1), SUNDAY - timedelta(days=7)
    assert checksum_due(ChecksumDay.SUNDAY, today=monday, last=before, whole=True)
    assert not checksum_due(ChecksumDay.SUNDAY, today=monday, last=monday, whole=True)
    tuesday = monday + timedelta(days=1)
    assert not checksum_due(ChecksumDay.SUNDAY, today=tuesday, last=monday, whole=True)
    next_sunday = SUNDAY + timedelta(days=7)
    assert checksum_due(ChecksumDay.SUNDAY, today=next_sunday, last=monday, whole=True)


@pytest.mark.parametrize("day", DAYS)
@pytest.mark.parametrize("ahead", range(7))
def test_a_comparison_that_is_a_week_old_is_always_due(day: ChecksumDay, ahead: int) -> None:
    today = SUNDAY + timedelta(days=ahead)
    assert checksum_due(day, today=today, last=today - timedelta(days=7), whole=True)
    assert checksum_due(day, today=today, last=None, whole=True)


def test_a_comparison_that_is_yet_to_come_was_none() -> None:
    """A clock that was ahead by a year would else keep every content from a comparison so long."""
    ahead = SUNDAY + timedelta(days=365)
    assert checksum_due(ChecksumDay.SUNDAY, today=SUNDAY, last=ahead, whole=True)
    assert checksum_due(
        ChecksumDay.SUNDAY, today=SUNDAY + timedelta(days=3), last=ahead, whole=True
    )


def test_it_never_compares_where_that_is_chosen_or_the_mirror_is_not_whole() -> None:
    assert not checksum_due(ChecksumDay.NEVER, today=SUNDAY, last=None, whole=True)
    assert not checksum_due(ChecksumDay.SUNDAY, today=SUNDAY, last=None, whole=False)


def test_after_a_comparison_that_was_cut_the_mirror_gets_its_run_first() -> None:
    assert not checksum_due(ChecksumDay.SUNDAY, today=SUNDAY, last=None, whole=True, cut=True)
    record = replace(enrolled().record, state=MirrorState.COMPLETE, comparison_cut=True)
    assert not compares(record, day=ChecksumDay.SUNDAY, today=SUNDAY)
    whole = replace(record, comparison_cut=False)
    assert compares(whole, day=ChecksumDay.SUNDAY, today=SUNDAY)


def test_the_record_s_last_comparison_is_taken_as_a_local_day() -> None:
    record = replace(enrolled().record, state=MirrorState.COMPLETE)
    late = datetime(2026, 11, 22, 23, 59).timestamp()

    def due(record: MirrorRecord) -> bool:
        return compares(record, day=ChecksumDay.SUNDAY, today=SUNDAY)

    assert due(record)
    assert not due(replace(record, last_checksum=late))
    assert due(replace(record, last_checksum=late - 24 * 3600))
    assert not due(replace(record, state=MirrorState.FAILED))


def test_a_record_from_before_the_schedule_is_still_read() -> None:
    record = enrolled().record
    old = "\n".join(line for line in to_json(record).splitlines() if "last_checksum" not in line)
    again = from_json(old, MirrorRecord, known_version=RECORD_VERSION, where="a test")
    assert again == record


# --- the files


def planned(
    settings: ScheduleSettings | None = None,
    *,
    starter: Starter = Starter.SYSTEMD,
    command: str = COMMAND,
    found: dict[str, str] | None = None,
    disks: tuple[PluggedDisk, ...] = (),
    metrics: str = "",
) -> SchedulePlan | Refused:
    return plan_schedule(
        settings or ScheduleSettings(),
        starter=starter,
        command=command,
        templates=TEXTS,
        found=found or {},
        disks=disks,
        metrics=metrics,
    )


def plan_of(**asked: object) -> SchedulePlan:
    plan = planned(**asked)  # type: ignore[arg-type]
    assert isinstance(plan, SchedulePlan)
    return plan


def texts(plan: SchedulePlan) -> dict[str, str]:
    return {file.path: file.text for file in plan.files}


def test_the_units_are_filled_in() -> None:
    settings = ScheduleSettings(at="04:05", random_delay_minutes=7, prove=True)
    found = texts(plan_of(settings=settings))
    assert set(found) == set(PATHS) - {CRON_JOB, *PLUGGED_PATHS}
    timer = found[f"{UNIT_FOLDER}/rescue-mirror.timer"].splitlines()
    assert {"OnCalendar=*-*-* 04:05:00", "RandomizedDelaySec=7min", "Persistent=true"} <= set(timer)
    assert f"ExecStart={COMMAND} mirror --scheduled" in found[f"{UNIT_FOLDER}/{MIRROR_SERVICE}"]
    assert not any(key in text for text in found.values() for key in PLACES)


def test_a_proof_follows_a_run_where_it_is_asked_for_and_nowhere_else() -> None:
    service, proof = f"{UNIT_FOLDER}/{MIRROR_SERVICE}", f"{UNIT_FOLDER}/{PROVE_SERVICE}"
    asked = plan_of(settings=ScheduleSettings(prove=True))
    assert f"OnSuccess={PROVE_SERVICE}" in texts(asked)[service].splitlines()
    assert f"ExecStart={COMMAND} prove --scheduled" in texts(asked)[proof].splitlines()
    plain = plan_of(found={proof: texts(asked)[proof]})
    assert "OnSuccess" not in texts(plain)[service]
    assert proof not in texts(plain)
    assert plain.stale == (proof,)


@pytest.mark.parametrize("prove", [False, True])
def test_the_script_of_cron_proves_where_it_is_asked_to(prove: bool, tmp_path: Path) -> None:
    plan = plan_of(settings=ScheduleSettings(prove=prove), starter=Starter.CRON)
    script = tmp_path / "job"
    # What it calls says what it was called with, and nothing on this machine is started.
    fake = tmp_path / "rescue"
    fake.write_text(f'#!/bin/sh\necho "$*" >>{tmp_path}/called\n')
    fake.chmod(0o755)
    text = texts(plan)[CRON_JOB].replace(COMMAND, str(fake)).replace("/.rescue/", "/nowhere/")
    script.write_text(text)
    subprocess.run(["sh", str(script)], check=True)
    wanted = ["mirror --scheduled", *(["prove --scheduled"] if prove else [])]
    assert (tmp_path / "called").read_text().splitlines() == wanted


@pytest.mark.parametrize("path", sorted(set(PATHS) - {CRON_JOB, PLUGGED_RULES}))
def test_no_unit_does_anything_on_a_mirror(path: str) -> None:
    plan = plan_of(settings=replace(PLUGGED, prove=True))
    _, _, unit = texts(plan)[path].partition("\n[Unit]\n")
    section = unit.partition("\n[")[0].splitlines()
    assert "ConditionPathExists=!/.rescue/mirror.json" in section


@pytest.mark.parametrize("service", [MIRROR_SERVICE, OVERDUE_SERVICE, PLUGGED_SERVICE])
def test_what_fails_is_told(service: str) -> None:
    text = texts(plan_of(settings=PLUGGED))[f"{UNIT_FOLDER}/{service}"]
    assert "OnFailure=rescue-failed@%n.service" in text.splitlines()


# What hides from a run what it mirrors, takes from it what it makes, or takes from its mails the
# set-user-ID bit by which Exim delivers.
HARMFUL = (
    "DeviceAllow",
    "DevicePolicy",
    "InaccessiblePaths",
    "NoNewPrivileges",
    "MemoryDenyWriteExecute",
    "PrivateDevices",
    "PrivateTmp",
    "ProtectClock",
    "ProtectHome",
    "ProtectKernelModules",
    "ProtectKernelTunables",
    "ProtectSystem",
    "ReadOnlyPaths",
    "RestrictNamespaces",
    "RestrictSUIDSGID",
    "RuntimeMaxSec",
)


@pytest.mark.parametrize("service", [MIRROR_SERVICE, PLUGGED_SERVICE])
@pytest.mark.parametrize("option", HARMFUL)
def test_the_sandbox_hides_nothing_that_is_mirrored(option: str, service: str) -> None:
    text = texts(plan_of(settings=PLUGGED))[f"{UNIT_FOLDER}/{service}"]
    assert not any(line.startswith(f"{option}=") for line in text.splitlines())


def test_the_look_at_the_age_may_write_metrics_where_they_are_asked_for() -> None:
    path = f"{UNIT_FOLDER}/{OVERDUE_SERVICE}"
    found = texts(plan_of(metrics=r'/srv/a b%n"c\d'))
    assert r'ReadWritePaths="-/srv/a b%%n\"c\\d"' in found[path].splitlines()
    assert found[path].count("ReadWritePaths=") == 2
    plain = plan_of()
    assert texts(plain)[path].count("ReadWritePaths=") == 1
    assert installed(plain, found) is Installed.OUTDATED


def test_what_tells_people_may_run_any_mail_system() -> None:
    """Postfix's postdrop is set-group-ID, Exim is set-user-ID and delivers into homes at once."""
    unit = texts(plan_of())[f"{UNIT_FOLDER}/{FAILED_SERVICE}"].splitlines()
    assert not any(line.startswith(("NoNewPrivileges", "ProtectHome")) for line in unit)
    assert "ProtectSystem=full" in unit


def test_each_mirror_has_its_rule_and_no_placeholder_is_left() -> None:
    found = texts(plan_of(settings=PLUGGED, disks=TWO_DISKS))
    rules = [line for line in found[PLUGGED_RULES].splitlines() if not line.startswith("#")]
    assert len(rules) == len(TWO_DISKS)
    for rule, disk in zip(rules, TWO_DISKS, strict=True):
        assert f'ENV{{ID_PART_ENTRY_UUID}}=="{disk.partuuid}"' in rule
        assert f'ENV{{SYSTEMD_WANTS}}+="rescue-plugged@{disk.name}.service"' in rule
        assert 'ACTION=="add"' in rule
    unit = found[f"{UNIT_FOLDER}/{PLUGGED_SERVICE}"]
    assert f"ExecStart={COMMAND} mirror --plugged %i" in unit.splitlines()
    assert not any("@partuuid@" in text or "@name@" in text for text in found.values())


def test_what_is_started_by_a_disk_goes_when_it_is_not_wanted_any_more() -> None:
    there = texts(plan_of(settings=PLUGGED, disks=TWO_DISKS))
    assert set(plan_of(found=there).stale) == set(PLUGGED_PATHS)
    assert set(plan_removal(starter=Starter.SYSTEMD, found=there).stale) == set(there)
    forgotten = plan_of(settings=PLUGGED, disks=TWO_DISKS[:1])
    assert installed(forgotten, there) is Installed.OUTDATED


def test_rules_of_somebody_else_are_not_overwritten() -> None:
    answer = planned(PLUGGED, found={PLUGGED_RULES: 'ACTION=="add"\n'}, disks=TWO_DISKS)
    assert isinstance(answer, Refused)
    assert PLUGGED_RULES in answer.findings[0].reason


@pytest.mark.parametrize(
    ("starter", "name", "said"),
    [
        (Starter.CRON, "attic", "--no-when-plugged"),
        (Starter.SYSTEMD, 'a"b', "--name"),
        (Starter.SYSTEMD, "a b", "--name"),
        (Starter.SYSTEMD, "", "--name"),
    ],
)
def test_what_a_disk_cannot_start_is_refused(starter: Starter, name: str, said: str) -> None:
    answer = planned(PLUGGED, starter=starter, disks=(PluggedDisk(name=name, partuuid="1"),))
    assert isinstance(answer, Refused)
    assert said in answer.findings[0].hint


@pytest.mark.parametrize("partuuid", ["", 'x", RUN+="/bin/sh', "1\n2", "5eedbeef-05 "])
def test_a_record_that_is_damaged_writes_no_rule_of_udev(partuuid: str) -> None:
    answer = planned(PLUGGED, disks=(PluggedDisk(name="attic", partuuid=partuuid),))
    assert isinstance(answer, Refused)
    assert "cannot be used in a udev rule" in answer.findings[0].reason


def test_that_a_disk_can_be_pulled_is_said_after_a_good_run() -> None:
    news = hotplug_news("attic", ExitCode.DONE)
    assert news.text == "rescue: mirror 'attic' is complete, and its disk can be removed"
    mail = message_from_string(hotplug_mail("server", news, to="root"), policy=default)
    assert mail["Subject"] == "rescue on server: the disk can be removed"
    assert "'attic' is complete" in mail.get_content()


@pytest.mark.parametrize("code", [c for c in ExitCode if c not in (0, 14)])
def test_a_run_that_failed_never_says_that_all_is_well(code: ExitCode) -> None:
    news = hotplug_news("attic", code, said="no \x1b[31m more")
    mail = message_from_string(hotplug_mail("server", news, to="root"), policy=default)
    for text in (news.text, mail["Subject"]):
        assert "can be removed" not in text
        assert "complete" not in text
        assert "'attic'" in text
    assert r"no \x1b[31m more" in news.text
    assert "NOT" in mail["Subject"] or "FAILED" in mail["Subject"]


def test_a_degraded_run_is_said_to_be_one() -> None:
    news = hotplug_news("attic", ExitCode.DEGRADED)
    assert "DEGRADED" in news.subject
    assert "DEGRADED" in news.text
    assert "can be removed" in news.text


def test_without_systemd_it_is_a_script_of_cron_daily() -> None:
    plan = plan_of(starter=Starter.CRON)
    (script,) = plan.files
    assert (script.path, script.mode) == (CRON_JOB, 0o755)
    assert script.text.startswith("#!/bin/sh\n")
    assert f"{COMMAND} mirror --scheduled" in script.text


def test_a_file_of_somebody_else_is_not_overwritten_and_not_removed() -> None:
    path = f"{UNIT_FOLDER}/{MIRROR_SERVICE}"
    found = {path: "[Service]\nExecStart=/opt/my-own-mirror\n"}
    answer = planned(found=found)
    assert isinstance(answer, Refused)
    assert [each.code for each in answer.findings] == [ExitCode.REFUSED]
    assert path in answer.findings[0].reason
    assert plan_removal(starter=Starter.SYSTEMD, found=found).stale == ()


@pytest.mark.parametrize("command", ["/opt/my rescue", "rescue", "/opt/100%/rescue", "/a$b", ""])
def test_a_path_that_a_unit_would_read_otherwise_is_refused(command: str) -> None:
    answer = planned(command=command)
    assert isinstance(answer, Refused)
    assert "ln -s" in answer.findings[0].hint


@pytest.mark.parametrize("starter", list(Starter))
def test_a_removal_takes_away_what_an_installation_wrote_and_no_more(starter: Starter) -> None:
    found = texts(plan_of(starter=starter))
    removal = plan_removal(starter=starter, found=found | {"/etc/hosts": "# Written by 'rescue"})
    assert set(removal.stale) == set(found)


def test_a_machine_that_got_systemd_loses_the_script_of_cron() -> None:
    script = texts(plan_of(starter=Starter.CRON))
    plan = plan_of(found=script)
    assert plan.stale == (CRON_JOB,)
    assert f"removes {CRON_JOB}" in plan_lines(plan)


def test_what_is_installed_is_compared_with_the_configuration() -> None:
    plan = plan_of()
    assert installed(plan, {}) is Installed.NO
    assert installed(plan, texts(plan)) is Installed.YES
    assert installed(plan_of(settings=ScheduleSettings(at="05:00")), texts(plan)) is (
        Installed.OUTDATED
    )
    assert installed(plan, dict(list(texts(plan).items())[:2])) is Installed.OUTDATED


def test_both_plans_and_what_is_shown_are_values() -> None:
    state = ScheduleState(
        starter=Starter.SYSTEMD,
        installed=Installed.YES,
        settings=ScheduleSettings(),
        timers=(TimerState(unit="rescue-mirror.timer", next=1_800_000_000.0),),
        services=(
            ServiceState(unit=MIRROR_SERVICE, result="exit-code", exit_code=13, ended=1.8e9),
        ),
    )
    said = "\n".join(state_lines(state))
    assert "every day at 03:15, up to 15 min later" in said
    assert "the contents of every file are compared on Sunday; root is notified" in said
    assert "rescue-mirror.timer: next 2027-01-1" in said
    assert "last never" in said
    assert "exit-code, exit code 13" in said
    away = replace(state, installed=Installed.NO)
    assert "rescue schedule install" in "\n".join(state_lines(away))
    never = replace(state, settings=ScheduleSettings(checksum_day=ChecksumDay.NEVER))
    assert "never compared" in "\n".join(state_lines(never))
    assert "each complete run is proven" not in said
    proven = replace(state, settings=ScheduleSettings(prove=True))
    assert "; each complete run is proven" in "\n".join(state_lines(proven))


# --- what systemd says


def test_timers_are_read_from_json() -> None:
    text = (
        '[{"next":1800000000500000,"left":1800000000500000,"last":0,"passed":0,'
        '"unit":"rescue-mirror.timer","activates":"rescue-mirror.service"},'
        '{"next":null,"left":0,"last":1700000000000000,"passed":1,"unit":"rescue-overdue.timer",'
        '"activates":"rescue-overdue.service"},'
        '{"next":18446744073709551615,"last":null,"unit":"x.timer","activates":"x.service"}]'
    )
    assert systemd.parse_timers(text) == (
        TimerState(unit="rescue-mirror.timer", next=1_800_000_000.5),
        TimerState(unit="rescue-overdue.timer", last=1_700_000_000.0),
        TimerState(unit="x.timer"),
    )
    assert systemd.parse_timers("") == ()


def test_how_a_service_ended_is_read() -> None:
    text = "Result=exit-code\nExecMainExitTimestamp=@1700000000\nExecMainStatus=13\n"
    assert systemd.parse_service("a.service", text) == ServiceState(
        unit="a.service", result="exit-code", exit_code=13, ended=1_700_000_000.0
    )
    never = systemd.parse_service(
        "a.service", "Result=success\nExecMainExitTimestamp=\nExecMainStatus=0\n"
    )
    assert never.ended == 0.0


def test_the_commands_are_lists() -> None:
    assert systemd.timers_argv(["a.timer"]) == [
        "systemctl",
        "list-timers",
        "--all",
        "--output=json",
        "a.timer",
    ]
    assert systemd.show_argv("a.service")[-2:] == ["--timestamp=unix", "a.service"]
    by_root = ["journalctl", "_UID=0", "--unit=a.service", "--lines=40"]
    assert last_lines_argv("a.service", 40)[:4] == by_root
    assert mail_argv("/usr/sbin/sendmail") == ["/usr/sbin/sendmail", "-t", "-oi"]


# --- the alarm


def test_the_mail_says_host_unit_and_the_end_of_the_journal() -> None:
    lines = ("22:15 rescue: failed with exit code 13: the brake", "caf\udce9 \x1b[31m", "ü" * 2000)
    text = alarm_mail("server", MIRROR_SERVICE, lines, to="admin@example.org")
    assert text.isascii()
    mail = message_from_string(text, policy=default)
    assert mail["To"] == "admin@example.org"
    assert mail["Subject"] == f"rescue on server: {MIRROR_SERVICE} failed"
    assert mail["Auto-Submitted"] == "auto-generated"
    body = mail.get_content()
    assert "failed with exit code 13: the brake" in body
    assert f"journalctl --unit {MIRROR_SERVICE}" in body
    assert "\x1b" not in body
    assert "ü" * 2000 in body


def test_a_name_cannot_add_a_header() -> None:
    text = alarm_mail("server\nBcc: all@example.org", "x.service", (), to="root")
    assert message_from_string(text, policy=default)["Bcc"] is None
    assert "the journal has no entry from it" in text


def test_a_failed_run_is_told_each_time_and_the_age_once_a_day() -> None:
    now, hour = 1.7e9, 3600.0
    assert is_due(MIRROR_SERVICE, now=now, told=now - 60)
    assert is_due(OVERDUE_SERVICE, now=now, told=0.0)
    assert not is_due(OVERDUE_SERVICE, now=now, told=now - hour)
    assert is_due(OVERDUE_SERVICE, now=now, told=now - 24 * hour)
    assert is_due(OVERDUE_SERVICE, now=now, told=now + hour)


def test_a_run_that_failed_is_not_told_once_more_for_its_age() -> None:
    assert MIRROR_SERVICE in told_with(OVERDUE_SERVICE)
    assert OVERDUE_SERVICE not in told_with(MIRROR_SERVICE)


@pytest.mark.parametrize("text", ["{}", "[1]", '[{"next": 1}]', '[{"unit": 1}]', "[" * 100_000])
def test_an_answer_that_is_no_list_of_timers_is_an_error_of_ours(text: str) -> None:
    with pytest.raises(RescueError, match="list of timers"):
        systemd.parse_timers(text)


def test_times_that_are_no_numbers_count_as_none() -> None:
    text = "Result=success\nExecMainExitTimestamp=@\xb2\nExecMainStatus=13\b\n"
    state = systemd.parse_service("a.service", text)
    assert (state.ended, state.exit_code) == (0.0, 0)
