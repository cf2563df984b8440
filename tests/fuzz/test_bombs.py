"""Small files that say they are large: each is refused, or read within bounds that are known."""

import contextlib
import shutil
import struct
import subprocess
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from rescue.errors import RescueError
from rescue.store import config
from rescue.system.block import blockinfo, kernel_log, read_table, smart
from rescue.system.boot import initramfs
from rescue.system.boot.initramfs import Member, members
from rescue.system.files.rooted_tree import Tree
from rescue.system.process.run import Result
from rescue.text.fstab import parse_fstab
from rescue.text.grub_cfg import parse_menu
from rescue.verify import grubimage
from rescue.verify.chain import Mirror
from rescue.verify.ramdisk import check_initramfs
from tests.fabricated_mirror import (
    KERNELS,
    boot_image,
    core_image,
    cpio,
    fabricate,
    source_uuid,
)
from tests.fuzz.damage import NESTED
from tests.fuzz.limits import MIB, end_within
from tests.fuzz.specimens import MICROCODE, packed

GIB = 1024 * MIB


def unpacked(data: bytes, tmp_path: Path) -> Callable[[], None]:
    """Return what reads an initramfs to its end, and lets go of each file in it."""
    image = tmp_path / "initrd.img"
    image.write_bytes(data)

    def read() -> None:
        with contextlib.suppress(RescueError):
            for _ in members(image):
                pass

    return read


def header(*, size: bytes = b"00000000", name_size: bytes = b"00000005") -> bytes:
    """Return the header of a file in a cpio archive, its sizes as they are given."""
    number = b"%08X" % 1
    sizes = (number, b"000081A4", *[number] * 4, size, *[number] * 4, name_size, b"00000000")
    return b"070701" + b"".join(sizes) + b"init\0" + b"\0"


