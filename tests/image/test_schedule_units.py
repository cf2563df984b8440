"""The files of a schedule as the programs read them that they are for: systemd, and a shell."""

import os
import re
import shutil
import subprocess
from importlib.resources import files
from pathlib import Path

import pytest

from rescue.model.finding import Refused
from rescue.model.run.schedule import (
    PROVE_SERVICE,
    Installed,
    PluggedDisk,
    SchedulePlan,
    ScheduleSettings,
    Starter,
)
from rescue.paths import CRON_JOB, UNIT_FOLDER
from rescue.schedule.apply import install_schedule, remove_schedule
from rescue.schedule.discover import read_files
from rescue.schedule.plan import (
    PATHS,
    TEMPLATES,
    UNITS,
    installed,
    plan_removal,
    plan_schedule,
    unit_path,
)

FOLDER = files("rescue").joinpath("templates")


def plan_of(starter: Starter, root: Path, *, command: str = "/bin/true") -> SchedulePlan:
    plan = plan_schedule(
        ScheduleSettings(when_plugged=starter is Starter.SYSTEMD, prove=starter is Starter.SYSTEMD),
        starter=starter,
        command=command,
        templates={name: FOLDER.joinpath(name).read_text("utf-8") for name in TEMPLATES},
        found=read_files(PATHS, root=root),
        disks=(PluggedDisk(name="attic", partuuid="5eedbeef-05"),),
    )
    assert isinstance(plan, SchedulePlan)
    return plan


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd is not installed")
def test_systemd_has_nothing_to_say_against_the_units(tmp_path: Path) -> None:
    for file in plan_of(Starter.SYSTEMD, tmp_path).files:
        (tmp_path / Path(file.path).name).write_text(file.text)
    # A template is looked at with an instance, and systemd looks for what a unit names beside it.
    for name in ("rescue-failed", "rescue-plugged"):
        shutil.copy(tmp_path / f"{name}@.service", tmp_path / f"{name}@x.service")
    instances = ("rescue-failed@x.service", "rescue-plugged@x.service", PROVE_SERVICE)
    units = [str(tmp_path / name) for name in (*UNITS, *instances)]
    done = subprocess.run(
        ["systemd-analyze", "verify", "--recursive-errors=no", "--man=no", *units],
        capture_output=True,
        text=True,
        env={**os.environ, "SYSTEMD_UNIT_PATH": f"{tmp_path}:"},
        check=False,
    )
    about_ours = [line for line in done.stderr.splitlines() if "rescue-" in line]
    assert (done.returncode, about_ours) == (0, [])


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd is not installed")
def test_systemd_reads_the_folder_of_the_metrics_as_it_is_called(tmp_path: Path) -> None:
    """Seen in what it complains of: a path that does not begin with '/'."""
    odd = r"""srv/a  b%n"c\d'e$f;g#ü"""
    unit = tmp_path / "rescue-odd.service"
    line = f"ReadWritePaths={unit_path(odd).replace('-', '', 1)}"
    unit.write_text(f"[Service]\nType=oneshot\nExecStart=/bin/true\n{line}\n", encoding="utf-8")
    argv = ["systemd-analyze", "verify", "--recursive-errors=no", "--man=no", str(unit)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert f"path is not absolute, ignoring: {odd}\n" in done.stderr


SECURITY = Path(__file__).parents[2] / "docs/security.md"


def exposure(unit: Path) -> float:
    """Return how much of the machine a unit is exposed to, as systemd counts (0 to 10)."""
    argv = ["systemd-analyze", "security", "--offline=true", "--no-pager", str(unit)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    (figure,) = re.findall(r"Overall exposure level for \S+: ([0-9.]+) ", done.stdout)
    return float(figure)


def version() -> int:
    argv = ["systemd-analyze", "--version"]
    said = subprocess.run(argv, capture_output=True, text=True, check=True).stdout
    return int(re.findall(r"^systemd ([0-9]+)", said)[0])


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd is not installed")
def test_the_handbook_says_how_exposed_each_unit_is(tmp_path: Path) -> None:
    """The figures are those of Debian 12's systemd; later ones count other things, too."""
    if version() != 252:
        pytest.skip(f"systemd {version()} counts otherwise than 252")
    booted = tmp_path / "rescue-booted.service"
    booted.write_text(FOLDER.joinpath(booted.name).read_text("utf-8"))
    figures = {booted.name: exposure(booted)}
    for file in plan_of(Starter.SYSTEMD, tmp_path).files:
        if file.path.endswith(".service"):
            unit = tmp_path / Path(file.path).name
            unit.write_text(file.text)
            figures[unit.name] = exposure(unit)
    told = re.findall(r"^\| `(rescue-\S+\.service)` \| ([0-9.]+) \|", SECURITY.read_text(), re.M)
    assert {name: float(figure) for name, figure in told} == figures
    assert max(figures["rescue-overdue.service"], figures["rescue-failed@.service"]) < 5


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd is not installed")
def test_the_time_is_one_that_systemd_waits_for(tmp_path: Path) -> None:
    timer = next(f for f in plan_of(Starter.SYSTEMD, tmp_path).files if "mirror.timer" in f.path)
    (line,) = (line for line in timer.text.splitlines() if line.startswith("OnCalendar="))
    when = line.removeprefix("OnCalendar=")
    argv = ["systemd-analyze", "calendar", when]
    assert "03:15:00" in subprocess.run(argv, check=True, capture_output=True, text=True).stdout


def test_the_script_comes_and_goes(tmp_path: Path) -> None:
    install_schedule(plan_of(Starter.CRON, tmp_path), root=tmp_path)
    script = tmp_path / CRON_JOB.lstrip("/")
    assert script.stat().st_mode & 0o777 == 0o755
    found = read_files(PATHS, root=tmp_path)
    assert installed(plan_of(Starter.CRON, tmp_path), found) is Installed.YES
    foreign = script.with_name("other")
    foreign.write_text("#!/bin/sh\n")
    remove_schedule(plan_removal(starter=Starter.CRON, found=found), root=tmp_path)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [foreign]


def test_a_link_that_leads_nowhere_is_not_overwritten(tmp_path: Path) -> None:
    # 'systemctl mask' makes such a one, to /dev/null: somebody does not want this unit.
    unit = tmp_path / UNIT_FOLDER.lstrip("/") / "rescue-mirror.timer"
    unit.parent.mkdir(parents=True)
    unit.symlink_to("/dev/null")
    found = read_files(PATHS, root=tmp_path)
    answer = plan_schedule(
        ScheduleSettings(when_plugged=True),
        starter=Starter.SYSTEMD,
        command="/bin/true",
        templates={name: FOLDER.joinpath(name).read_text("utf-8") for name in TEMPLATES},
        found=found,
    )
    assert isinstance(answer, Refused)
    assert "rescue-mirror.timer exists" in answer.findings[0].reason


@pytest.mark.parametrize(
    ("code", "ends", "mailed"), [(0, 0, False), (75, 0, False), (13, 13, True), (1, 1, True)]
)
def test_cron_mails_only_what_failed(tmp_path: Path, code: int, ends: int, mailed: bool) -> None:
    stand_in = tmp_path / "rescue"
    stand_in.write_text(f'#!/bin/sh\necho "asked: $*"\necho said >&2\nexit {code}\n')
    stand_in.chmod(0o755)
    script = tmp_path / "job"
    script.write_text(plan_of(Starter.CRON, tmp_path, command=str(stand_in)).files[0].text)
    done = subprocess.run(["sh", str(script)], capture_output=True, text=True, check=False)
    assert done.returncode == ends
    assert done.stdout == ("asked: mirror --scheduled\nsaid\n" if mailed else "")


def fallback(root: Path) -> str:
    """Return what systemd gives to the shell where rescue itself does not run."""
    name = "rescue-failed@.service"
    unit = next(f.text for f in plan_of(Starter.SYSTEMD, root).files if f.path.endswith(name))
    line = unit.partition("ExecStopPost=/bin/sh -c '")[2].partition("'")[0]
    line = line.replace("\\\n", " ").replace("\\\\", "\\").replace("$$", "$")
    return line.replace("%i", "a.service").replace("%H", "server").replace("%%", "%")


def tell(root: Path, *, result: str, mail_system: bool) -> str:
    """Run it with stand-ins for the programs that tell people; return what these were given."""
    tools = {"journalctl": "echo the end", "wall": "cat >> told"}
    if mail_system:
        tools["sendmail"] = "cat >> told"
    for name, line in tools.items():
        (root / name).write_text(f"#!/bin/sh\n{line}\n")
        (root / name).chmod(0o755)
    subprocess.run(
        ["/bin/sh", "-c", fallback(root)],
        check=True,
        cwd=root,
        env={"PATH": f"{root}:/bin", "SERVICE_RESULT": result},
    )
    told = root / "told"
    return told.read_text() if told.exists() else ""


def test_where_rescue_itself_does_not_run_plain_tools_tell_it(tmp_path: Path) -> None:
    said = "rescue on server: a.service failed, and rescue itself could not tell it"
    mail = tell(tmp_path, result="exit-code", mail_system=True)
    assert mail == f"To: root\nSubject: {said}\n\nthe end\n"


def test_without_a_mail_system_it_is_on_the_terminals(tmp_path: Path) -> None:
    assert "a.service failed" in tell(tmp_path, result="exit-code", mail_system=False)


def test_what_rescue_has_told_is_told_once(tmp_path: Path) -> None:
    assert tell(tmp_path, result="success", mail_system=True) == ""
