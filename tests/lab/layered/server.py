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

SCRIPT = Path(__file__).with_name("install.sh")
BASE = "PLAIN001"
"""Serial number of the plain server's disk while it installs the other."""


@dataclass(frozen=True)
class Layered:
    """A layout of `install.sh`, and the packages it needs beside those of every server."""

    name: str
    packages: tuple[str, ...] = ()


LVM = Layered("lvm")
"""BIOS boot, ESP and /boot on partitions; root (ext4), home (XFS) and swap in the group vg0."""

LVM_LUKS = Layered("lvm-luks", ("cryptsetup-initramfs",))
"""The same group inside LUKS 2, opened as sda3_crypt by a passphrase that the lab types."""

LAYERED = {each.name: each for each in (LVM, LVM_LUKS)}


def script_hash() -> str:
    """Return what names the state of the script in the cache."""
    return hashlib.sha256(SCRIPT.read_bytes()).hexdigest()[:8]


def make_disk(
    layered: Layered, plain: Path, model: DiskModel, *, key: Path, work: Path, target: Path
) -> None:
    """Start the plain server with a bare disk beside its own, fill that, and keep it as qcow2."""
    base = Disk.overlay(plain, work / "plain.qcow2", serial=BASE).attached_as(model)
    bare = Disk.blank(work / "layered.qcow2", size=base.size, serial=SERIAL).attached_as(model)
    plugged = [Plugged(base, 0, 0), Plugged(bare, 1)]
    with Guest(Hardware(), plugged, key=key, directory=work / "guest") as guest:
        guest.wait_for_ssh()
        guest.put(SCRIPT, "/run/install.sh")
        asked = shlex.join([guest.device(SERIAL), layered.name, PASSPHRASE])
        guest.run(f"sh /run/install.sh {asked}")
        guest.poweroff()
    unfinished = work / "finished.qcow2"
    argv = ["qemu-img", "convert", "-O", "qcow2", str(bare.path), str(unfinished)]
    subprocess.run(argv, check=True)
    unfinished.chmod(0o444)
    unfinished.rename(target)
