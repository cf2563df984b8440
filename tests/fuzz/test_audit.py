"""The whole audit of a mirror, one of whose files is damaged: findings, and never an exception."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rescue.model.finding import Severity
from rescue.verify.audit import audit
from tests.fabricated_mirror import KERNELS, FabricatedMirror, fabricate, partuuid
from tests.fuzz.damage import damaged
from tests.fuzz.effort import FEW_TRIES
from tests.fuzz.files import GRUBENV

READ = (
    "/boot/grub/grub.cfg",
    "/boot/grub/grubenv",
    "/boot/grub/i386-pc/boot.img",
    "/boot/grub/i386-pc/core.img",
    f"/boot/vmlinuz-{KERNELS[0]}",
    f"/boot/initrd.img-{KERNELS[0]}",
    "/boot/efi/EFI/debian/grub.cfg",
    "/boot/efi/EFI/debian/grubx64.efi",
    "/boot/efi/EFI/BOOT/bootx64.efi",
    "/etc/fstab",
    "/etc/systemd/system/home.mount",
    "/var/cache/debconf/config.dat",
    "/etc/crypttab",
    "/etc/default/grub",
    "/etc/os-release",
    "/etc/passwd",
    "/etc/initramfs-tools/conf.d/resume",
    f"/usr/lib/modules/{KERNELS[0]}/modules.dep",
    "/usr/lib/systemd/systemd",
)


@pytest.fixture(scope="module")
def mirror(tmp_path_factory: pytest.TempPathFactory) -> FabricatedMirror:
    made = fabricate(tmp_path_factory.mktemp("fuzz"))
    made.edit("/boot/grub/grub.cfg", 'default="0"', 'default="${saved_entry}"')
    made.write("/boot/grub/grubenv", GRUBENV)
    made.write("/var/cache/debconf/config.dat", "Name: grub-pc/install_devices\nValue: /dev/vdb\n")
    # /home is mounted by a unit, and no line of fstab.
    made.edit("/etc/fstab", "PARTUUID=c0c0c0c0-1111", "#PARTUUID=c0c0c0c0-1111")
    unit = f"[Mount]\nWhat=/dev/disk/by-partuuid/{partuuid(5)}\nWhere=/home\n"
    made.write("/etc/systemd/system/home.mount", unit)
    return made


@contextmanager
def holding(file: Path, data: bytes) -> Iterator[None]:
    """Let a file hold this while the block runs."""
    before = file.read_bytes()
    file.write_bytes(data)
    try:
        yield
    finally:
        file.write_bytes(before)


@pytest.mark.parametrize("path", READ)
@FEW_TRIES
@given(draws=st.data())
def test_a_damaged_file(mirror: FabricatedMirror, path: str, draws: st.DataObject) -> None:
    file = mirror.tree / path.lstrip("/")
    with holding(file, draws.draw(damaged((file.read_bytes(),)))):
        audit(tree=mirror.tree, disk=mirror.disk, record=mirror.record)


@FEW_TRIES
@given(draws=st.data())
def test_a_damaged_beginning_of_the_disk(mirror: FabricatedMirror, draws: st.DataObject) -> None:
    with mirror.image.open("rb") as device:
        sector = device.read(512)
    data = draws.draw(damaged((sector,)))[:512].ljust(512, b"\0")
    mirror.poke(0, data)
    try:
        audit(tree=mirror.tree, disk=mirror.disk, record=mirror.record)
    finally:
        mirror.poke(0, sector)


def test_it_is_whole_when_nothing_is_damaged(mirror: FabricatedMirror) -> None:
    found = audit(tree=mirror.tree, disk=mirror.disk, record=mirror.record)
    assert [each for each in found if each.severity is Severity.ERROR] == []
