"""Sticks that mean harm: one that passes for the mirror, and one whose every file is a trap."""

import re
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest

from rescue.medium.build import Contents, build_image
from rescue.model.mirror.record import RECORD_VERSION, MirrorRecord
from rescue.model.storage.machine import MACHINE_VERSION, Machine
from rescue.store.codec import from_json
from tests.lab.disk import Disk
from tests.lab.guest import Guest
from tests.lab.lab import Lab
from tests.lab.medium import Note, stick
from tests.lab.stock import MIRROR

PLUGGED = f"rescue-plugged@{MIRROR}.service"
RECORD = f"/var/lib/rescue/mirrors/{MIRROR}.json"


@pytest.mark.long
def test_sticks_that_mean_harm_are_plugged_in(lab: Lab) -> None:
    with lab.prepared_server() as server:
        server.run("rescue schedule install --when-plugged")
        server.run("systemctl stop rescue-mirror.timer rescue-overdue.timer")
        server.run("sfdisk --dump /dev/vdb > /root/table")
        server.run("blkid --output export /dev/vdb[0-9] > /root/names")
        mirror = server.detach(MIRROR)
        forged = server.attach_blank_disk(MIRROR)
        it_is_made_to_look_like_the_mirror(server)
        it_gets_nothing(server, forged)
        server.attach(forged)
        the_record_is_laid_there_without_the_secret(server)
        it_gets_nothing(server, forged)
        a_stick_of_traps_ends_nothing(server)
        beside_the_mirror_it_stops_no_run(server, mirror, forged)


FORGE = """
set -e
sfdisk --quiet /dev/vdb < /root/table && udevadm settle
for part in 1 2 3 4 5 6; do
    test -b /dev/vdb$part || continue
    uuid=$(sed -n "/^DEVNAME=.*vdb$part$/,/^$/s/^UUID=//p" /root/names)
    case $(sed -n "/^DEVNAME=.*vdb$part$/,/^$/s/^TYPE=//p" /root/names) in
        ext4) mkfs.ext4 -q -F -U "$uuid" /dev/vdb$part ;;
        vfat) mkfs.vfat -i "$(echo "$uuid" | tr -d -)" /dev/vdb$part > /dev/null ;;
        swap) mkswap --uuid "$uuid" /dev/vdb$part > /dev/null ;;
    esac
done
mount /dev/vdb4 /mnt
mkdir --mode 700 /mnt/.rescue
"""


def it_is_made_to_look_like_the_mirror(server: Guest) -> None:
    """By what every user can read of the mirror; its marker leads to the server's own record."""
    server.run("systemctl mask --runtime --now " + PLUGGED)
    server.run(f"{FORGE}\nln --symbolic {RECORD} /mnt/.rescue/mirror.json && umount /mnt && sync")


def the_record_is_laid_there_without_the_secret(server: Guest) -> None:
    """All of it can be guessed or was seen once, but for what nobody but root ever saw."""
    server.run("systemctl mask --runtime --now " + PLUGGED)
    forget = "s/[0-9a-f]\\{64\\}/0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef/g"
    server.run("mount /dev/vdb4 /mnt && rm /mnt/.rescue/mirror.json")
    server.run(f"sed '{forget}' {RECORD} > /mnt/.rescue/mirror.json && umount /mnt && sync")


def beside_the_mirror_it_stops_no_run(server: Guest, mirror: Disk, forged: Disk) -> None:
    """Whichever is plugged in first, and though both show the same serial."""
    server.run(f"systemctl mask --runtime --now {PLUGGED}")
    disks = (mirror, replace(forged, serial="FORGED", shows=MIRROR))
    for generation, order in enumerate((disks, disks[::-1]), 2):
        before = forged.digest()
        for disk in order:
            server.attach(disk)
        said = server.run("rescue mirror").stdout
        assert "looks like mirror 'MIRROR01' but does not know its secret" in said
        assert f"generation {generation}" in said
        assert "looks like mirror 'MIRROR01'" in server.run("rescue status").stdout
        server.run("rescue audit")
        for disk in order:
            server.detach(disk.serial)
        assert forged.digest() == before, "a stranger's stick was written to"


def it_gets_nothing(server: Guest, forged: Disk) -> None:
    server.detach(MIRROR)
    before = forged.digest()
    server.run(f"systemctl unmask --runtime {PLUGGED} && systemctl reset-failed")
    server.attach(forged)
    server.run(f"until systemctl is-failed --quiet {PLUGGED}; do sleep 1; done")
    shown = server.run(f"systemctl show --property=ExecMainStatus --value {PLUGGED}").stdout
    assert shown.strip() == "10"
    server.run("rescue mirror", check=False).expect(10)
    server.detach(MIRROR)
    assert forged.digest() == before, "a stranger's stick was written to"


TRAPS = r"""
set -e
printf 'label: gpt\nsize=40M\nsize=40M\nsize=40M\nsize=40M\nsize=40M\nsize=40M\nsize=40M\n' |
    sfdisk --quiet /dev/vdb && udevadm settle
make() { mkfs.ext4 -q -F "$@"; }
make -L "$(printf '\033[2J\nrescue')" -e panic /dev/vdb1
for part in 2 3 4 5 6 7; do make -e panic /dev/vdb$part; done
at() { mount /dev/vdb$1 /mnt; mkdir --mode 700 /mnt/.rescue; }
at 1; mkfifo /mnt/.rescue/mirror.json /mnt/.rescue/booted; umount /mnt
at 2; ln --symbolic /dev/zero /mnt/.rescue/mirror.json; umount /mnt
at 3; mkdir /mnt/.rescue/mirror.json; umount /mnt
at 4; python3 -c 'print("[" * 200000)' > /mnt/.rescue/mirror.json; umount /mnt
at 5; sed 's/"last_complete": *[0-9.]*/"last_complete": 1e300/' RECORD > /mnt/.rescue/mirror.json
umount /mnt
at 6; rmdir /mnt/.rescue; ln --symbolic /etc /mnt/.rescue; umount /mnt
at 7; umount /mnt; debugfs -w -R 'clri /.rescue' /dev/vdb7 2> /dev/null
""".replace("RECORD", RECORD)


