"""The probe laid into a mirror whose files are links to this machine's own: none is followed."""

import os
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from rescue.model.boot.firmware import Firmware
from rescue.model.mirror.record import FilesystemPair
from rescue.model.proof import ProofPlan, ProofSettings
from rescue.model.storage.filesystem import FsKind
from rescue.model.storage.identity import DiskId
from rescue.model.storage.place import OnPartition
from rescue.model.virtual import DiskBus
from rescue.proof.inject import inject
from rescue.system.files.mount_namespace import vanishing_folder
from rescue.units import MIB
from tests.builders import enrolled
from tests.image.loopdisks import in_child, sh

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root: loop devices and mounts"),
]

MENU = "linux /vmlinuz root=UUID=1 ro quiet\n"
HEARD = "linux /vmlinuz root=UUID=1 ro quiet console=tty0 console=ttyS0\n"
ROOT = FilesystemPair(
    mount_point="/",
    kind=FsKind.EXT4,
    place=OnPartition(number=1),
    source_uuid="s",
    mirror_uuid="m",
    mirror_partuuid="p",
)
PLAN = ProofPlan(
    record=replace(enrolled().record, filesystems=(ROOT,)),
    disk="/dev/mirror",
    shown=DiskId(),
    firmwares=(Firmware.BIOS,),
    bus=DiskBus.VIRTIO,
    homes=(),
    settings=ProofSettings(),
)


def disk(folder: Path, fill: Callable[[Path], object]) -> Path:
    """Make a disk in a file with one partition, whose root has what `fill` puts there."""
    root, image = folder / "root", folder / "disk.raw"
    for name in ("boot/grub", "etc/systemd/system"):
        (root / name).mkdir(parents=True)
    fill(root)
    with image.open("wb") as file:
        file.truncate(34 * MIB)
    subprocess.run(
        ["sfdisk", "--quiet", str(image)], input=b"label: dos\n2048,65536,83\n", check=True
    )
    sh("mke2fs", "-q", "-t", "ext4", "-d", str(root), "-E", f"offset={MIB}", str(image), "32m")
    return image


def injected(image: Path, folder: Path) -> tuple[str, str]:
    """Lay the probe in; return what stands against it, and the menu that GRUB would read."""

    def action() -> str:
        with vanishing_folder(folder / "room", size="8m") as room:
            return inject(PLAN, image, room)

    said = str(in_child(action))
    menu = sh("debugfs", "-R", "cat /boot/grub/grub.cfg", f"{image}?offset={MIB}")
    return said, menu


def test_the_menu_of_the_overlay_is_changed(tmp_path: Path) -> None:
    image = disk(tmp_path, lambda root: (root / "boot/grub/grub.cfg").write_text(MENU))
    assert injected(image, tmp_path) == ("", HEARD)


def test_a_menu_that_is_a_link_is_changed_where_grub_finds_it(tmp_path: Path) -> None:
    def fill(root: Path) -> None:
        (root / "boot/real.cfg").write_text(MENU)
        (root / "boot/grub/grub.cfg").symlink_to("/boot/real.cfg")

    image = disk(tmp_path, fill)
    said, _ = injected(image, tmp_path)
    assert said == ""
    assert sh("debugfs", "-R", "cat /boot/real.cfg", f"{image}?offset={MIB}") == HEARD


@pytest.mark.parametrize("up", ["", "/".join([".."] * 30)])
def test_a_link_to_a_file_of_this_machine_changes_nothing_there(tmp_path: Path, up: str) -> None:
    victim = tmp_path / "victim.cfg"
    victim.write_text(MENU)
    image = disk(tmp_path, lambda root: (root / "boot/grub/grub.cfg").symlink_to(f"{up}{victim}"))
    assert injected(image, tmp_path)[0] == ""
    assert victim.read_text() == MENU


@pytest.mark.parametrize("place", ["etc/systemd/system", "etc/systemd", ".rescue"])
def test_a_folder_that_is_a_link_to_this_machine_is_said(tmp_path: Path, place: str) -> None:
    victim = tmp_path / "victim"
    victim.mkdir()

    def fill(root: Path) -> None:
        if (root / place).exists():
            (root / "etc/systemd/system").rmdir()
            if place == "etc/systemd":
                (root / place).rmdir()
        (root / place).symlink_to(victim)

    image = disk(tmp_path, fill)
    assert "is a link" in injected(image, tmp_path)[0]
    assert list(victim.iterdir()) == []


def test_a_menu_that_waits_is_left_alone(tmp_path: Path) -> None:
    image = disk(tmp_path, lambda root: os.mkfifo(root / "boot/grub/grub.cfg"))
    assert injected(image, tmp_path)[0] == ""
