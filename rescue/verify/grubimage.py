"""GRUB's images: the boot sector, the core image, and what is embedded in them.

Sources: GRUB 2.06, include/grub/i386/pc/boot.h, include/grub/offsets.h, include/grub/kernel.h
and util/setup.c, which says what grub-install changes in an image after making it.
"""

import lzma
import struct
from collections.abc import Callable
from dataclasses import dataclass

SECTOR = 512
"""Bytes; GRUB's blocks on BIOS are of this size whatever the disk's sectors."""

_CODE_AFTER_PATCHES = 0x68  # before it: BPB, kernel address and sector, boot drive, drive check
_CODE_END = 0x1B8  # after it: disk signature and partition table, the disk's own
_KERNEL_SECTOR = 0x5C
_BLOCK = struct.Struct("<QHH")
_HEADER = struct.Struct("<III")  # compressed size, uncompressed size, redundancy; at 0x8
_REDUNDANCY = range(SECTOR + 0x10, SECTOR + 0x14)
_BOOT_DEVICE = range(SECTOR + 0x18, SECTOR + 0x1C)
_CONFIG, _PREFIX = 2, 3
_MODULES_MAGIC = b"mimg"
_LARGEST_BODY = 16 * 1024 * 1024  # bytes; GRUB unpacks it to where a PC has its first MiB behind it

MOST = 64 * 1024 * 1024
"""Bytes; an image of GRUB or of shim is far smaller."""


@dataclass(frozen=True, kw_only=True)
class Embedded:
    """What is built into an image: where GRUB looks for its files, and its first commands."""

    prefix: str = ""
    config: str = ""


def is_boot_sector(sector: bytes) -> bool:
    """Whether firmware would start it, and GRUB is what it would start."""
    return sector[0x1FE:0x200] == b"\x55\xaa" and b"GRUB " in sector[_CODE_AFTER_PATCHES:_CODE_END]


def same_boot_code(sector: bytes, boot_img: bytes) -> bool:
    """Whether the code of a boot sector is that of boot.img, apart from what is patched."""
    code = slice(_CODE_AFTER_PATCHES, _CODE_END)
    return sector[:3] == boot_img[:3] and sector[code] == boot_img[code]


def kernel_sector(sector: bytes) -> int:
    """Return the disk's sector where the boot sector looks for the core image."""
    value: int = struct.unpack_from("<Q", sector, _KERNEL_SECTOR)[0]
    return value


def block_list(first: bytes) -> tuple[tuple[int, int], ...]:
    """Given the core image's first sector on the disk, return (start, sectors) of the rest.

    The list grows downwards from the sector's end and ends with a length of zero. It is empty
    where the disk ended before the sector did.
    """
    if len(first) < SECTOR:
        return ()
    blocks = []
    for offset in range(SECTOR - _BLOCK.size, SECTOR // 2, -_BLOCK.size):
        start, length, _ = _BLOCK.unpack_from(first, offset)
        if length == 0:
            break
        blocks.append((start, length))
    return tuple(blocks)


def read_core(read: Callable[[int, int], bytes], sector: int, *, size: int) -> bytes:
    """Read the core image as the boot would: its first sector, then along its block list.

    `read` is given a first sector and a number of sectors. What the list names beyond `size` bytes,
    which the image should have, is not read: a damaged one names hundreds of MiB.
    """
    core = first = read(sector, 1)
    for start, length in block_list(first):
        missing = -(-(size - len(core)) // SECTOR)
        if missing <= 0:
            break
        core += read(start, min(length, missing))
    return core


def same_core(on_disk: bytes, core_img: bytes) -> bool:
    """Whether what lies on the disk is core.img, apart from what grub-install patches."""
    if len(core_img) <= 2 * SECTOR or len(on_disk) < len(core_img):
        return False
    list_start = SECTOR - _BLOCK.size * (len(block_list(on_disk[:SECTOR])) + 1)
    return _masked(on_disk[: len(core_img)], list_start) == _masked(core_img, list_start)


def _masked(image: bytes, list_start: int) -> bytes:
    masked = bytearray(image)
    for patched in (range(list_start, SECTOR), _REDUNDANCY, _BOOT_DEVICE):
        masked[patched.start : patched.stop] = bytes(len(patched))
    return bytes(masked)


def embedded_in_core(core_img: bytes) -> Embedded:
    """Return what is embedded in a core.img of i386-pc, whose body is a raw LZMA stream.

    Raises ValueError where the image cannot be unpacked.
    """
    if len(core_img) < SECTOR + 8 + _HEADER.size:
        raise ValueError("it is cut off")
    packed, size, _ = _HEADER.unpack_from(core_img, SECTOR + 8)
    if not 0 < packed < len(core_img) or size > _LARGEST_BODY:
        raise ValueError("its header does not fit its size")
    filters = [{"id": lzma.FILTER_LZMA1, "lc": 3, "lp": 0, "pb": 2, "dict_size": 1 << 16}]
    try:
        unpacker = lzma.LZMADecompressor(format=lzma.FORMAT_RAW, filters=filters)
        body = unpacker.decompress(core_img[-packed:], max_length=size)
    except lzma.LZMAError as error:
        raise ValueError(f"it does not unpack: {error}") from error
    found = _embedded(body, struct.Struct("<4sII"))
    if found is None:
        raise ValueError("no modules are embedded in it")
    return found


def embedded_in_efi(image: bytes) -> Embedded | None:
    """Return what is embedded in a GRUB EFI image; None if it is not one."""
    return _embedded(image, struct.Struct("<4s4xQQ"))


def _embedded(body: bytes, info: struct.Struct) -> Embedded | None:
    """Walk the objects behind a module header (struct grub_module_info, include/grub/kernel.h)."""
    at = body.find(_MODULES_MAGIC)
    while at >= 0:
        if at + info.size <= len(body):
            _, offset, size = info.unpack_from(body, at)
            # The magic also stands in the code that looks for it; only the real one is followed by
            # an offset that points just behind itself.
            if offset == info.size and offset < size <= len(body) - at:
                return _objects(body[at + offset : at + size])
        at = body.find(_MODULES_MAGIC, at + 1)
    return None


def _objects(data: bytes) -> Embedded:
    prefix, config, at = "", "", 0
    while at + 8 <= len(data):
        kind, size = struct.unpack_from("<II", data, at)
        if size < 8:
            break
        text = data[at + 8 : at + size].partition(b"\0")[0].decode("utf-8", "replace")
        prefix = text if kind == _PREFIX else prefix
        config = text if kind == _CONFIG else config
        at += size
    return Embedded(prefix=prefix, config=config)


def is_pe(image: bytes) -> bool:
    """Whether the bytes begin a PE image for x86-64, the form of EFI programs."""
    if image[:2] != b"MZ" or len(image) < 0x40:
        return False
    header: int = struct.unpack_from("<I", image, 0x3C)[0]
    return image[header : header + 6] == b"PE\0\0\x64\x86"


def is_shim(image: bytes) -> bool:
    """Whether an EFI program is shim: it starts the grubx64.efi beside it."""
    return "grubx64.efi".encode("utf-16-le") in image
