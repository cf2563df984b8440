"""The rescue system on the medium: in memory, with its menu, and with ssh only by key."""

import json
import re
import subprocess
from pathlib import Path

import pytest

from rescue.medium.build import Contents, build_image
from rescue.medium.live import build_live
from rescue.medium.loaders import loaders
from rescue.units import MIB
from tests.lab.hardware import BIOS, UEFI, Firmware, Hardware
from tests.lab.lab import Lab
from tests.lab.medium import stick
from tests.lab.stock import Stock

# It installs and packs a whole Debian first.
pytestmark = pytest.mark.long

BOOT_SECONDS = 500.0


@pytest.fixture(scope="module")
def image(stock: Stock, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A medium with the rescue system, and the lab's key."""
    directory = tmp_path_factory.mktemp("live")
    # mmdebstrap may work as another user.
    for folder in (directory, directory.parent):
        folder.chmod(0o755)
    live = directory / "live"
    live.mkdir()
    build_live(live, time=loaders().newest, tell=print)
    key = stock.image("gpt").key.with_suffix(".pub").read_bytes()
    recovery_files = {"rescue/authorized_keys": key, "recovery.txt": b"the page of this server\n"}
    build_image(directory / "medium.img", Contents(recovery_files=recovery_files, live=live))
    return directory / "medium.img"


def test_it_is_small(image: Path) -> None:
    assert image.stat().st_size < 600 * MIB


@pytest.mark.parametrize("firmware", [BIOS, UEFI])
def test_it_starts_in_memory_and_shows_the_disks_of_the_machine(
    lab: Lab, image: Path, firmware: Firmware
) -> None:
    disks = [stick(image), lab.server_disk()]
    hardware = Hardware(firmware=firmware, memory=2048)
    with lab.machine(disks, hardware=hardware) as machine:
        # Without a mirror it is what starts when nobody is there.
        machine.wait_for_console(re.compile("RESCUE SYSTEM: a small Debian"), BOOT_SECONDS)
        machine.wait_for_ssh(BOOT_SECONDS)
        assert machine.run("findmnt -no FSTYPE /").stdout.strip() == "overlay"
        assert machine.failed_units() == []
        machine.detach(disks[0].serial)
        shown = json.loads(machine.run("rescue disks --json").stdout)
        assert [disk["id"]["serial"] for disk in shown["disks"]] == ["SOURCE01"]
        assert machine.run("grep -c /dev/vd /proc/mounts", check=False).stdout == "0\n"


def test_without_a_key_nothing_listens(lab: Lab, image: Path, tmp_path: Path) -> None:
    bare = tmp_path / "bare.img"
    bare.write_bytes(image.read_bytes())
    drive = f"{bare}@@{MIB}"
    subprocess.run(["mdel", "-i", drive, "::/rescue/authorized_keys"], check=True)
    with lab.machine([stick(bare)], hardware=Hardware(memory=2048)) as machine:
        machine.wait_for_console(re.compile("RESCUE SYSTEM: a small Debian"), BOOT_SECONDS)
        machine.type_on_console("3\r")
        machine.wait_for_console(re.compile(r"root@rescue"), BOOT_SECONDS)
        machine.type_on_console("ss -ltn | wc -l; systemctl is-active ssh; echo asked\r")
        machine.wait_for_console(re.compile(r"[\r\n]1\r\ninactive\r\nasked"), BOOT_SECONDS)
