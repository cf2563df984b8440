"""`make pictures`: what rescue shows, as pictures for the documents, docs/pictures/*.svg.

Each is drawn by the code that draws it on a terminal, for the lab's server as the tests have it.
Usage: python -m scripts.pictures
"""

import io
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from rich.console import Console, Group, RenderableType

from rescue.model.boot.firmware import BootTimes
from rescue.model.mirror.record import FreeSpace, MirrorState, RunSummary
from rescue.model.run.exposure import Proven
from rescue.model.storage.disk import TableKind
from rescue.model.storage.disk_health import DiskHealth, SmartState, SmartVerdict
from rescue.status.assess import on_source
from rescue.status.exposure import Known
from rescue.ui.disks import disks_table
from rescue.ui.plan import render_plan
from rescue.ui.status.frames import status_view
from rescue.ui.wizard import render_choice
from rescue.units import GIB, MIB, Bytes
from rescue.wizard.candidates import mirror_choice
from tests.builders import NEW_IDS, bare_disk, enrolled, prepared, server, unplugged

FOLDER = Path(__file__).parents[1] / "docs" / "pictures"
RENEW = "make pictures"
COLUMNS = 80
NOW = 1_700_000_000.0
HOUR = 3600.0
# rich names a font on somebody else's server; a document needs nothing from elsewhere.
_FONT_FACE = re.compile(r"@font-face \{.*?\}\s*", re.DOTALL)


def disks() -> RenderableType:
    """`rescue disks`, with an empty disk and one that held a system."""
    old = replace(unplugged(server().disks[0], "/dev/sda"), id=bare_disk("", "OLD0001").id)
    return disks_table(server(TableKind.GPT, bare_disk(), replace(old, transport="usb")))


def plan() -> RenderableType:
    """`rescue prepare --dry-run`."""
    return render_plan(prepared(server()), server())


def wizard() -> RenderableType:
    """The wizard's choice of a disk: an empty one, one that is too small."""
    small = replace(bare_disk("/dev/sda", "SMALL01", size=Bytes(2 * GIB)), transport="usb")
    machine = server(TableKind.GPT, bare_disk(), small)
    return render_choice(mirror_choice(machine, (), new_ids=NEW_IDS), machine)


def status() -> RenderableType:
    """`rescue status`, seven hours after a complete run, with a proof and a rehearsal."""
    began, took = NOW - 7 * HOUR - 12 * 60, 312.0
    run = RunSummary(
        started=began,
        seconds=took,
        checksum=False,
        files_total=148_211,
        files_changed=912,
        bytes_changed=64 * MIB,
        deletions=37,
        free=(
            FreeSpace(mount_point="/", size=3 * GIB, free=1 * GIB),
            FreeSpace(mount_point="/home", size=1 * GIB, free=410 * MIB),
        ),
    )
    there = enrolled()
    record = replace(
        there.record,
        state=MirrorState.COMPLETE,
        generation=7,
        last_complete=began + took,
        last_run=run,
        last_checksum=NOW - 79 * HOUR,
    )
    times = BootTimes(firmware=2.0, grub=6.1, kernel=11.8, userspace=21.3, total=41.2)
    good = DiskHealth(smart=SmartVerdict(state=SmartState.PASSED))
    known = Known(proof=Proven(at=NOW - 4 * HOUR, times=times, generation=7), rehearsed=52 * 60.0)
    found = on_source(
        replace(there.machine, health=tuple((disk.path, good) for disk in there.machine.disks)),
        (record,),
        now=NOW,
        overdue_hours=36,
        known={record.name: known},
    )
    return Group(*status_view(found))


PICTURES: dict[str, tuple[str, Callable[[], RenderableType]]] = {
    "disks": ("rescue disks", disks),
    "plan": ("rescue prepare MIR0001 --dry-run", plan),
    "status": ("rescue status", status),
    "wizard": ("rescue", wizard),
}
"""Each picture by the name of its file: the command that shows it, and what it shows."""


def drawn(name: str) -> str:
    """Return a picture as SVG."""
    title, what = PICTURES[name]
    console = Console(
        record=True,
        width=COLUMNS,
        file=io.StringIO(),
        force_terminal=True,
        color_system="truecolor",
        highlight=False,
    )
    console.print(what())
    svg = console.export_svg(title=title, unique_id=name)
    lines = (line.rstrip() for line in _FONT_FACE.sub("", svg).splitlines())
    return "\n".join(line for line in lines if line) + "\n"


def words(svg: str) -> list[str]:
    """Return what is written in a picture, so that two can be compared whatever they look like."""
    return re.findall(r"<text [^>]*>([^<]*)</text>", svg)


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for each in PICTURES:
        (FOLDER / f"{each}.svg").write_text(drawn(each), "utf-8")
