"""The installed schedule: its files, and what systemd says of its units."""

from collections.abc import Sequence
from pathlib import Path

from rescue.model.run.schedule import SERVICES, TIMERS, ServiceState, Starter, TimerState
from rescue.system.boot import systemd


def find_starter() -> Starter:
    """Return what starts the runs here: systemd if it is running, otherwise cron."""
    return Starter.SYSTEMD if systemd.is_running() else Starter.CRON


def read_files(paths: Sequence[str], *, root: Path = Path("/")) -> dict[str, str]:
    """Return the texts of those files that exist; a link that leads nowhere is one, too."""
    found = {}
    for path in paths:
        place = root / path.lstrip("/")
        if place.is_file():
            found[path] = place.read_text("utf-8", "replace")
        elif place.exists() or place.is_symlink():
            found[path] = ""
    return found


def read_timers() -> tuple[TimerState, ...]:
    """Return our timers as systemd knows them. Raises CommandError."""
    return systemd.list_timers(TIMERS)


def idle_timers() -> tuple[str, ...]:
    """Return those of our timers that wait for nothing. Raises CommandError."""
    return tuple(timer for timer in TIMERS if not systemd.is_active(timer))


def read_services() -> tuple[ServiceState, ...]:
    """Return how our services ended the last time. Raises CommandError."""
    return tuple(systemd.service_state(service) for service in SERVICES)