def flood(how: str, begin: bytes, zeros: int) -> bytes:
    """Return what unpacks to `begin` and that many bytes of nothing, made piece by piece."""
    once = packed(how, bytes(64 * MIB))
    return MICROCODE + packed(how, begin) + once * (zeros // (64 * MIB))


# The compressors that take several streams behind each other as one (man 1 zstd and the others).
@pytest.mark.parametrize("how", ["zstd", "gzip", "xz", "bzip2"])
def test_an_initramfs_that_unpacks_to_gigabytes(tmp_path: Path, how: str) -> None:
    # The file's size says -1: what reads so many bytes reads to the end.
    data = flood(how, header(size=b"-0000001"), 2 * GIB)
    assert len(data) < 8 * MIB
    assert end_within(64, unpacked(data, tmp_path)) == "done"


def test_an_initramfs_that_does_not_end_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(initramfs, "MOST", 64 * MIB)
    image = tmp_path / "initrd.img"
    image.write_bytes(flood("zstd", cpio({"init": b"#!/bin/sh\n"}), 10 * GIB))
    with pytest.raises(RescueError, match="does not come to an end"):
        list(members(image))


@pytest.mark.parametrize(
    "data",
    [
        header(name_size=b"FFFFFFFF"),
        header(size=b"FFFFFFFF"),
        header(size=b"20000001"),
        header(size=b"+0000001"),
        header(size=b"0x000001"),
        header(size=b" 0000001"),
        header(size=b"1_000_00"),
        header(name_size=b"-0000001"),
    ],
)
def test_a_header_that_says_more_than_there_is(tmp_path: Path, data: bytes) -> None:
    image = tmp_path / "initrd.img"
    image.write_bytes(data + bytes(4096))
    with pytest.raises(RescueError, match="header is damaged"):
        list(members(image))


def test_an_initramfs_that_names_the_source_everywhere_is_told_of_once_or_some_times(
    tmp_path: Path,
) -> None:
    mirror = fabricate(tmp_path)
    path = f"/boot/initrd.img-{KERNELS[0]}"
    named = {f"etc/{number}": source_uuid(4).encode() for number in range(5_000)}
    mirror.write(path, MICROCODE + cpio({"init": b"#!/bin/sh\n", **named}))
    whole = Mirror(tree=Tree(root=mirror.tree), disk=mirror.disk, record=mirror.record)
    assert 0 < len(check_initramfs(whole, path, "")) < 2_000


def test_a_large_file_is_not_taken_apart_as_text() -> None:
    small, large = (
        Member(name="conf/initramfs.conf", mode=0o100644, data=bytes(size))
        for size in (4096, MIB + 1)
    )
    assert small.is_text
    assert not large.is_text


@pytest.mark.skipif(shutil.which("xz") is None, reason="xz is not installed")
def test_xz_is_given_no_more_memory_than_a_kernel_would_take(tmp_path: Path) -> None:
    plain = cpio({"init": b"#!/bin/sh\n"})
    argv = ["xz", "--format=raw", "--lzma1=dict=1MiB", "-c"]
    stream = subprocess.run(argv, input=plain, stdout=subprocess.PIPE, check=True).stdout
    # The header of .lzma (xz-file-format, lzma-file-format.txt): properties, dictionary, length.
    data = struct.pack("<BIQ", 0x5D, 1 << 31, len(plain)) + stream
    image = tmp_path / "initrd.img"
    image.write_bytes(data)
    with pytest.raises(RescueError, match="limit is 512 MiB"):
        list(members(image))


def test_images_of_grub_that_say_they_are_large(tmp_path: Path) -> None:
    core = bytearray(core_image(prefix="(,gpt3)/grub"))
    struct.pack_into("<I", core, 512 + 12, 0xFFFFFFFF)  # its size when it is unpacked
    with pytest.raises(ValueError, match="header"):
        grubimage.embedded_in_core(bytes(core))
    disk = tmp_path / "disk"
    with disk.open("wb") as device:
        device.truncate(GIB)
    first = bytearray(boot_image())
    for offset in range(500, 256, -12):
        struct.pack_into("<QHH", first, offset, 2, 0xFFFF, 0x820)

    def read(start: int, count: int) -> bytes:
        with disk.open("rb") as device:
            device.seek(start * 512)
            return bytes(first) if start == 0 else device.read(count * 512)

    def read_core() -> None:
        assert len(grubimage.read_core(read, 0, size=100_000)) < 200_000

    assert end_within(16, read_core) == "done"


def test_a_text_of_the_boot_that_is_no_text(tmp_path: Path) -> None:
    with (tmp_path / "grub.cfg").open("wb") as menu:
        menu.truncate(100 * GIB)

    def read() -> None:
        with contextlib.suppress(OSError):
            Tree(root=tmp_path).text("/grub.cfg")

    assert end_within(128, read) == "done"


@pytest.mark.parametrize("text", NESTED, ids=["open", "lists", "objects"])
def test_json_that_is_nested_a_hundred_thousand_times(text: str) -> None:
    for parse in (read_table.parse_table, blockinfo.parse_mounts, kernel_log.parse_lines):
        with pytest.raises(RescueError):
            parse(text)
    smart.parse(Result(argv=(), returncode=0, stdout=text, stderr=""))
    with pytest.raises(RescueError):
        config.parse(f"a = {text}", where="a test")


def test_long_lines_take_no_more_than_a_few_times_their_length() -> None:
    many = 10 * MIB
    spec = "/dev/" + "x" * many
    fstab = f"{spec} / ext4 {'ro,' * (many // 3)}rw 0 1\n"
    assert end_within(40 * 20, partial(parse_fstab, fstab)) == "done"
    for menu in (f"set a='{'x' * many}'\n", f'set a="{"x" * many}"\n', f'set a="{"x" * many}'):
        assert end_within(10 * 20, partial(parse_menu, menu)) == "done"


def test_menus_within_menus_are_called_by_their_innermost() -> None:
    depth = 4_000
    title = "m" * 1_000
    text = "".join(f"submenu {title} {{\nlinux /x{number}\n" for number in range(depth))
    images = parse_menu(text + "}" * depth).images
    assert len(images) == depth
    assert max(len(image.title) for image in images) < 10_000
