"""The night the disk dies, from the USB stick to a new first disk: no mail is lost on the way."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from rescue.medium.build import Contents, build_image
from tests.guest import postman
from tests.guest.test_main_story import mounts_of, unequal
from tests.lab.disk import Disk
from tests.lab.guest import Guest
from tests.lab.hardware import BIOS, UEFI, Firmware
from tests.lab.lab import Lab, tree
from tests.lab.layout import GPT, MIB
from tests.lab.medium import stick
from tests.lab.stock import MIRROR

RESTORE = "rescue restore --yes --expect-serial SOURCE01 --report /root/report"
FAILBACK = "rescue failback NEW01 --yes --expect-serial NEW01"


def boot_sector_overwritten(disk: Disk) -> None:
    disk.write(0, b"LI" * 220)


def table_zeroed(disk: Disk) -> None:
    disk.zero(0, MIB)


def root_superblock_destroyed(disk: Disk) -> None:
    disk.zero(GPT.root.start * MIB, 4096)


@pytest.mark.parametrize(
    ("firmware", "dies"),
    [(BIOS, boot_sector_overwritten), (UEFI, table_zeroed)],
)
def test_the_first_disk_dies_and_no_mail_is_lost(
    lab: Lab, tmp_path: Path, firmware: Firmware, dies: Callable[[Disk], None]
) -> None:
    image = tmp_path / "medium.img"
    build_image(image, Contents())

    with lab.prepared_server(firmware=firmware) as server:
        deliver(server, range(300))
        server.run("rescue mirror")
        deliver(server, range(300, 400))
        server.run("rm /home/anna/Maildir/new/18000007.* && sync")
        server.cut_power()
        mirror, dead = server.disk(MIRROR), server.disk("SOURCE01")
    dies(dead)
    before = dead.digest()

    with lab.machine([stick(image), dead, mirror], firmware=firmware) as machine:
        machine.wait_for_login()
        machine.wait_for_ssh()
        assert "Boot the mirror of server, complete" in machine.console_text
        assert "runs from its MIRROR 'MIRROR01'" in machine.console_text
        assert machine.failed_units() == []
        machine.run("rescue mirror", check=False).expect(10)

        deliver(machine, range(400, 450))
        machine.run(RESTORE, timeout=900)
        report = json.loads(machine.run("cat /root/report.json").stdout)
        assert report["complete"]
        assert missing(machine, range(450)) == []
        assert machine.written("SOURCE01") == 0

        new = machine.attach_blank_disk("NEW01", size=dead.size)
        machine.run(FAILBACK, timeout=900)
        deliver(machine, range(450, 460))
        machine.run(FAILBACK)
        machine.poweroff()
    assert dead.digest() == before

    with lab.machine([new], firmware=firmware) as machine:
        machine.wait_for_ssh()
        assert machine.failed_units() == []
        assert machine.mounts() == mounts_of("gpt")
        assert missing(machine, range(460)) == []
        machine.attach(mirror)
        machine.run("rescue mirror")
        if firmware is BIOS:
            assert unequal(machine, "gpt") == []


def deliver(guest: Guest, numbers: range) -> None:
    guest.put(Path(postman.__file__), "/run/postman.py")
    guest.run(f"python3 /run/postman.py /home anna {numbers.start} {numbers.stop}")


def missing(guest: Guest, numbers: range) -> list[int]:
    """Return the mails that no file of the homes is, bit for bit."""
    there = {entry.sha256 for entry in tree(guest, "/home").values()}
    return [number for number in numbers if postman.digest(number) not in there]
