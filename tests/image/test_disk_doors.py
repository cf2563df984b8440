"""The doors to smartctl and to the kernel's log, with the real tools and a device that fails."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from rescue.discover.diskhealth import look
from rescue.model.storage.disk import Disk
from rescue.model.storage.disk_health import SmartState
from rescue.model.storage.identity import DiskId
from rescue.system.block import loop
from rescue.units import Bytes

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root: loop devices"),
]
SIZE = 1 << 20


@pytest.fixture
def broken(tmp_path: Path) -> Iterator[Disk]:
    """A disk whose second half cannot be read: its file is shorter than the device."""
    image = tmp_path / "disk.img"
    image.write_bytes(bytes(SIZE))
    with loop.locked(str(image)) as device:
        os.truncate(image, SIZE // 2)
        yield Disk(
            path=device,
            id=DiskId(serial="BROKEN1"),
            size=Bytes(SIZE),
            logical_sector=512,
            physical_sector=512,
        )


@pytest.mark.skipif(not shutil.which("smartctl"), reason="smartmontools is not installed")
def test_a_loop_device_has_no_smart_and_says_so(broken: Disk) -> None:
    verdict = look(broken).smart
    assert verdict.state is SmartState.UNSUPPORTED
    assert "Unable to detect device type" in verdict.said[0]


def test_read_errors_of_the_kernel_are_seen(broken: Disk) -> None:
    before = look(broken)
    subprocess.run(["dd", f"if={broken.path}", "of=/dev/null", "bs=4k"], check=False)
    after = look(broken)
    assert after.is_failing
    assert after.read_errors != before.read_errors
    assert Path(broken.path).name in after.reasons[-1]
