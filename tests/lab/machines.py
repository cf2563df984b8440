"""Machines with layers, made in guests and recorded as `rescue disks --json` sees them.

    python -m tests.lab.machines [--into FOLDER] [KIND ...]

makes every kind (or those named) anew on a Debian server of the lab and writes what tests load:
KIND.json is the machine, KIND.devices.jsonl what udev and sysfs said of its devices (in its first
line the block part of /proc/devices), and KIND.lsblk.json what lsblk says of them at the same time,
so that another program is the judge of ours.

Nothing is invented: a kind that cannot be made in a guest is not here. QEMU 7.2 has no eMMC, with
its boot areas.
"""

import argparse
import logging
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.lab.disk import Disk, DiskModel
from tests.lab.guest import Guest
from tests.lab.hardware import BIOS, Plugged
from tests.lab.layout import MIB
from tests.lab.stock import Stock
from tests.lab.variant import Variant

CHECKOUT = Path(__file__).parents[2]
RECORDED = CHECKOUT / "tests/data/machines"
SERVER = Variant(
    suite="bookworm",
    python="3.11",
    flavour="amd64",
    disk=DiskModel.VIRTIO,
    mirror=DiskModel.VIRTIO,
)
"""Debian 12 with the full kernel, which drives what the cloud's does not."""
PACKAGES = ("f2fs-tools", "multipath-tools", "thin-provisioning-tools")

LSBLK = (
    "lsblk --json --bytes --paths --output "
    "NAME,KNAME,PATH,TYPE,PKNAME,SIZE,FSTYPE,UUID,LABEL,MOUNTPOINTS,LOG-SEC,TRAN"
)
SEEN = """
import json
from pathlib import Path
from rescue.store.codec import to_line
from rescue.system.block.udev import raw_devices
print(json.dumps(Path("/proc/devices").read_text("ascii").partition("Block devices:")[2].split()))
for device in raw_devices():
    if device.attributes["size"] != "0":  # loop devices without a file
        print(to_line(device), end="")
"""
# A passphrase of nothing but a test, and the least work that LUKS lets derive a key with.
LUKS = "--batch-mode --key-file /run/key --pbkdf pbkdf2 --pbkdf-force-iterations 1000"
_LOG = logging.getLogger(__name__)


def lvm(guest: Guest) -> None:
    """Make a volume group over two disks, with a file system and swap."""
    one, two = blank(guest, "DATA0001"), blank(guest, "DATA0002")
    guest.run(f"pvcreate -qy {one} {two} && vgcreate -qy srv-vg {one} {two}")
    # More than one of them holds.
    guest.run("lvcreate -qy -L 1300M -n data srv-vg && mkfs.ext4 -qL data /dev/srv-vg/data")
    guest.run("lvcreate -qy -L 64M -n swap srv-vg && mkswap /dev/srv-vg/swap")
    guest.run("mount --mkdir /dev/srv-vg/data /srv/data && swapon /dev/srv-vg/swap")


def lvm_snapshot(guest: Guest) -> None:
    """Make a volume with a snapshot, and one mirrored by LVM."""
    one, two = blank(guest, "DATA0001"), blank(guest, "DATA0002")
    guest.run(f"vgcreate -qy vg0 {one} {two}")
    guest.run("lvcreate -qy -L 100M -n data vg0 && mkfs.ext4 -q /dev/vg0/data")
    guest.run("lvcreate -qy -s -L 32M -n before vg0/data")
    guest.run("lvcreate -qy --type raid1 -m1 -L 64M -n twice vg0")
    guest.run("mount --mkdir /dev/vg0/data /srv/data")


def thin(guest: Guest) -> None:
    """Make a thin pool, a thin volume in it, and a snapshot of that."""
    disk = blank(guest, "DATA0001")
    guest.run(f"vgcreate -qy vg0 {disk} && lvcreate -qy --type thin-pool -L 400M -n pool vg0")
    guest.run("lvcreate -qy -V 2G --thinpool pool -n data vg0 && mkfs.ext4 -q /dev/vg0/data")
    guest.run("lvcreate -qy -s -n before vg0/data && mount --mkdir /dev/vg0/data /srv/data")


