"""The night the disk dies, from the USB stick to a new first disk: no mail is lost on the way."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from rescue.medium.build import Contents, build_image
from tests.guest import postman
from tests.guest.test_main_story import mounts_of
from tests.lab.disk import Disk, partition
from tests.lab.guest import Guest
from tests.lab.hardware import BIOS, UEFI, Firmware
from tests.lab.lab import Lab, tree
from tests.lab.layout import GPT, MIB
from tests.lab.manifest import differences
from tests.lab.medium import STICK, as_stick
from tests.lab.stock import MIRROR
from tests.lab.variant import BOOKWORM, TRIXIE_NVME, Variant

RESTORE = "rescue restore --yes --expect-serial SOURCE01 --report /root/report"
FAILBACK = "rescue failback NEW01 --yes --expect-serial NEW01"


def boot_sector_overwritten(disk: Disk) -> None:
    disk.write(0, b"LI" * 220)


def table_zeroed(disk: Disk) -> None:
    disk.zero(0, MIB)


def root_destroyed(disk: Disk) -> None:
    root = next(part for part in GPT.partitions if part.mount_point == "/")
    disk.zero(root.start * MIB, 4096)


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("medium") / "medium.img"
    build_image(path, Contents())
    return path


@pytest.mark.parametrize(
    ("variant", "firmware", "dies", "home_again"),
    [
        (BOOKWORM, BIOS, boot_sector_overwritten, False),
        pytest.param(BOOKWORM, BIOS, boot_sector_overwritten, True, marks=pytest.mark.long),
        pytest.param(BOOKWORM, UEFI, table_zeroed, False, marks=pytest.mark.long),
        pytest.param(BOOKWORM, UEFI, root_destroyed, True, marks=pytest.mark.long),
        pytest.param(TRIXIE_NVME, BIOS, boot_sector_overwritten, True, marks=pytest.mark.long),
        pytest.param(TRIXIE_NVME, UEFI, table_zeroed, True, marks=pytest.mark.long),
    ],
)
def test_the_first_disk_dies_and_no_mail_is_lost(
    lab: Lab,
    image: Path,
    variant: Variant,
    firmware: Firmware,
    dies: Callable[[Disk], None],
    home_again: bool,
) -> None:
    with lab.prepared_server(firmware=firmware, variant=variant) as server:
        stick = a_stick_is_written(server, image)
        deliver(server, range(300))
        server.run("rescue mirror")
        deliver(server, range(300, 400))
        server.run("rm /home/anna/Maildir/new/18000007.* && sync")
        server.cut_power()
        mirror, dead = server.disk(MIRROR), server.disk("SOURCE01")
    dies(dead)
    before = dead.digest()

    with lab.machine([stick, dead, mirror], firmware=firmware) as machine:
        it_knows_that_it_runs_from_its_mirror(machine)
        deliver(machine, range(400, 450))
        machine.run(RESTORE)
        assert json.loads(machine.run("cat /root/report.json").stdout)["complete"]
        assert missing(machine, range(450)) == []
        assert machine.written("SOURCE01") == 0
        if home_again:
            new = it_moves_to_a_new_disk(lab, machine, like=dead)
        machine.poweroff()
    assert dead.digest() == before, "the dead disk was written to"

    if home_again:
        it_is_home(lab, new, mirror, firmware)


def a_stick_is_written(server: Guest, image: Path) -> Disk:
    server.attach_blank_disk(STICK, size=64 * MIB)
    server.put(image, "/var/tmp/medium.img")
    write = f"rescue media write {STICK} --image /var/tmp/medium.img --yes --expect-serial {STICK}"
    refused = server.run(write, check=False).expect(10).stderr
    assert f"--accept-fixed {STICK}" in refused  # the lab's small kernel drives no USB
    server.run(f"{write} --accept-fixed {STICK}")
    written = server.detach(STICK)
    assert written.read(0, image.stat().st_size) == image.read_bytes()
    return as_stick(written)


def it_knows_that_it_runs_from_its_mirror(machine: Guest) -> None:
    machine.wait_for_login()
    machine.wait_for_ssh()
    assert re.search(r"Boot the mirror of server, complete \S+ \S+ UTC", machine.console_text)
    assert "runs from its MIRROR 'MIRROR01'" in machine.console_text
    assert machine.mounts() == mounts_of("gpt", machine.device(MIRROR))
    assert machine.failed_units() == []
    machine.run("rescue mirror", check=False).expect(10)
    assert "rescue restore" in machine.run("rescue status", check=False).expect(2).stdout
    assert "first disk         SOURCE01" in machine.run("cat /.rescue/recovery.txt").stdout


def it_moves_to_a_new_disk(lab: Lab, machine: Guest, *, like: Disk) -> Disk:
    new = lab.blank_disk("NEW01", size=like.size).attached_as(like.model)
    machine.attach(new)
    assert "is the first disk now" in machine.run(FAILBACK).stdout
    deliver(machine, range(450, 460))
    again = machine.run(FAILBACK).stdout
    assert "write the partition table" not in again
    assert (
        "STILL runs from its mirror" in machine.run("rescue status", check=False).expect(2).stdout
    )
    machine.run("rescue mirror", check=False).expect(10)
    return new


def it_is_home(lab: Lab, new: Disk, mirror: Disk, firmware: Firmware) -> None:
    with lab.machine([new], firmware=firmware) as machine:
        machine.wait_for_ssh()
        assert "runs from its MIRROR" not in machine.console_text
        assert machine.failed_units() == []
        assert machine.mounts() == mounts_of("gpt", machine.device("NEW01"))
        assert missing(machine, range(460)) == []
        machine.run("test -e /.rescue", check=False).expect(1)
        assert "runs from its first disk (NEW01" in machine.run("rescue status").stdout
        machine.run("rescue mirror", check=False).expect(75)
        machine.attach(mirror.attached_as(new.model))  # SATA would want the power off
        assert "audit passed" in machine.run("rescue mirror").stdout
        home = partition(machine.device(MIRROR), 5)
        assert differences(tree(machine, "/home"), tree(machine, home)) == []


def deliver(guest: Guest, numbers: range) -> None:
    guest.put(Path(postman.__file__), "/run/postman.py")
    guest.run(f"python3 /run/postman.py /home anna {numbers.start} {numbers.stop}")


def missing(guest: Guest, numbers: range) -> list[int]:
    """Return the mails that no file of the homes is, bit for bit."""
    there = {entry.sha256 for entry in tree(guest, "/home").values()}
    return [number for number in numbers if postman.digest(number) not in there]