def nothing_is_left_of_the_looks(server: Guest) -> None:
    """Each was through a loop device, of which udev made links, too."""
    server.run("udevadm settle")
    assert server.run("losetup --list --noheadings").stdout == ""
    uuid = server.run("blkid --probe --output value --match-tag UUID /dev/vdb2").stdout.strip()
    assert server.run(f"readlink -f /dev/disk/by-uuid/{uuid}").stdout == "/dev/vdb2\n"


def a_stick_of_traps_ends_nothing(server: Guest) -> None:
    booted = server.run("cat /proc/sys/kernel/random/boot_id").stdout
    stick = server.attach_blank_disk("TRAPS001", size=512 << 20)
    server.run(TRAPS)
    server.detach("TRAPS001")
    before = stick.digest()
    server.attach(stick)
    for command, code in (
        ("rescue disks", 0),
        ("rescue mirror", 75),
        ("rescue status", 0),
    ):
        done = server.run(command, check=False).expect(code)
        assert re.search(r"[\x00-\x08\x0b-\x1f\x7f]", done.stdout + done.stderr) is None
    nothing_is_left_of_the_looks(server)
    assert server.run("stat --format=%a /etc").stdout == "755\n"
    assert server.run("cat /proc/sys/kernel/random/boot_id").stdout == booted
    server.detach("TRAPS001")
    assert stick.digest() == before, "a stranger's stick was written to"


@pytest.mark.long
def test_the_medium_starts_no_system_that_a_stick_brings(lab: Lab, tmp_path: Path) -> None:
    """A kernel and an initramfs that run, behind all that a user can read of the mirror."""
    with lab.prepared_server() as server:
        known = a_medium_of(server, tmp_path)
        mirror = server.detach(MIRROR)
        forged = server.attach_blank_disk("FORGED01", size=512 << 20)
        a_system_is_laid_there(server, record_of(server))
        server.poweroff()
    with lab.machine(copies((known, forged, mirror), tmp_path / "beside")) as machine:
        machine.wait_for_login()
        assert "NOT KNOWN here: mirror of server, complete" in machine.console_text
        assert OWNED not in machine.console_text
        assert "runs from its MIRROR 'MIRROR01'" in machine.console_text
        machine.wait_for_ssh()
        assert machine.run("findmnt --noheadings --output SOURCE /").stdout.startswith(
            machine.device(MIRROR)
        )
    # It is no dummy: alone it is started, after a warning and time to see it.
    with lab.machine(copies((known, forged), tmp_path / "alone")) as machine:
        machine.wait_for_console(re.compile(OWNED))
        assert "This stick knows NONE of these mirrors" in machine.console_text


OWNED = "this machine is ours now"

SYSTEM = rf"""
set -e
printf 'label: gpt\nsize=500M\n' | sfdisk --quiet /dev/vdb && udevadm settle
mkfs.ext4 -q -F -U UUID /dev/vdb1 && mount /dev/vdb1 /mnt
mkdir --mode 700 /mnt/.rescue && mkdir /mnt/grub && cp /run/note /mnt/.rescue/mirror.env
cp /boot/vmlinuz-* /mnt/vmlinuz && cp /boot/initrd.img-* /mnt/initrd.img
truncate --size=%512 /mnt/initrd.img
mkdir /run/crafted && cd /run/crafted
printf '#!/bin/sh\necho {OWNED}\nsleep 600\n' > init && chmod 755 init
echo init | cpio --quiet --create --format=newc >> /mnt/initrd.img
cat > /mnt/grub/grub.cfg << END
search --no-floppy --fs-uuid --set=root UUID
linux /vmlinuz console=ttyS0,115200
initrd /initrd.img
boot
END
cd / && umount /mnt && sync
"""
"""The initramfs is the server's own, and what lies behind it in the file counts."""


def a_system_is_laid_there(server: Guest, record: MirrorRecord) -> None:
    """With the UUID of the mirror's /boot: its menu is looked for by that."""
    boot = next(pair for pair in record.filesystems if pair.mount_point == "/boot")
    note = Note(
        name=MIRROR,
        boot_uuid=boot.mirror_uuid,
        grub="/grub",
        machine=server.run("cat /etc/machine-id").stdout.strip(),
        complete=server.run("date --utc +%Y%m%dT235959Z").stdout.strip(),
        token="0" * 32,
    )
    server.run("cat > /run/note", input_=note.block())
    server.run(SYSTEM.replace("UUID", boot.mirror_uuid))
    server.detach("FORGED01")


def record_of(server: Guest) -> MirrorRecord:
    text = server.run(f"cat {RECORD}").stdout
    return from_json(text, MirrorRecord, known_version=RECORD_VERSION, where="the server")


def a_medium_of(server: Guest, folder: Path) -> Disk:
    """Return the stick that `rescue media` would make on this server, but for its pages."""
    text = server.run("rescue disks --json").stdout
    machine = from_json(text, Machine, known_version=MACHINE_VERSION, where="the server")
    contents = Contents.of(machine, (record_of(server),), files={})
    assert contents.tokens
    build_image(folder / "known.img", contents)
    return stick(folder / "known.img")


def copies(disks: Iterable[Disk], folder: Path) -> list[Disk]:
    folder.mkdir()
    return [disk.copy(folder / f"{disk.serial}.qcow2") for disk in disks]
