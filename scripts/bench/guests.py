"""What rescue costs on a whole machine: starting the mirror, and a run, measured in guests."""

import os
import tempfile
from collections.abc import Callable
from pathlib import Path

from rich.table import Table

from scripts.bench.rows import row
from tests.lab.accel import STOCK
from tests.lab.disk import Disk
from tests.lab.hardware import BIOS
from tests.lab.lab import Lab
from tests.lab.stock import MIRROR, Stock

CHECKOUT = Path(__file__).parents[2]
PLAIN = (
    "mount --mkdir /dev/vdb4 /run/bench && rsync -aHAXSx --delete / /run/bench/; umount /run/bench"
)


def table() -> Table:
    """Measure in turn; return medians and their ratio."""
    grid = Table(title="medians of seconds, in turn on one machine", title_justify="left")
    for heading in ("what", "rescue", "peer", "ratio", "wanted"):
        grid.add_column(heading)
    with tempfile.TemporaryDirectory(prefix="rescue-bench-") as name:
        folder = Path(name)
        os.environ[STOCK] = str(folder / "stock")
        lab = Lab(Stock(checkout=CHECKOUT, directory=folder / "stock"), folder / "disks")
        for cells in (_boots(lab), _runs(lab)):
            grid.add_row(*cells)
    return grid


def _boots(lab: Lab) -> tuple[str, ...]:
    """Power-on to the login prompt: the mirror alone, against the source alone."""
    with lab.prepared_server() as server:
        source, mirror = server.disk("SOURCE01"), server.disk(MIRROR)
        server.poweroff()

    def boot(disk: Disk) -> Callable[[], float]:
        def seconds() -> float:
            with lab.machine([disk], firmware=BIOS) as machine:
                reached = machine.wait_for_login()
                machine.wait_for_ssh()
                machine.poweroff()
            return reached

        return seconds

    return row("power-on to login", boot(mirror), boot(source), wanted="at most 1.10")


def _runs(lab: Lab) -> tuple[str, ...]:
    """A run that finds nothing to do, all file systems and the audit, against rsync of / alone."""
    with lab.prepared_server() as server:
        server.run("rescue mirror")

        def ours() -> float:
            return server.run("rescue mirror --accept-booted").seconds

        def plain() -> float:
            return server.run(PLAIN).seconds

        return row("a run with nothing to do", ours, plain, wanted="known")
