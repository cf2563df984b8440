"""Installing and removing a schedule: files first, then systemd."""

from pathlib import Path

from rescue.model.run.schedule import SERVICES, TIMERS, SchedulePlan, Starter
from rescue.system.block import udev
from rescue.system.boot import systemd
from rescue.system.files.atomic import sync_directory, write_atomic

_ROOT = Path("/")
_INSTANCES = ("rescue-failed@*.service", "rescue-plugged@*.service")
_RULES = "/etc/udev/"


def install_schedule(plan: SchedulePlan, *, root: Path = _ROOT) -> None:
    """Write the files, take stale ones away, and start the timers.

    `root` is where the files' tree is. Raises OSError, and CommandError where systemd refuses.
    """
    for file in plan.files:
        place = _place(root, file.path)
        place.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(place, file.text.encode(), mode=file.mode)
    _take_away(plan.stale, root)
    if plan.starter is Starter.SYSTEMD:
        systemd.reload()
        systemd.enable(TIMERS)
    _tell_udev((*(file.path for file in plan.files), *plan.stale))


def remove_schedule(plan: SchedulePlan, *, root: Path = _ROOT) -> None:
    """Stop the timers and remove the files. An active run continues to its end."""
    if plan.starter is Starter.SYSTEMD:
        known = [name for name in TIMERS if any(path.endswith(f"/{name}") for path in plan.stale)]
        if known:
            systemd.disable(known)
    _take_away(plan.stale, root)
    if plan.starter is Starter.SYSTEMD:
        systemd.reload()
        systemd.forget_failures((*SERVICES, *_INSTANCES))
    _tell_udev(plan.stale)


def _tell_udev(paths: tuple[str, ...]) -> None:
    """Make udev reload its rules if one of the files is a rule; no disk is probed again."""
    if any(path.startswith(_RULES) for path in paths):
        udev.reload_rules()


def _take_away(paths: tuple[str, ...], root: Path) -> None:
    for path in paths:
        place = _place(root, path)
        place.unlink(missing_ok=True)
        sync_directory(place.parent)


def _place(root: Path, path: str) -> Path:
    return root / path.lstrip("/")
