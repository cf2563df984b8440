"""`make bench`: what rescue costs, as ratios against a peer that is measured in the same run.

Times depend on the machine and its load; ratios of two measurements in turn much less.
"""

import os
import statistics
import tempfile
from collections.abc import Callable
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.lab.accel import STOCK
from tests.lab.disk import Disk
from tests.lab.hardware import BIOS
from tests.lab.lab import Lab
from tests.lab.stock import MIRROR, Stock

CHECKOUT = Path(__file__).parents[1]
ROUNDS = 3
PLAIN = (
    "mount --mkdir /dev/vdb4 /run/bench && rsync -aHAXSx --delete / /run/bench/; umount /run/bench"
)


def main() -> None:
    """Measure in turn, and print medians and their ratio."""
    grid = Table(title="medians of seconds, in turn on one machine", title_justify="left")
    for heading in ("what", "rescue", "peer", "ratio", "wanted"):
        grid.add_column(heading)
    with tempfile.TemporaryDirectory(prefix="rescue-bench-") as name:
        folder = Path(name)
        os.environ[STOCK] = str(folder / "stock")
        lab = Lab(Stock(checkout=CHECKOUT, directory=folder / "stock"), folder / "disks")
        for row in (_boots(lab), _runs(lab)):
            grid.add_row(*row)
    Console().print(grid)


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

    return _row("power-on to login", boot(mirror), boot(source), wanted="at most 1.10")


def _runs(lab: Lab) -> tuple[str, ...]:
    """A run that finds nothing to do, all file systems and the audit, against rsync of / alone."""
    with lab.prepared_server() as server:
        server.run("rescue mirror")

        def ours() -> float:
            return server.run("rescue mirror --accept-booted").seconds

        def plain() -> float:
            return server.run(PLAIN).seconds

        return _row("a run with nothing to do", ours, plain, wanted="known")


def _row(
    what: str, ours: Callable[[], float], peer: Callable[[], float], *, wanted: str
) -> tuple[str, ...]:
    pairs = [(ours(), peer()) for _ in range(ROUNDS)]
    left, right = (statistics.median(each) for each in zip(*pairs, strict=True))
    return what, f"{left:.1f}", f"{right:.1f}", f"{left / right:.2f}", wanted


if __name__ == "__main__":
    main()
