"""systemd's units: enabled, queried and disabled (man 1 systemctl)."""

import contextlib
import json
from collections.abc import Sequence
from pathlib import Path

from rescue.model.run.schedule import ServiceState, TimerState
from rescue.system.process.answer import rows_of, text_of, understood
from rescue.system.process.run import CommandError, run
from rescue.units import whole_number

_RUNNING = Path("/run/systemd/system")
_MICROSECONDS = 1_000_000
# What systemd says for 'never' is the largest number it has.
_NEVER = 2**63

_PROPERTIES = "Result,ExecMainStatus,ExecMainExitTimestamp"


def is_running(place: Path = _RUNNING) -> bool:
    """Whether this machine was started by systemd (man 3 sd_booted)."""
    return place.is_dir()


def reload() -> None:
    """Make systemd reload its units. Raises CommandError."""
    run(["systemctl", "daemon-reload"])


def enable(timers: Sequence[str]) -> None:
    """Enable timers and start them, with the times now in their files.

    One that was active already is restarted: otherwise it keeps its old time. Raises
    CommandError.
    """
    run(["systemctl", "enable", "--quiet", *timers])
    run(["systemctl", "restart", *timers])


def disable(timers: Sequence[str]) -> None:
    """Stop and disable timers, and forget when they last ran. An active run continues.

    Raises CommandError where one would still start.
    """
    run(["systemctl", "disable", "--now", "--quiet", *timers])
    # A stamp that stays starts nothing.
    with contextlib.suppress(CommandError):
        run(["systemctl", "clean", "--what=state", *timers])


def forget_failures(services: Sequence[str]) -> None:
    """Clear services from the list of failed units, including any that never failed."""
    for service in services:
        with contextlib.suppress(CommandError):
            run(["systemctl", "reset-failed", service])


def is_active(unit: str) -> bool:
    """Whether a unit is active: for a timer, whether it waits or its service runs now."""
    # 3: it is not active, 4: there is no such unit (man 1 systemctl, EXIT STATUS).
    return run(["systemctl", "is-active", "--quiet", unit], ok=(0, 3, 4)).returncode == 0


def timers_argv(timers: Sequence[str]) -> list[str]:
    """Return the command that lists timers as JSON, those that wait for nothing too."""
    return ["systemctl", "list-timers", "--all", "--output=json", *timers]


def list_timers(timers: Sequence[str]) -> tuple[TimerState, ...]:
    """Return those of the timers that systemd knows. Raises RescueError (CommandError)."""
    return parse_timers(run(timers_argv(timers)).stdout)


def parse_timers(text: str) -> tuple[TimerState, ...]:
    """Given the JSON of `systemctl list-timers` (times in microseconds), return the timers.

    Raises RescueError where it is invalid.
    """
    with understood("systemctl did not answer with a list of timers"):
        return tuple(
            TimerState(
                unit=text_of(row, "unit"),
                next=_seconds(row.get("next")),
                last=_seconds(row.get("last")),
            )
            for row in rows_of(json.loads(text or "[]"))
        )


def show_argv(service: str) -> list[str]:
    """Return the command that shows how a service ended, its time in seconds since the epoch."""
    return ["systemctl", "show", f"--property={_PROPERTIES}", "--timestamp=unix", service]


def service_state(service: str) -> ServiceState:
    """Return how a service ended the last time. Raises CommandError."""
    return parse_service(service, run(show_argv(service)).stdout)


def parse_service(service: str, text: str) -> ServiceState:
    """Given a service's `systemctl show` output, return how it last ended.

    What is not a number counts as 0, systemd's value for a service that never ran.
    """
    values = dict(line.split("=", 1) for line in text.split("\n") if "=" in line)
    ended = whole_number(values.get("ExecMainExitTimestamp", "").removeprefix("@"))
    return ServiceState(
        unit=service,
        result=values.get("Result", ""),
        exit_code=whole_number(values.get("ExecMainStatus", "")) or 0,
        ended=float(ended or 0),
    )


def _seconds(microseconds: object) -> float:
    if not isinstance(microseconds, int) or not 0 < microseconds < _NEVER:
        return 0.0
    return microseconds / _MICROSECONDS