def luks(guest: Guest) -> None:
    """Make LUKS 2 on a partition and LUKS 1, which is not open, on another."""
    disk = blank(guest, "DATA0001")
    guest.run(f"printf 'label: gpt\\n,500M\\n,300M\\n' | sfdisk -q {disk} && udevadm settle")
    for number, kind in ((1, "luks2"), (2, "luks1")):
        encrypt(guest, f"{disk}{number}", kind)
    guest.run(f"cryptsetup open --key-file /run/key {disk}1 vault")
    guest.run("mkfs.ext4 -q /dev/mapper/vault && mount --mkdir /dev/mapper/vault /srv/vault")


def lvm_on_luks(guest: Guest) -> None:
    """Make what Debian's installer makes of "encrypted LVM"."""
    disk = blank(guest, "DATA0001")
    guest.run(f"printf 'label: gpt\\n' | sfdisk -q {disk}")
    guest.run(f"printf ',200M\\n,\\n' | sfdisk -q --append {disk} && udevadm settle")
    encrypt(guest, f"{disk}2", "luks2")
    guest.run(f"mkfs.ext2 -q {disk}1 && cryptsetup open --key-file /run/key {disk}2 vdb2_crypt")
    guest.run("pvcreate -qy /dev/mapper/vdb2_crypt && vgcreate -qy host-vg /dev/mapper/vdb2_crypt")
    guest.run("lvcreate -qy -L 400M -n root host-vg && mkfs.ext4 -q /dev/host-vg/root")
    guest.run("lvcreate -qy -L 100M -n swap_1 host-vg && mkswap /dev/host-vg/swap_1")
    guest.run("mount --mkdir /dev/host-vg/root /srv/root && swapon /dev/host-vg/swap_1")


def md1(guest: Guest) -> None:
    """Make a mirrored array of partitions, and one of the old metadata with partitions in it."""
    disks = [blank(guest, f"DATA000{number}") for number in (1, 2)]
    for disk in disks:
        guest.run(f"printf 'label: gpt\\n,400M\\n,400M\\n' | sfdisk -q {disk}")
    guest.run("udevadm settle")
    array(guest, "/dev/md0", 1, *(f"{disk}1" for disk in disks))
    array(guest, "/dev/md1", 1, *(f"{disk}2" for disk in disks), more="--metadata=1.0")
    guest.run("mkfs.xfs -q /dev/md0 && mount --mkdir /dev/md0 /srv/array")
    guest.run("printf 'label: gpt\\n,100M\\n' | sfdisk -q /dev/md1 && udevadm settle")
    guest.run("mkfs.ext4 -q /dev/md1p1 && mount --mkdir /dev/md1p1 /srv/inside")


def md10(guest: Guest) -> None:
    """Make an array of four whole disks, with LVM on it."""
    disks = [blank(guest, f"DATA000{number}") for number in (1, 2, 3, 4)]
    array(guest, "/dev/md0", 10, *disks)
    guest.run("pvcreate -qy /dev/md0 && vgcreate -qy vg0 /dev/md0")
    guest.run("lvcreate -qy -L 300M -n data vg0 && mkfs.ext4 -q /dev/vg0/data")
    guest.run("mount --mkdir /dev/vg0/data /srv/data")


def btrfs(guest: Guest) -> None:
    """Make a btrfs with subvolumes as Ubuntu's installer and snapper make them."""
    disk = blank(guest, "DATA0001")
    guest.run(f"printf 'label: gpt\\n,\\n' | sfdisk -q {disk} && udevadm settle")
    guest.run(
        f"mkfs.btrfs -q -L pool {disk}1 && mount --mkdir {disk}1 /mnt/top && cd /mnt/top && "
        "for name in @ @home @/nested; do btrfs -q subvolume create $name; done && "
        "mkdir @/.snapshots && btrfs -q subvolume snapshot -r @ @/.snapshots/1 && "
        "cd / && umount /mnt/top"
    )
    guest.run(
        f"mount --mkdir -o subvol=@ {disk}1 /srv/at && "
        f"mount --mkdir -o subvol=@home,compress=zstd {disk}1 /srv/home"
    )


