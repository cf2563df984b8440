"""A medium written to a real block device, and what happens when the device lies."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from rescue.errors import RefusedError, RescueError
from rescue.grants import MediumGrant, grant_medium
from rescue.medium.build import seal
from rescue.medium.write import write_medium
from rescue.model.event import Event, Progress, StepDone
from rescue.model.medium import MediumPlan
from rescue.model.storage.identity import DiskId
from rescue.units import MIB

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root for loop devices"),
]

STICK = DiskId(serial="STICK1")


@contextmanager
def loop(backing: Path) -> Iterator[str]:
    argv = ["losetup", "--find", "--show", "--partscan", str(backing)]
    device = subprocess.run(argv, capture_output=True, text=True, check=True).stdout.strip()
    try:
        yield device
    finally:
        subprocess.run(["losetup", "--detach", device], check=True)


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """Nine MiB that no chunk divides, and no two sectors alike."""
    path = tmp_path / "medium.img"
    path.write_bytes(b"".join(number.to_bytes(8) * 64 for number in range(9 * 2048)))
    return path


@pytest.fixture
def backing(tmp_path: Path) -> Path:
    """A used stick: every byte is something."""
    path = tmp_path / "stick"
    path.write_bytes(b"\xa5" * (12 * MIB))
    return path


def leave_for(device: str, image: Path) -> MediumGrant:
    plan = MediumPlan(target_path=device, target_size=12 * MIB, disk=STICK, image=seal(image))
    return grant_medium(plan, named="STICK1")


def write(grant: MediumGrant, events: list[Event], *, seen: DiskId = STICK) -> None:
    write_medium(grant, emit=events.append, identify=lambda _: seen)


def test_the_stick_holds_the_image_and_old_tables_are_gone(image: Path, backing: Path) -> None:
    events: list[Event] = []
    with loop(backing) as device:
        write(leave_for(device, image), events)
    written = backing.read_bytes()
    assert written[: 9 * MIB] == image.read_bytes()
    assert written[9 * MIB : 11 * MIB] == b"\xa5" * (2 * MIB)
    assert written[11 * MIB :] == bytes(MIB)  # a GPT's second header would be here
    shares = [event.share for event in events if isinstance(event, Progress)]
    assert shares.count(1.0) == 2
    assert [event.title for event in events if isinstance(event, StepDone)] == [
        "write the medium",
        "read it back and compare",
    ]


def test_another_stick_at_the_same_place_is_not_touched(image: Path, backing: Path) -> None:
    before = backing.read_bytes()
    with loop(backing) as device, pytest.raises(RefusedError, match="not the disk"):
        write(leave_for(device, image), [], seen=DiskId(serial="OTHER"))
    assert backing.read_bytes() == before


def test_a_mounted_stick_is_not_touched(image: Path, backing: Path, tmp_path: Path) -> None:
    subprocess.run(["mke2fs", "-q", "-F", str(backing)], check=True)
    place = tmp_path / "mnt"
    place.mkdir()
    with loop(backing) as device:
        subprocess.run(["mount", "-o", "ro", device, str(place)], check=True)
        try:
            before = backing.read_bytes()
            with pytest.raises(RefusedError, match="cannot be opened for writing alone"):
                write(leave_for(device, image), [])
            assert backing.read_bytes() == before
        finally:
            subprocess.run(["umount", str(place)], check=True)


def test_a_stick_that_loses_a_bit_is_found_out(image: Path, backing: Path) -> None:
    def lose(event: Event) -> None:
        if isinstance(event, StepDone) and event.number == 1:
            with backing.open("r+b") as file:
                file.seek(8 * MIB + 77)
                file.write(b"\x01")

    with loop(backing) as device:
        grant = leave_for(device, image)
        with pytest.raises(RescueError, match="does not return what was written") as caught:
            write_medium(grant, emit=lose, identify=lambda _: STICK)
    assert "worn out" in caught.value.hint


def test_an_image_that_changed_after_it_was_planned_is_found_out(
    image: Path, backing: Path
) -> None:
    with loop(backing) as device:
        grant = leave_for(device, image)
        with image.open("r+b") as file:
            file.write(b"changed")
        with pytest.raises(RescueError, match="changed after the plan was made"):
            write(grant, [])
    # The first sector goes last: what is there does not boot.
    assert backing.read_bytes()[:512] == bytes(512)


def test_a_stick_that_shrank_is_not_written(image: Path, tmp_path: Path) -> None:
    small = tmp_path / "small"
    small.write_bytes(b"\xa5" * (4 * MIB))
    with loop(small) as device, pytest.raises(RescueError, match="smaller"):
        write(leave_for(device, image), [])
    assert small.read_bytes() == b"\xa5" * (4 * MIB)


def test_no_leave_without_the_name(image: Path) -> None:
    plan = MediumPlan(target_path="/dev/x", target_size=1, disk=STICK, image=seal(image))
    with pytest.raises(RefusedError):
        grant_medium(plan, named="/dev/x")
    grant = grant_medium(plan, named="STICK1")
    with pytest.raises(AssertionError):
        replace(grant, _mint=object())
