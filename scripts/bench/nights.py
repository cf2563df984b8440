"""A night on file systems of loop devices, against plain rsync on the same ones (needs root).

What is measured is the look ahead and the copy with all its steps, without the audit: there is no
system on these disks that could boot.
"""

import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from itertools import count
from pathlib import Path
from unittest.mock import patch

from rich.table import Table

from rescue.apply.engine import apply_plan
from rescue.apply.marker import store_marker
from rescue.measure import touched
from rescue.model.mirror.record import MirrorState, RunSummary
from rescue.model.mirror.since import since
from rescue.model.mirror.step import CarryFlags
from rescue.plan.mirror import with_differences
from scripts.bench.rows import row
from tests.image.loopdisks import DiskPair, disk_pair, in_child
from tests.image.measured import estimate

ORIGIN = ("rsync", "-a", "--delete")
FULL = ("rsync", "-aHAX", "--delete")
PEERS = {"rsync -a --delete": ORIGIN, "rsync -aHAX --delete": FULL}
OWN = ("--exclude=/boot", "--exclude=/.rescue", "--exclude=/etc", "--exclude=/lost+found")

IN_A_FOLDER = 49


def table(inodes: int) -> Table:
    """Measure nights on a tree of so many inodes."""
    grid = Table(
        title=f"a night over {inodes:,} inodes: medians of seconds, in turn", title_justify="left"
    )
    for heading in ("what", "rescue", "peer", "ratio", "wanted"):
        grid.add_column(heading)
    mib = 512 + inodes * 20 // 1024  # ext4 has an inode for each 16 KiB
    with (
        tempfile.TemporaryDirectory(prefix="rescue-bench-", dir="/var/tmp") as name,
        disk_pair(Path(name), mib=mib) as pair,
    ):
        _fill(pair.root / "srv", inodes)
        _first(pair)
        changes = count()
        for caches in ("warm", "cold"):
            for share in (0.0, 0.001):
                for peer, argv in PEERS.items():
                    what = f"{share:.1%} changed, {caches} caches, against {peer}"
                    wanted = "at most 1.00" if argv is FULL else "known"
                    sides = (partial(_night, pair), partial(_peer, pair, argv))
                    ours, theirs = (_prepared(pair, share, caches, changes, s) for s in sides)
                    grid.add_row(*row(what, ours, theirs, wanted=wanted))
    return grid


def _fill(top: Path, inodes: int) -> None:
    for number in range(inodes // (IN_A_FOLDER + 1)):
        folder = top / str(number // 100) / str(number % 100)
        folder.mkdir(parents=True)
        for name in range(IN_A_FOLDER):
            (folder / f"file-{name}").write_bytes(b"x" * (100 + name))


def _prepared(
    pair: DiskPair, share: float, caches: str, changes: "count[int]", run: Callable[[], None]
) -> Callable[[], float]:
    """Return what changes a share of the files, empties the caches or not, and measures."""

    def seconds() -> float:
        _complete(pair)
        turn = next(changes)
        every = max(1, int(1 / share / IN_A_FOLDER)) if share else 0
        folders = sorted((pair.root / "srv").glob("*/*"))
        for folder in folders[turn % every :: every] if every else ():
            (folder / "file-0").write_bytes(f"changed {turn}".encode())
        subprocess.run(["sync"], check=True)
        if caches == "cold":
            Path("/proc/sys/vm/drop_caches").write_text("3")
        begun = time.monotonic()
        run()
        return time.monotonic() - begun

    return seconds


def _first(pair: DiskPair) -> None:
    plan = pair.plan(first=True)
    in_child(lambda: bool(apply_plan(plan, pair.grant(plan), emit=lambda _: None, site=pair.site)))


def _complete(pair: DiskPair) -> None:
    plan = pair.plan()
    record = replace(pair.record, state=MirrorState.COMPLETE, generation=1)
    in_child(lambda: store_marker(record, pair.grant(plan), site=pair.site))


def _night(pair: DiskPair) -> None:
    """Do what `rescue mirror` does between its plan and its audit."""
    last = RunSummary(
        started=time.time(),
        seconds=1.0,
        checksum=False,
        files_total=1,
        files_changed=0,
        bytes_changed=0,
        deletions=0,
    )
    plan = pair.plan()
    flags = (CarryFlags(mount_point="/"), CarryFlags(mount_point="/boot"))
    plan = replace(plan, record=replace(plan.record, last_run=last), steps=(*plan.steps, *flags))

    def action() -> object:
        # The tree is as old as if it had been mirrored yesterday: nothing was touched meanwhile.
        with patch.object(touched, "since", partial(since, margin_ns=0)):
            looked = with_differences(plan, estimate(plan, site=pair.site).differences)
        apply_plan(looked, pair.grant(looked), emit=lambda _: None, site=pair.site)
        return None

    in_child(action)


def _peer(pair: DiskPair, argv: tuple[str, ...]) -> None:
    with pair.mirror_seen_root() as mirror:
        subprocess.run([*argv, *OWN, "-x", f"{pair.root}/", f"{mirror}/"], check=True)
