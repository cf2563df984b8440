"""What the boot reads as bytes: GRUB's images, kernels, programs, initramfs however packed."""

import contextlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rescue.model.boot.firmware import GrubPlatform
from rescue.system.boot.initramfs import InitramfsError, members
from rescue.system.process.run import CommandError
from rescue.verify import grubimage
from rescue.verify.essentials import interpreter
from rescue.verify.kernel import parse_bzimage
from tests.fabricated_mirror import boot_image, bzimage, elf
from tests.fuzz.damage import damaged
from tests.fuzz.effort import FEW_TRIES, TRIES
from tests.fuzz.specimens import MICROCODE, PACKERS, PLAIN, VERSION, grub_images, initramfs

GRUB = tuple(image for images in grub_images().values() for image in images)


def test_what_grub_itself_made_is_read() -> None:
    for image in grub_images()[GrubPlatform.I386_PC]:
        assert grubimage.embedded_in_core(image).prefix == "(,gpt3)/grub"
    for image in grub_images()[GrubPlatform.X86_64_EFI]:
        assert grubimage.embedded_in_efi(image) is not None


@TRIES
@given(image=damaged(GRUB), disk=st.one_of(damaged((boot_image(), *GRUB)), st.binary()))
def test_images_of_grub(image: bytes, disk: bytes) -> None:
    with contextlib.suppress(ValueError):
        grubimage.embedded_in_core(image)
    grubimage.embedded_in_efi(image)
    grubimage.is_pe(image)
    grubimage.is_shim(image)

    def sectors(start: int, count: int) -> bytes:
        return disk[start * 512 : (start + count) * 512]

    core = grubimage.read_core(sectors, 0, size=len(image))
    assert len(core) < len(image) + 2 * 512
    grubimage.same_core(core, image)
    if grubimage.is_boot_sector(disk[:512]):
        grubimage.kernel_sector(disk[:512])
    grubimage.same_boot_code(disk[:512], image[:512])


@TRIES
@given(damaged((bzimage(VERSION), elf("/lib64/ld-linux-x86-64.so.2"), *GRUB)))
def test_kernels_and_programs(data: bytes) -> None:
    parse_bzimage(data)
    with contextlib.suppress(ValueError):
        interpreter(data)


def _read(folder: Path, data: bytes) -> None:
    image = folder / "initrd.img"
    image.write_bytes(data)
    with contextlib.suppress(InitramfsError, CommandError):
        for member in members(image):
            assert len(member.data) <= len(data) + len(PLAIN)


@TRIES
@given(data=damaged((MICROCODE + PLAIN, PLAIN, PLAIN + bytes(4096) + MICROCODE)))
def test_archives(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    _read(tmp_path_factory.getbasetemp(), data)


@pytest.mark.parametrize("how", PACKERS)
@FEW_TRIES
@given(draws=st.data())
def test_packed_archives(
    tmp_path_factory: pytest.TempPathFactory, how: str, draws: st.DataObject
) -> None:
    data = draws.draw(damaged((initramfs(how), initramfs(how)[len(MICROCODE) :])))
    _read(tmp_path_factory.getbasetemp(), data)


@pytest.mark.parametrize("how", PACKERS)
def test_a_whole_one_is_read_to_its_end(tmp_path: Path, how: str) -> None:
    image = tmp_path / "initrd.img"
    image.write_bytes(initramfs(how))
    assert "init" in [member.name for member in members(image)]
