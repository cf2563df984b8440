"""The main job: from a bare second disk to a mirror that boots when the first disk is gone."""

import json

import pytest

from tests.lab.disk import Disk, partition
from tests.lab.guest import Guest
from tests.lab.hardware import BIOS, UEFI, Firmware
from tests.lab.lab import VOLATILE, Lab, tree
from tests.lab.layout import LAYOUTS, Content
from tests.lab.manifest import differences
from tests.lab.stock import MIRROR
from tests.lab.variant import BOOKWORM, BOOKWORM_SATA, TRIXIE_NVME, Variant

OWN = (
    *VOLATILE,
    ".rescue*",
    "run/*",
    "boot/grub/i386-pc*",
    "grub/i386-pc*",
    "grub/x86_64-efi*",
    "grub/fonts*",
    "grub/grub.cfg",
    "initrd.img-*",
    "EFI*",
    "etc/fstab",
    "etc/initramfs-tools/conf.d/resume",
    "etc/systemd/system/rescue-booted.service",
    "etc/systemd/system/multi-user.target.wants/rescue-booted.service",
    "etc/default/grub",
    "var/cache/debconf/config.dat*",
    "var/lib/rescue/*",
)
"""What is the mirror's own, or written by the run itself on the source."""


@pytest.mark.parametrize(
    ("variant", "layout", "firmware", "new_kernel"),
    [
        (BOOKWORM, "gpt", BIOS, False),
        pytest.param(BOOKWORM, "gpt", UEFI, False, marks=pytest.mark.long),
        pytest.param(BOOKWORM, "mbr", BIOS, True, marks=pytest.mark.long),
        pytest.param(BOOKWORM_SATA, "gpt", BIOS, False, marks=pytest.mark.long),
        pytest.param(TRIXIE_NVME, "gpt", BIOS, False, marks=pytest.mark.long),
        pytest.param(TRIXIE_NVME, "gpt", UEFI, False, marks=pytest.mark.long),
    ],
)
def test_a_bare_disk_becomes_a_mirror_that_boots_alone(
    lab: Lab, variant: Variant, layout: str, firmware: Firmware, new_kernel: bool
) -> None:
    with lab.prepared_server(layout, firmware=firmware, variant=variant) as server:
        mirror = server.disk(MIRROR)
        old, fresh = server.device("SOURCE01"), server.device(MIRROR)
        assert table(server, fresh) == table(server, old)
        assert identifiers(server, fresh).isdisjoint(identifiers(server, old))

        if variant is TRIXIE_NVME:
            each_disk_is_shown_by_the_name_that_is_typed(server)

        a_day_passes(server)
        if new_kernel:
            server.run("dpkg --install /var/cache/rescue-lab/linux-image-*.deb")
        said = server.run("rescue mirror").stdout
        assert "generation 2, audit passed" in said
        if (layout, firmware) == ("gpt", BIOS):
            assert unequal(server, layout) == []
        source = server.disk("SOURCE01")
        newest = server.run("ls /boot/vmlinuz-* | sort --version-sort | tail -n 1").stdout.strip()
        server.poweroff()

    with lab.machine([mirror], firmware=firmware) as machine:
        machine.wait_for_ssh()
        assert machine.failed_units() == []
        assert machine.run("uname -r").stdout.strip() == newest.removeprefix("/boot/vmlinuz-")
        device = machine.device(MIRROR)
        assert machine.mounts() == mounts_of(layout, device)
        swaps = machine.run("swapon --show=NAME --noheadings").stdout.split()
        assert swaps == [swap_of(layout, device)]
        assert machine.run("cat /home/anna/Maildir/new/today").stdout == "mail of today\n"
        assert machine.run("ls /home/bela/Maildir/cur", check=False).stdout == ""
        assert "mirror" in machine.run("rescue mirror", check=False).expect(10).stderr
        machine.poweroff()

    if (layout, firmware) == ("gpt", BIOS):
        boots_beside_the_dead_disk(lab, mirror, source)


def boots_beside_the_dead_disk(lab: Lab, mirror: Disk, source: Disk) -> None:
    """By the other firmware: every mirror boots by both, whatever its server was started by."""
    before = source.digest()
    with lab.machine([mirror, source], firmware=UEFI) as machine:
        machine.wait_for_ssh()
        assert machine.failed_units() == []
        assert machine.mounts() == mounts_of("gpt", machine.device(MIRROR))
        machine.run("rescue mirror", check=False).expect(10)
        machine.poweroff()
    assert source.digest() == before


def each_disk_is_shown_by_the_name_that_is_typed(server: Guest) -> None:
    """An NVMe disk has half a dozen names below by-id: they are for `--long`."""
    shown = server.run("COLUMNS=300 rescue disks").stdout
    long = server.run("COLUMNS=300 rescue disks --long").stdout
    for serial in ("SOURCE01", MIRROR):
        find = f"find -L /dev/disk/by-id -samefile {server.device(serial)} -printf '%f\\n'"
        names = server.run(find).stdout.split()
        assert serial in shown
        assert any(serial in name for name in names)
        assert [name for name in names if name in shown] == []
        assert [name for name in names if name not in long] == []


def a_day_passes(server: Guest) -> None:
    server.run("echo 'mail of today' > /home/anna/Maildir/new/today")
    server.run("rm --recursive /home/bela/Maildir/cur && mkdir /home/bela/Maildir/cur")
    server.run("chown bela: /home/bela/Maildir/cur")
    server.run("mv /srv/odd/links/a/one /srv/odd/links/a/uno")
    server.run("chmod 640 /etc/hosts && setfattr --name user.seen --value yes /etc/hosts")


def table(server: Guest, device: str) -> list[dict[str, object]]:
    """Return the partition table as sfdisk reads it, without what must differ."""
    shown = json.loads(server.run(f"sfdisk --json {device}").stdout)["partitiontable"]
    kept = [
        {k: v for k, v in part.items() if k not in ("node", "uuid")} for part in shown["partitions"]
    ]
    return [{"label": shown["label"], "sectorsize": shown["sectorsize"]}, *kept]


def identifiers(server: Guest, device: str) -> set[str]:
    """Return every identifier that libblkid sees on a disk and its partitions."""
    shown = server.run(f"blkid --probe --output export {device} {device}?*").stdout
    words = ("UUID", "PTUUID", "PART_ENTRY_UUID", "LABEL")
    found = (line.partition("=") for line in shown.splitlines())
    return {value for name, _, value in found if name in words}


def unequal(server: Guest, layout: str) -> list[str]:
    """Return the differences between source and mirror, judged without rsync."""
    found = []
    for part in LAYOUTS[layout].partitions:
        if part.mount_point:
            left = tree(server, part.mount_point)
            right = tree(server, partition(server.device(MIRROR), part.number))
            assert len(left) > 1
            # On vfat they are what the mount options say, and times are kept by two seconds.
            skipped = ("mode", "mtime_ns") if part.content is Content.VFAT else ()
            found += differences(left, right, ignore=OWN, ignore_fields=skipped)
    return found


def mounts_of(layout: str, device: str) -> dict[str, str]:
    """Return what is mounted where on a machine that runs from this disk."""
    parts = [part for part in LAYOUTS[layout].partitions if part.mount_point]
    return {part.mount_point: partition(device, part.number) for part in parts}


def swap_of(layout: str, device: str) -> str:
    number = next(part.number for part in LAYOUTS[layout].partitions if part.role == "swap")
    return partition(device, number)