def btrfs_two(guest: Guest) -> None:
    """Make a btrfs over two whole disks."""
    one, two = blank(guest, "DATA0001"), blank(guest, "DATA0002")
    guest.run(f"mkfs.btrfs -q -d raid1 -m raid1 {one} {two} && mount --mkdir {one} /srv/data")


def multipath(guest: Guest) -> None:
    """Make a disk that is reached by two paths, with a partition on it."""
    disk = Disk.blank(guest.directory / "paths.qcow2", size=1024 * MIB, serial="PATHS001")
    node = Plugged(disk, 0)
    guest.qmp.execute("blockdev-add", **node.blockdev())
    guest.qmp.add_device({"driver": "virtio-scsi-pci", "id": "scsi", "bus": "port4"})
    for number in (0, 1):
        path = {"driver": "scsi-hd", "id": f"path{number}", "bus": "scsi.0", "lun": number}
        path |= {"drive": node.name, "serial": disk.serial, "wwn": 0x5000C50015EA71AC}
        guest.qmp.add_device({**path, "share-rw": True})
    guest.run("until [ $(lsblk -dno SERIAL | grep -c PATHS001) = 2 ]; do sleep 0.2; done")
    guest.run(
        "printf 'defaults {\\n find_multipaths no\\n user_friendly_names yes\\n}\\n"
        'blacklist {\\n devnode "^vd"\\n}\\n\' > /etc/multipath.conf'
    )
    guest.run("systemctl restart multipathd && multipath && udevadm settle")
    guest.run("until [ -e /dev/mapper/mpatha ]; do sleep 0.2; done")
    guest.run(
        "printf 'label: gpt\\n,\\n' | sfdisk -q /dev/mapper/mpatha && "
        "partprobe /dev/mapper/mpatha; kpartx -a /dev/mapper/mpatha; udevadm settle"
    )
    guest.run("ls /dev/mapper/mpatha?*1 && mkfs.ext4 -q /dev/mapper/mpatha?*1")
    guest.run("mount --mkdir /dev/mapper/mpatha?*1 /srv/paths")


def nvme(guest: Guest) -> None:
    """Plug in an NVMe disk with an ESP and LVM."""
    disk = blank(guest, "NVME0001", model=DiskModel.NVME)
    guest.run(f"printf 'label: gpt\\n,100M,U\\n,\\n' | sfdisk -q {disk} && udevadm settle")
    guest.run(f"mkfs.vfat {disk}p1 && pvcreate -qy {disk}p2 && vgcreate -qy fast {disk}p2")
    guest.run(
        "lvcreate -qy -L 400M -n db fast && mkfs.xfs -q /dev/fast/db && "
        "mount --mkdir /dev/fast/db /srv/db"
    )


def sectors_4096(guest: Guest) -> None:
    """Plug in a disk with sectors of 4096 bytes, with LUKS on it."""
    disk = blank(guest, "BIG00001", sector_size=4096)
    guest.run(f"printf 'label: gpt\\n,300M\\n,300M\\n' | sfdisk -q {disk} && udevadm settle")
    encrypt(guest, f"{disk}1", "luks2")
    guest.run(f"cryptsetup open --key-file /run/key {disk}1 big && mkfs.ext4 -q /dev/mapper/big")
    guest.run(f"mount --mkdir /dev/mapper/big /srv/big && mkswap {disk}2 && swapon {disk}2")


def two_disks(guest: Guest) -> None:
    """Put data on a second disk, as fstab has it, and a bare disk beside it."""
    disk = blank(guest, "DATA0001")
    guest.qmp.add_device({"driver": "qemu-xhci", "id": "usb", "bus": "port5"})
    blank(guest, "BARE0001", model=DiskModel.USB)
    guest.run(f"printf 'label: dos\\n,600M\\n,\\n' | sfdisk -q {disk} && udevadm settle")
    guest.run(f"mkfs.ext4 -qL data {disk}1 && mkfs.xfs -q {disk}2")
    guest.run(
        "echo 'LABEL=data /srv/data ext4 defaults 0 2' >> /etc/fstab && "
        f"systemctl daemon-reload && mount --mkdir LABEL=data /srv/data && "
        f"mount --mkdir {disk}2 /srv/more"
    )


