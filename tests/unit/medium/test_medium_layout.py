"""The medium's layout and the commands that fill it, as lists."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rescue.errors import RescueError
from rescue.medium.loaders import loaders
from rescue.model.boot.firmware import GrubPlatform
from rescue.model.medium import BOOT_PART, MEDIUM_TABLE, SECTOR, image_size, live_part, table_script
from rescue.system.boot import boot_image
from rescue.units import MIB

IMAGE = Path("/tmp/image")


def test_the_boot_part_alone_is_under_32_mib() -> None:
    assert image_size((BOOT_PART,)) < 32 * MIB


def test_the_table_is_an_mbr_with_one_active_partition_for_uefi() -> None:
    assert table_script((BOOT_PART,)).splitlines() == [
        "label: dos",
        f"label-id: 0x{MEDIUM_TABLE}",
        "unit: sectors",
        "1 : start=2048, size=57344, type=ef, bootable",
    ]


@given(st.integers(min_value=1, max_value=600 * MIB))
def test_the_rescue_system_has_room_behind_the_boot_part(content: int) -> None:
    part = live_part(content)
    assert part.start == BOOT_PART.start + BOOT_PART.length
    clusters = part.length * SECTOR // part.cluster
    # Two tables of 4 bytes a cluster, 32 sectors before them, half-used clusters at the ends.
    assert part.length * SECTOR > content + 2 * 4 * clusters + 32 * SECTOR + 8 * part.cluster
    assert clusters > 65525 + 1024
    assert image_size((BOOT_PART, part)) % MIB == 0


def test_mkfs_makes_the_file_system_inside_the_image() -> None:
    assert boot_image.vfat_argv(BOOT_PART, IMAGE) == [
        *("mkfs.vfat", "--invariant", "-g", "64/32", "-F", "16", "-s", "4"),
        *("-i", BOOT_PART.volume_id, "-n", "RESCUE-BOOT", "--offset=2048", "/tmp/image", "28672"),
    ]


def test_files_are_copied_at_the_partitions_offset() -> None:
    argv = boot_image.copy_argv(BOOT_PART, IMAGE, [Path("a.mod"), Path("b.mod")], "boot/grub/")
    assert argv == ["mcopy", "-i", "/tmp/image@@1048576", "a.mod", "b.mod", "::/boot/grub/"]
    assert boot_image.folders_argv(BOOT_PART, IMAGE, ["EFI", "EFI/BOOT"]) == [
        *("mmd", "-i", "/tmp/image@@1048576", "::/EFI", "::/EFI/BOOT"),
    ]


def test_the_core_image_finds_its_modules_on_the_disk_it_was_loaded_from() -> None:
    argv = boot_image.core_argv(
        GrubPlatform.I386_PC, ["fat"], Path("core.img"), prefix="(,msdos1)/boot/grub"
    )
    assert argv == [
        *("grub-mkimage", "--format=i386-pc", "--output=core.img"),
        *("--prefix=(,msdos1)/boot/grub", "fat"),
    ]


def installed(root: Path, *, signed: bool) -> None:
    """Lay out the packages' files as Debian installs them."""
    names = ["grub/i386-pc/boot.img", "grub/i386-pc/fat.mod", "grub/x86_64-efi/fat.mod"]
    if signed:
        names += ["shim/shimx64.efi.signed", "shim/mmx64.efi.signed"]
        names += ["grub/x86_64-efi-signed/grubx64.efi.signed"]
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


@pytest.mark.parametrize("signed", [True, False])
def test_shim_and_grub_are_the_signed_ones_where_they_are_installed(
    tmp_path: Path, *, signed: bool
) -> None:
    installed(tmp_path, signed=signed)
    found = loaders(modules=tmp_path / "grub", shim=tmp_path / "shim", boot=tmp_path)
    assert found.secure_boot is signed
    assert ("EFI/debian/grub.cfg" in found.files) is signed
    if signed:
        assert found.files["EFI/BOOT/BOOTX64.EFI"].name == "shimx64.efi.signed"
        assert found.files["EFI/BOOT/grubx64.efi"].name == "grubx64.efi.signed"


def test_a_medium_for_one_kind_of_firmware_is_not_made(tmp_path: Path) -> None:
    installed(tmp_path, signed=False)
    (tmp_path / "grub/x86_64-efi/fat.mod").unlink()
    with pytest.raises(RescueError, match="x86_64-efi") as caught:
        loaders(modules=tmp_path / "grub", shim=tmp_path / "shim", boot=tmp_path)
    assert caught.value.hint == "apt install grub-efi-amd64-bin"
