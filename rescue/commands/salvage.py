"""`rescue salvage`: images a dying disk with GNU ddrescue before anything else is tried on it."""

import os
from pathlib import Path

from rescue.discover.machine import discover
from rescue.errors import ExitCode, RescueError, UsageError
from rescue.grants import unless_refused
from rescue.model.event import Progress
from rescue.plan.salvage import Place, SalvagePlan, plan_salvage
from rescue.system.block import ddrescue
from rescue.system.files.atomic import free_on, write_atomic
from rescue.system.process.lock import only_one_run
from rescue.system.process.run import which
from rescue.system.process.timed_step import timed_step
from rescue.ui.screen import Screen
from rescue.units import human_bytes


def salvage(target: str, to: str, screen: Screen) -> ExitCode:
    """Read the whole disk into the image `to`, with a map and the disk's identity beside it.

    Run again, it continues where it ended. Returns DONE, or DEGRADED if areas stayed
    unreadable.
    """
    if which("ddrescue") is None:
        raise RescueError("ddrescue is not installed", hint="apt install gddrescue")
    with only_one_run():
        plan = unless_refused(plan_salvage(discover(), target, _place(to)))
        again = " (continuing the earlier attempt)" if plan.resumes else ""
        screen.show(f"{plan.disk} ({plan.name}), {human_bytes(plan.size)}, to {plan.image}{again}")
        write_atomic(_note_of(Path(plan.image)), f"{plan.name}\n".encode(), mode=0o600)
        done = _read(plan, screen)
    screen.show(f"{human_bytes(done.rescued)} are in {plan.image}")
    if not done.finished:
        screen.show(
            f"about {human_bytes(done.missing)} could not be read; run the same command again to "
            "retry"
        )
    screen.show(f"next: rescue restore --from {plan.image}")
    return ExitCode.DONE if done.finished else ExitCode.DEGRADED


def _read(plan: SalvagePlan, screen: Screen) -> ddrescue.Rescued:
    def told(share: float) -> None:
        screen.emit(Progress(bytes_done=int(share * plan.size), share=share))

    with timed_step(f"image {plan.disk}", screen.emit):
        try:
            return ddrescue.salvage(plan.disk, plan.image, on_share=told)
        finally:
            screen.close()


def _place(to: str) -> Place:
    path = Path(to).resolve()
    if not path.parent.is_dir():
        raise UsageError(f"the folder {path.parent} does not exist", hint="create it first")
    seen = path.stat() if path.exists() else None
    return Place(
        path=str(path),
        free=free_on(path.parent)[0],
        taken=seen.st_blocks * 512 if seen else 0,
        exists=seen is not None,
        has_map=os.path.lexists(ddrescue.map_of(str(path))),
        begun_from=_noted(path),
    )


def _note_of(image: Path) -> Path:
    """Return where the identity of the disk that an image was begun from is noted."""
    return image.with_name(f"{image.name}.disk")


def _noted(image: Path) -> str:
    try:
        return _note_of(image).read_text(encoding="utf-8", errors="replace").strip()
    except FileNotFoundError:
        return ""
