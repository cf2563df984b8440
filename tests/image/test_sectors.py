"""A dead disk behind an adapter that shows sectors of another size than the disk has."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from rescue.commands.restore import behind_other_sectors
from rescue.restore.dead_table import table_behind
from tests.builders import bare_disk
from tests.image.deaddisk import HOME_SIZE, MIB, ROOT, Night, Post, night_of
from tests.image.loopdisks import sh

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root: loop devices and mounts"),
]


@pytest.fixture(name="post")
def post_() -> Post:
    return Post()


@pytest.fixture(name="night")
def night_(tmp_path: Path, post: Post) -> Iterator[Night]:
    with night_of(tmp_path) as night:
        with night.alive() as alive:
            post.deliver(alive / "home", "anna", range(30), age=3600)
        night.night_is_over()
        yield night


@contextmanager
def shown_with(image: Path, sector: int) -> Iterator[str]:
    """Show an image as a disk with sectors of that size, locked as a write blocker does."""
    argv = ("--find", "--show", "--read-only", f"--sector-size={sector}", str(image))
    device = sh("losetup", *argv).strip()
    try:
        yield device
    finally:
        sh("losetup", "--detach", device)


def counted_in_4096(night: Night) -> None:
    """Write the table anew as a disk with sectors of 4096 bytes has it, in the same places."""
    zero(night)
    argv = ("--find", "--show", "--sector-size=4096", str(night.image))
    device = sh("losetup", *argv).strip()
    script = "label: gpt\nlabel-id: 50BCE222-0000-4000-8000-000000000000\n"
    for start, size in (ROOT, (ROOT[0] + ROOT[1], HOME_SIZE[night.kind])):
        script += f"start={start * 256}, size={size * 256}\n"
    try:
        subprocess.run(["sfdisk", "-q", device], input=script, text=True, check=True)
    finally:
        sh("losetup", "--detach", device)


def zero(night: Night) -> None:
    """Destroy the table at both ends."""
    with night.image.open("r+b") as file:
        file.write(bytes(MIB))
        file.seek(-MIB, os.SEEK_END)
        file.write(bytes(MIB))


def test_a_disk_of_512_behind_an_adapter_that_shows_4096(night: Night, post: Post) -> None:
    before = night.digest()
    with shown_with(night.image, 4096) as device:
        found = table_behind(device, shown=4096)
        assert found is not None
        assert found.uuid == "50bce222-0000-4000-8000-000000000000"
        night.origin = device
        plan = night.planned()
        assert "counts in sectors of 512 bytes, and the adapter shows 4096" in (
            plan.findings[0].message
        )
        assert night.restored().complete
    assert post.missing(night.home) == []
    assert night.digest() == before


def test_it_is_found_though_its_adapter_shows_a_serial_of_its_own(night: Night) -> None:
    """Neither its serial nor, as disks are read, its table tells it."""
    with shown_with(night.image, 4096) as device:
        dead = replace(bare_disk(device, "BRIDGE"), logical_sector=4096)
        stranger = bare_disk("/dev/null", "STRANGER")
        machine = replace(night.machine, disks=(*night.machine.disks, dead, stranger))
        assert behind_other_sectors(machine) == device
        assert behind_other_sectors(night.machine) == ""


def test_a_disk_of_4096_behind_an_adapter_that_shows_512(night: Night, post: Post) -> None:
    counted_in_4096(night)
    before = night.digest()
    with shown_with(night.image, 512) as device:
        assert table_behind(device, shown=512) is not None
        night.origin = device
        assert night.restored().complete
    assert post.missing(night.home) == []
    assert night.digest() == before


def test_without_a_table_the_recorded_layout_is_tried_with_both_sizes(
    night: Night, post: Post
) -> None:
    zero(night)
    with shown_with(night.image, 4096) as device:
        assert table_behind(device, shown=4096) is None
        night.origin = device
        assert night.restored().complete
    assert post.missing(night.home) == []


def test_a_dos_table_counts_in_the_disk_s_sectors_whatever_is_shown(
    night: Night, post: Post
) -> None:
    zero(night)
    script = "label: dos\n"
    for start, size in (ROOT, (ROOT[0] + ROOT[1], HOME_SIZE[night.kind])):
        script += f"start={start * 2048}, size={size * 2048}\n"
    subprocess.run(["sfdisk", "-q", str(night.image)], input=script, text=True, check=True)
    with shown_with(night.image, 4096) as device:
        night.origin = device
        assert night.restored().complete
    assert post.missing(night.home) == []
