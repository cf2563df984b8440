"""Servers with layers between partitions and file systems: a plain one, installed anew by itself.

The kernel of whoever builds them may have no device-mapper, so a guest makes the layers.
"""

import hashlib
import shlex
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.lab.build import SERIAL
from tests.lab.disk import Disk, DiskModel
from tests.lab.guest import PASSPHRASE, Guest
from tests.lab.hardware import Hardware, Plugged

BASE = "PLAIN001"
"""Serial number of the plain server's disk while it installs the other."""
SECOND = "SOURCE02"
"""Serial number of a server's second disk, where it is installed on two."""


@dataclass(frozen=True)
class Layered:
    """A layout that a script makes on bare disks, given their paths and `arguments`.

    `packages` are what such a server has beside those of every server; `serials` are its disks.
    """

    name: str
    packages: tuple[str, ...] = ()
    script: str = "install.sh"
    arguments: tuple[str, ...] = ()
    serials: tuple[str, ...] = (SERIAL,)

    @property
    def script_path(self) -> Path:
        """The script that installs it."""
        return Path(__file__).with_name(self.script)

    @property
    def script_hash(self) -> str:
        """What names the state of the script in the cache."""
        return hashlib.sha256(self.script_path.read_bytes()).hexdigest()[:8]


LVM = Layered("lvm", arguments=("lvm", PASSPHRASE))
"""BIOS boot, ESP and /boot on partitions; root (ext4), home (XFS) and swap in the group vg0."""

LVM_LUKS = Layered("lvm-luks", ("cryptsetup-initramfs",), arguments=("lvm-luks", PASSPHRASE))
"""The same group inside LUKS 2, opened as sda3_crypt by a passphrase that the lab types."""

MD1 = Layered("md1", script="install-md.sh", serials=(SERIAL, SECOND))
"""ESP (metadata 1.0), /boot, root (ext4), home (XFS; all 1.2) and swap (0.90), each on RAID 1 over
the partitions of two disks; a BIOS boot partition and GRUB on both."""

LAYERED = {each.name: each for each in (LVM, LVM_LUKS, MD1)}


def disks_of(image: Path, layered: Layered) -> tuple[Path, ...]:
    """Return the files of a server's disks, given the first one's."""
    rest = (image.with_name(f"{image.stem}-{serial}.qcow2") for serial in layered.serials[1:])
    return (image, *rest)


def make_disks(
    layered: Layered, plain: Path, model: DiskModel, *, key: Path, work: Path, target: Path
) -> None:
    """Start the plain server with bare disks beside its own, fill those, and keep them as qcow2.

    `target` is the first one's file; it is there when all are.
    """
    base = Disk.overlay(plain, work / "plain.qcow2", serial=BASE).attached_as(model)
    bare = [
        Disk.blank(work / f"{serial}.qcow2", size=base.size, serial=serial).attached_as(model)
        for serial in layered.serials
    ]
    plugged = [Plugged(base, 0, 0), *(Plugged(disk, 1 + port) for port, disk in enumerate(bare))]
    with Guest(Hardware(), plugged, key=key, directory=work / "guest") as guest:
        guest.wait_for_ssh()
        guest.put(layered.script_path, "/run/install.sh")
        devices = [guest.device(serial) for serial in layered.serials]
        guest.run(f"sh /run/install.sh {shlex.join([*devices, *layered.arguments])}")
        guest.poweroff()
    for disk, path in reversed([*zip(bare, disks_of(target, layered), strict=True)]):
        unfinished = work / "finished.qcow2"
        argv = ["qemu-img", "convert", "-O", "qcow2", str(disk.path), str(unfinished)]
        subprocess.run(argv, check=True)
        unfinished.chmod(0o444)
        unfinished.rename(path)
