"""`rescue schedule`: discover, plan, show, apply, verify."""

import sys
from dataclasses import dataclass, replace
from pathlib import Path

import rescue
from rescue.discover.machine import discover
from rescue.errors import ExitCode, RescueError
from rescue.grants import GuardRefusedError, unless_refused
from rescue.mirrors.select import known_records
from rescue.model.finding import Refusal, Refused
from rescue.model.run.schedule import (
    ChecksumDay,
    Installed,
    PluggedDisk,
    SchedulePlan,
    ScheduleState,
    Starter,
)
from rescue.plan.checks.target_checks import machine_refusals, root_refusals
from rescue.schedule.apply import install_schedule, remove_schedule
from rescue.schedule.discover import (
    find_starter,
    idle_timers,
    read_files,
    read_services,
    read_timers,
)
from rescue.schedule.plan import PATHS, TEMPLATES, installed, plan_removal, plan_schedule
from rescue.store import config
from rescue.system.files.ownership import weak_spot, weak_spot_below
from rescue.system.process.run import which
from rescue.template import template
from rescue.ui.schedule import plan_lines, settings_line, state_lines
from rescue.ui.screen import Screen


@dataclass(frozen=True, kw_only=True)
class InstallOptions:
    """What the command line asked for; None leaves a setting as the configuration has it."""

    at: str | None = None
    checksum_day: ChecksumDay | None = None
    when_plugged: bool | None = None


def install(options: InstallOptions, screen: Screen) -> ExitCode:
    """Write the settings and the files, start the timers, and check that they are waiting.

    Raises UsageError (no mirror is enrolled, a setting is invalid), GuardRefusedError (the
    machine runs from its mirror, a file is not ours), RescueError where a timer is not waiting.
    """
    if refusals := (*machine_refusals(discover()), *_program_refusals()):
        raise GuardRefusedError(refusals)
    settings = _changed(config.load(), options)
    plan = unless_refused(_plan(settings))
    for line in plan_lines(plan):
        screen.show(line)
    config.save(settings)
    install_schedule(plan)
    _expect_installed(plan)
    screen.show(f"scheduled: {settings_line(settings.schedule, plan.starter)}")
    return ExitCode.DONE


def show(screen: Screen) -> ExitCode:
    """Print the settings, whether they are what is installed, and the next and last runs."""
    _expect_root()
    configured = config.load()
    settings = configured.schedule
    starter = find_starter()
    found = read_files(PATHS)
    plan = unless_refused(_plan(configured))
    there = installed(plan, found)
    asked = starter is Starter.SYSTEMD and there is not Installed.NO
    state = ScheduleState(
        starter=starter,
        installed=there,
        settings=settings,
        timers=read_timers() if asked else (),
        services=read_services() if asked else (),
    )
    for line in state_lines(state):
        screen.show(line)
    return ExitCode.DONE


def how_it_stands(settings: config.Config) -> Installed:
    """Return whether the installation matches the configuration."""
    plan = _plan(settings)
    if isinstance(plan, Refused):
        return Installed.NO
    return installed(plan, read_files(PATHS))


def remove(screen: Screen) -> ExitCode:
    """Remove exactly what an installation wrote; the settings stay in the configuration."""
    _expect_root()
    plan = plan_removal(starter=find_starter(), found=read_files(PATHS))
    remove_schedule(plan)
    for path in plan.stale:
        screen.show(f"removed {path}")
    if left := read_files(plan.stale):
        raise RescueError(f"still there: {', '.join(left)}")
    screen.show("the schedule was removed" if plan.stale else "nothing was scheduled")
    return ExitCode.DONE


def _expect_root() -> None:
    if refusals := root_refusals(discover()):
        raise GuardRefusedError(tuple(refusals))


def _changed(settings: config.Config, options: InstallOptions) -> config.Config:
    """Return the configuration with what was asked for. Raises UsageError that names the key."""
    old = settings.schedule
    new = replace(
        old,
        at=old.at if options.at is None else options.at,
        checksum_day=old.checksum_day if options.checksum_day is None else options.checksum_day,
        when_plugged=old.when_plugged if options.when_plugged is None else options.when_plugged,
    )
    changed = replace(settings, schedule=new)
    config.check(changed, where="the command line")
    return changed


def _plan(settings: config.Config) -> SchedulePlan | Refused:
    return plan_schedule(
        settings.schedule,
        starter=find_starter(),
        command=_own_command(),
        templates={name: template(name) for name in TEMPLATES},
        found=read_files(PATHS),
        metrics=settings.alarm.metrics,
        disks=tuple(
            PluggedDisk(name=record.name, partuuid=record.root.mirror_partuuid)
            for record in known_records(settings)
        ),
    )


def _own_command() -> str:
    """Return the path by which a timer starts rescue: the one that stays when it is upgraded."""
    return which("rescue") or str(Path(sys.argv[0]).absolute())


def _program_refusals() -> tuple[Refusal, ...]:
    """Return the reasons why root should not run this very program unattended every night.

    That is what starts it, Python, every folder that Python takes code from, what it took from
    there, and all of rescue's own.
    """
    package = Path(rescue.__file__).parent
    named = (getattr(module, "__file__", None) for module in [*sys.modules.values()])
    loaded = (Path(name) for name in named if isinstance(name, str))
    starts = (Path(_own_command()), Path(sys.executable), *map(Path, sys.path), *loaded)
    found = [spot for each in starts if each.exists() and (spot := weak_spot(each))]
    found += [spot for spot in (weak_spot_below(package),) if spot]
    return tuple(
        Refusal(
            code=ExitCode.REFUSED,
            reason=f"users other than root could change what would run every night: {spot.path} "
            f"{spot.why}",
            hint=spot.mend,
        )
        for spot in dict.fromkeys(found)
    )


def _expect_installed(plan: SchedulePlan) -> None:
    """Look at what was done. Raises RescueError where it would not start by itself."""
    if installed(plan, read_files(PATHS)) is not Installed.YES:
        raise RescueError("the files are not as they were written", hint="see 'dmesg'")
    idle = idle_timers() if plan.starter is Starter.SYSTEMD else ()
    if idle:
        raise RescueError(
            f"systemd is not waiting for {', '.join(idle)}",
            hint=f"see 'systemctl status {idle[0]}'",
        )
