"""A mirror broken on purpose: in a copy of its disk, each way a disk can fail to boot."""

import os
import re
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory

from rescue.model.boot.firmware import Firmware
from rescue.model.proof import ProofPlan
from rescue.model.storage.disk import PartitionTable
from rescue.proof.inject import span_of
from rescue.proof.proof import ProofRun, prove
from rescue.system.block.overlay import Overlay, exported, partition_argv
from rescue.system.block.read_table import read_table
from rescue.system.files import mount_namespace
from rescue.system.vm.accelerator import Accelerator
from tests.lab.accel import asked

STRANGE = "deadbeef-0000-4000-8000-00000000dead"
_ESP_TYPE = "C12A7328-F81F-11D2-BA4B-00A0C93EC93B"


@dataclass(frozen=True, kw_only=True)
class Opened:
    """A copy of a mirror that can be written to: its file systems, and the disk as a file."""

    root: Path
    boot: Path
    image: Path
    table: PartitionTable
    plan: ProofPlan

    def esp(self) -> str:
        """Return the EFI system partition as mtools names it."""
        part = next(each for each in self.table.partitions if each.type == _ESP_TYPE)
        return f"{self.image}@@{part.start * 512}"

    def overwrite(self, start: int, length: int) -> None:
        """Write zeros over a part of the disk, in bytes."""
        with self.image.open("r+b") as disk:
            disk.seek(start)
            disk.write(bytes(length))


def wrong_uuid_in_fstab(mirror: Opened) -> None:
    """/home's UUID is nobody's."""
    fstab = mirror.root / "etc/fstab"
    home = next(p for p in mirror.plan.record.filesystems if p.mount_point == "/home")
    fstab.write_text(fstab.read_text().replace(home.mirror_uuid, STRANGE))


def wrong_uuid_in_grub_cfg(mirror: Opened) -> None:
    """The root that the kernel is told of is nobody's."""
    _replace(mirror.boot / "grub/grub.cfg", mirror.plan.record.root.mirror_uuid, STRANGE)


def wrong_resume_device(mirror: Opened) -> None:
    """The kernel is told to wake from a device that is not there."""
    menu = mirror.boot / "grub/grub.cfg"
    text = re.sub(r"resume=UUID=\S+", "", menu.read_text())
    menu.write_text(re.sub(r"(^\s*linux\s.*)$", rf"\1 resume=UUID={STRANGE}", text, flags=re.M))


def missing_kernel(mirror: Opened) -> None:
    """The kernels are gone, their entries are there."""
    for kernel in mirror.boot.glob("vmlinuz-*"):
        kernel.unlink()


def truncated_initramfs(mirror: Opened) -> None:
    """Half of each initramfs is missing."""
    for image in mirror.boot.glob("initrd.img-*"):
        os.truncate(image, image.stat().st_size // 2)


def wiped_boot_sector(mirror: Opened) -> None:
    """The first sector's code is gone; the table is there."""
    mirror.overwrite(0, 440)


def wiped_first_sector(mirror: Opened) -> None:
    """The whole first sector is gone."""
    mirror.overwrite(0, 512)


def wiped_esp(mirror: Opened) -> None:
    """The EFI system partition holds no file system any more."""
    part = next(each for each in mirror.table.partitions if each.type == _ESP_TYPE)
    mirror.overwrite(part.start * 512, 1024 * 1024)


def wrong_uuid_in_esp_stub(mirror: Opened) -> None:
    """The ESP's own grub.cfg looks for a file system that is nobody's."""
    names = subprocess.run(
        ["mdir", "-i", mirror.esp(), "-b", "-/", "::/EFI"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    found = [name for name in names.split() if name.lower().endswith("grub.cfg")]
    assert found, names
    for name in found:
        read = subprocess.run(["mtype", "-i", mirror.esp(), name], capture_output=True, check=True)
        text = re.sub(rb"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", STRANGE.encode(), read.stdout)
        with TemporaryDirectory() as directory:
            new = Path(directory) / "grub.cfg"
            new.write_bytes(text)
            subprocess.run(["mcopy", "-o", "-i", mirror.esp(), str(new), name], check=True)


def missing_libc(mirror: Opened) -> None:
    """No program starts any more."""
    for library in (mirror.root / "usr/lib/x86_64-linux-gnu").glob("libc.so*"):
        library.unlink()


def broken_init(mirror: Opened) -> None:
    """What the kernel starts first is no program."""
    (mirror.root / "usr/lib/systemd/systemd").write_bytes(b"this is no program\n")


def stale_crypttab(mirror: Opened) -> None:
    """A volume is to be opened whose disk is not there."""
    (mirror.root / "etc/crypttab").write_text(f"old-data UUID={STRANGE} none luks\n")


def full_root(mirror: Opened) -> None:
    """Not one block is left, for nobody."""
    size = 1 << 28
    while size >= 4096:
        name = mirror.root / f"var/full-{size}"
        done = subprocess.run(["fallocate", "-l", str(size), str(name)], capture_output=True)
        if done.returncode != 0 or not name.exists():
            name.unlink(missing_ok=True)
            size //= 2
        else:
            name.rename(name.with_name(f"full-{size}-{os.urandom(4).hex()}"))


def root_without_rights(mirror: Opened) -> None:
    """Nobody but root may enter /."""
    mirror.root.chmod(0o700)


def _replace(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def broken_copy(plan: ProofPlan, how: Callable[[Opened], None], target: Path) -> Path:
    """Make a copy of the plan's disk, broken in one way."""
    argv = ["qemu-img", "create", "-q", "-f", "qcow2", "-b", plan.disk, "-F", "qcow2", str(target)]
    subprocess.run(argv, check=True)
    with get_context("fork").Pool(1) as process:
        process.apply(_break, (plan, how, target))
    return target


def proven(plan: ProofPlan, firmware: Firmware, directory: Path) -> ProofRun:
    """Prove a mirror in a process of its own: there is no way back out of a mount namespace."""
    with get_context("fork").Pool(1) as process:
        found: ProofRun = process.apply(_prove, (plan, firmware, directory))
    return found


def _prove(plan: ProofPlan, firmware: Firmware, directory: Path) -> ProofRun:
    return prove(plan, firmware, Accelerator(asked()), place=directory)


def _break(plan: ProofPlan, how: Callable[[Opened], None], target: Path) -> None:
    pairs = {pair.mount_point: pair for pair in plan.record.filesystems}
    with (
        TemporaryDirectory() as directory,
        mount_namespace.vanishing_folder(Path(directory), size="8m") as room,
        exported(Overlay(path=str(target)), room) as image,
    ):
        table = read_table(str(image))
        places = {"/": room / "root", "/boot": room / "boot"}
        for point, place in places.items():
            place.mkdir()
            pair = pairs[point]
            mount_namespace.mount(
                partition_argv(image, span_of(table, pair), pair.kind.value, place)
            )
        opened = Opened(root=places["/"], boot=places["/boot"], image=image, table=table, plan=plan)
        how(opened)
        for place in places.values():
            mount_namespace.unmount_all(place)
