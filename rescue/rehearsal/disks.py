"""The throw-away disks of a rehearsal: the mirror with a probe in it, and the dead first disk.

What is written goes to overlays; nothing here opens the mirror itself.
"""

import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

from rescue import paths
from rescue.model.rehearsal import DrillPlan, FirstDisk, Homes, Mark, Part, RootPlace
from rescue.store.records import forget_marker
from rescue.system.block.change_ids import filesystem_argvs, table_argvs
from rescue.system.block.loop import Span
from rescue.system.block.overlay import Overlay, exported, part_mounted
from rescue.system.files.inject import lay, lay_link, lay_patience, lay_silence
from rescue.system.process.run import run
from rescue.template import template

UNIT = "rescue-drill.service"
_UNITS = "etc/systemd/system"
_SCRIPT = "drill-night.sh"
_EARLIER = 3600.0
_PATIENCE = 300.0
"""Seconds that systemd waits for a device."""


def make_mirror(plan: DrillPlan, overlay: Overlay, folder: Path, *, settings: str) -> None:
    """Put the last run's marks, and the unit that plays the rehearsal, into the mirror's overlay.

    `folder` is one that vanishes (`mountns.vanishing_folder`). Raises RescueError where what the
    mirror holds cannot be mounted, or a folder of it is a link.
    """
    homes, root = plan.homes, plan.root
    with exported(overlay, folder) as image:
        with _opened(homes, image, folder) as at:
            _lay_marks(at, plan, lambda mark: mark.last_run)
        with _opened(root, image, folder) as at:
            lay(at, f"{paths.DRILL_FOLDER}/plan", settings.encode())
            lay(at, f"{paths.DRILL_FOLDER}/part", f"{Part.NIGHT}\n".encode())
            lay(at, f"{paths.DRILL_FOLDER}/night.sh", template(_SCRIPT).encode())
            lay(at, f"{_UNITS}/{UNIT}", template(UNIT).encode())
            lay_patience(at, _PATIENCE)
            lay_silence(at)
            lay_link(at, f"{_UNITS}/multi-user.target.wants/{UNIT}", f"/{_UNITS}/{UNIT}")


def make_first(plan: DrillPlan, overlay: Overlay, folder: Path) -> None:
    """Turn an overlay of the mirror into the first disk as it was when it died, then damage it.

    First its users' files, then its identifiers, and finally its boot sector or table.
    """
    homes, root, first = plan.homes, plan.root, plan.first
    with exported(overlay, folder) as image:
        with _opened(homes, image, folder) as at:
            _lay_marks(at, plan, lambda mark: mark.dead)
        with _opened(root, image, folder) as at:
            forget_marker(at)
    turn_back(first, overlay, folder)
    with exported(overlay, folder) as image, image.open("r+b") as file:
        file.write(bytes(first.wreck))


def turn_back(first: FirstDisk, overlay: Overlay, folder: Path) -> None:
    """Give an overlay of the mirror its source's identifiers. Raises CommandError."""
    for part in first.parts:
        if not part.uuid:
            continue
        with exported(overlay, folder, span=Span(start=part.start, length=part.length)) as file:
            for argv in filesystem_argvs(part.kind, part.uuid, file, features=part.features):
                run(argv, timeout=900)
    numbered = tuple((part.number, part.partuuid) for part in first.parts if part.partuuid)
    with exported(overlay, folder) as image:
        for argv in table_argvs(
            image, table_uuid=first.table_uuid, partuuids=numbered, is_gpt=bool(numbered)
        ):
            run(argv)


def _opened(place: Homes | RootPlace, image: Path, folder: Path) -> AbstractContextManager[Path]:
    span = Span(start=place.start, length=place.length)
    return part_mounted(image, span, kind=place.kind, folder=folder)


def _lay_marks(root: Path, plan: DrillPlan, content: Callable[[Mark], str]) -> None:
    """Write each mark as it is at one moment; what it did not change is as old as the last run."""
    before = plan.last_complete - _EARLIER
    for mark in plan.marks:
        if text := content(mark):
            path = lay(root, f"{plan.homes.folder}/{mark.name}", text.encode())
            when = before if text == mark.last_run else plan.died
            os.utime(path, (when, when))
