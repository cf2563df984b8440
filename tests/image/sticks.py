"""Sticks: disks of loop devices that somebody plugs in, and a look at what is on them."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from rescue.discover.marker import read_marker
from rescue.model.storage.disk import Disk, Partition, PartitionTable, TableKind
from rescue.model.storage.filesystem import FileSystem, FsKind
from rescue.units import Sectors
from tests.builders import bare_disk
from tests.image.loopdisks import in_child, sh


@contextmanager
def plugged_in(
    image: Path, kind: FsKind, *, sector: int = 512, locked: bool = False
) -> Iterator[Disk]:
    """Give a disk with one partition of the image; unless `locked`, it could be written to."""
    argv = ["losetup", "--find", "--show", f"--sector-size={sector}"]
    device = sh(*argv, *(["--read-only"] if locked else []), str(image)).strip()
    try:
        part = Partition(
            number=1,
            start=Sectors(0),
            length=Sectors(2048),
            type="83",
            uuid="5eedbeef-01",
            content=FileSystem(kind=kind, uuid="11111111-2222-4333-8444-555555555555"),
            path=device,
        )
        table = PartitionTable(kind=TableKind.MBR, uuid="5eedbeef", partitions=(part,))
        yield replace(bare_disk(device, "STICK"), table=table)
    finally:
        sh("losetup", "--detach", device)


def name_on(disk: Disk) -> object:
    """Look in a process of its own, which dies where it hangs; return the mirror's name."""

    def look() -> str | None:
        signal.alarm(60)
        marker = read_marker(disk)
        return marker.record.name if marker is not None else None

    return in_child(look)
