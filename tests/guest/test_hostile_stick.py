"""Sticks that mean harm: one that passes for the mirror, and one whose every file is a trap."""

import re
from dataclasses import replace

import pytest

from tests.lab.disk import Disk
from tests.lab.guest import Guest
from tests.lab.lab import Lab
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
        assert "looks like mirror 'MIRROR01' and does not know its secret" in said
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