def whole_disks(guest: Guest) -> None:
    """Put file systems on whole disks, without a table."""
    one, two, three = (blank(guest, f"DATA000{number}") for number in (1, 2, 3))
    guest.run(f"mkfs.ext4 -qF -L whole {one} && mkfs.f2fs -q -l flash {two} && mkswap {three}")
    guest.run(f"mount --mkdir {one} /srv/whole && mount --mkdir {two} /srv/flash && swapon {three}")


def zram(guest: Guest) -> None:
    """Swap to compressed memory, and mount an image file."""
    guest.run(
        "modprobe zram num_devices=1 && echo 256M > /sys/block/zram0/disksize && "
        "mkswap /dev/zram0 && swapon -p 100 /dev/zram0"
    )
    guest.run(
        "truncate -s 64M /srv/image.ext4 && mkfs.ext4 -q /srv/image.ext4 && "
        "mount --mkdir -o loop /srv/image.ext4 /srv/image"
    )


KINDS: dict[str, Callable[[Guest], None]] = {
    "two-disks": two_disks,
    "nvme": nvme,
    "lvm": lvm,
    "lvm-snapshot": lvm_snapshot,
    "thin-pool": thin,
    "luks": luks,
    "lvm-on-luks": lvm_on_luks,
    "md-raid1": md1,
    "md-raid10": md10,
    "btrfs-subvolumes": btrfs,
    "btrfs-over-two": btrfs_two,
    "multipath": multipath,
    "4096-byte-sectors": sectors_4096,
    "whole-disks": whole_disks,
    "zram": zram,
}


def blank(
    guest: Guest, serial: str, *, model: DiskModel = DiskModel.VIRTIO, sector_size: int = 512
) -> str:
    """Plug in a bare disk of 1 GiB; return its path in the guest."""
    path = guest.directory / f"blank-{serial}.qcow2"
    made = Disk.blank(path, size=1024 * MIB, serial=serial)
    guest.attach(made.attached_as(model, sector_size=sector_size))
    return guest.device(serial)


def encrypt(guest: Guest, device: str, kind: str) -> None:
    """Make LUKS of a kind on a device; the key lies in /run/key."""
    guest.run("printf test > /run/key")
    guest.run(f"cryptsetup luksFormat --type {kind} {LUKS} {device}")


def array(guest: Guest, path: str, level: int, *members: str, more: str = "") -> None:
    """Make an md array, and wait until all its members are alike."""
    guest.run(
        f"mdadm --create {path} --run --quiet --level={level} {more} "
        f"--raid-devices={len(members)} --assume-clean {' '.join(members)}"
    )
    guest.run("udevadm settle")


@contextmanager
def made(stock: Stock, kind: str, directory: Path) -> Iterator[Guest]:
    """Give a running server with `rescue` that has what a kind stands for."""
    with stock.installed("gpt", BIOS, SERVER).thaw(directory) as guest:
        KINDS[kind](guest)
        guest.run("udevadm settle && sync")
        yield guest


def record(guest: Guest, into: Path, kind: str) -> None:
    """Write what `rescue` and lsblk say of a guest."""
    into.mkdir(parents=True, exist_ok=True)
    (into / f"{kind}.json").write_text(guest.run("rescue disks --json").stdout)
    said = guest.run("python3 -", input_=SEEN.encode()).stdout
    (into / f"{kind}.devices.jsonl").write_text(said)
    (into / f"{kind}.lsblk.json").write_text(guest.run(LSBLK).stdout)


def main() -> None:
    """Record the kinds that are asked for."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--into", type=Path, default=RECORDED)
    asked.add_argument("kinds", nargs="*", choices=[[], *KINDS], metavar="KIND")
    options = asked.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    with tempfile.TemporaryDirectory() as folder:
        stock = Stock(checkout=CHECKOUT, directory=Path(folder) / "stock", packages=PACKAGES)
        for kind in options.kinds or KINDS:
            _LOG.info("%s", kind)
            with made(stock, kind, Path(folder) / kind) as guest:
                record(guest, options.into, kind)


if __name__ == "__main__":
    main()
