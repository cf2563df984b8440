"""Boot images of every kind, made by the programs that make the real ones."""

import shutil
import subprocess
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from rescue.model.boot.firmware import GrubPlatform
from rescue.system.boot.boot_image import core_argv
from tests.fabricated_mirror import core_image, cpio, efi_image, initramfs_files, module_info_64

VERSION = "6.1.0-18-amd64"
MICROCODE = cpio({"kernel/x86/microcode/GenuineIntel.bin": b"\1" * 100})
PLAIN = cpio(initramfs_files(VERSION))

PACKERS: Mapping[str, tuple[str, ...]] = {
    "gzip": ("gzip", "-n", "-c"),
    "xz": ("xz", "--check=crc32", "-c"),
    "lzma": ("xz", "--format=lzma", "-c"),
    "zstd": ("zstd", "-q", "-c"),
    "lz4": ("lz4", "-q", "-l", "-c"),
    "bzip2": ("bzip2", "-c"),
    "lzop": ("lzop", "-c"),
}


def packed(how: str, data: bytes) -> bytes:
    """Return the data compressed by that program; where it is not installed the test is skipped."""
    argv = PACKERS[how]
    if shutil.which(argv[0]) is None:
        pytest.skip(f"{argv[0]} is not installed")
    return subprocess.run(argv, input=data, stdout=subprocess.PIPE, check=True).stdout


@cache
def initramfs(how: str) -> bytes:
    """Return an initramfs as Debian makes it: microcode, and a second archive that is packed."""
    return MICROCODE + packed(how, PLAIN)


@cache
def grub_images() -> dict[GrubPlatform, tuple[bytes, ...]]:
    """Return images of GRUB: our own small ones, and those of grub-mkimage where it is there."""
    found = {
        GrubPlatform.I386_PC: [core_image(prefix="(,gpt3)/grub", config="search.fs_uuid x root\n")],
        GrubPlatform.X86_64_EFI: [efi_image(tail=module_info_64("/EFI/debian"))],
    }
    for platform, images in found.items():
        if shutil.which("grub-mkimage") and Path(f"/usr/lib/grub/{platform}/part_gpt.mod").exists():
            images.append(_made(platform))
    return {platform: tuple(images) for platform, images in found.items()}


def _made(platform: GrubPlatform) -> bytes:
    with TemporaryDirectory() as folder:
        output = Path(folder, "image")
        argv = core_argv(platform, ("part_gpt", "ext2"), output, prefix="(,gpt3)/grub")
        subprocess.run(argv, check=True)
        return output.read_bytes()
