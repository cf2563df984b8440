"""The BIOS path: boot sector, core image, GRUB's files."""

import re
from collections.abc import Iterator
from pathlib import Path

from rescue.model.finding import Finding
from rescue.model.storage.disk import PartitionKind
from rescue.model.storage.partition_type import is_bios_boot
from rescue.verify import grubimage
from rescue.verify.chain import Link, Mirror, broken, ok
from rescue.verify.grubimage import SECTOR

_FOLDER = "/boot/grub/i386-pc"


def check_bios(mirror: Mirror) -> Iterator[Finding]:
    """Follow the boot from the first sector to GRUB's own files. Raises OSError."""
    with Path(mirror.disk.path).open("rb") as device:

        def read(start: int, count: int) -> bytes:
            if start * SECTOR >= mirror.disk.size:
                return b""
            device.seek(start * SECTOR)
            return device.read(count * SECTOR)

        sector = read(0, 1)
        if not grubimage.is_boot_sector(sector):
            yield broken(Link.BIOS, "the first sector is not GRUB's boot sector")
            return
        boot_img, core_img = (_read(mirror, name) for name in ("boot.img", "core.img"))
        if boot_img is None or not grubimage.same_boot_code(sector, boot_img):
            yield broken(
                Link.BIOS,
                "the boot sector's code is not that of this file",
                file=f"{_FOLDER}/boot.img",
            )
            return
        yield ok(Link.BIOS, "the first sector is GRUB's boot sector")
        start = grubimage.kernel_sector(sector)
        on_disk = grubimage.read_core(read, start, size=len(core_img or b""))
    yield from _check_core(mirror, start, on_disk, core_img)


def _read(mirror: Mirror, name: str) -> bytes | None:
    path = f"{_FOLDER}/{name}"
    return mirror.tree.data(path, most=grubimage.MOST) if mirror.tree.is_file(path) else None


def _check_core(
    mirror: Mirror, start: int, on_disk: bytes, core_img: bytes | None
) -> Iterator[Finding]:
    file = f"{_FOLDER}/core.img"
    first, last = _place(mirror)
    blocks = ((start, 1), *grubimage.block_list(on_disk[:SECTOR]))
    if core_img is None:
        yield broken(Link.BIOS, "GRUB's core image is missing", file=file)
    elif not grubimage.same_core(on_disk, core_img):
        message = f"at sector {start}, where the boot sector looks, is not this core image"
        yield broken(Link.BIOS, message, file=file)
    elif any(begin < first or begin + count - 1 > last for begin, count in blocks):
        where = "the BIOS boot partition" if mirror.is_gpt else "the gap before the first partition"
        yield broken(Link.BIOS, f"the core image at sector {start} is not in {where}", file=file)
    else:
        yield from _check_embedded(mirror, core_img, file)


def _place(mirror: Mirror) -> tuple[int, int]:
    """Return first and last sector (of 512 bytes) of the room that the core image may take."""
    factor = mirror.disk.logical_sector // SECTOR
    parts = mirror.disk.partitions
    if mirror.is_gpt:
        for part in parts:
            if is_bios_boot(part):
                return part.start * factor, (part.start + part.length) * factor - 1
        return 0, -1
    starts = [part.start for part in parts if part.kind is not PartitionKind.LOGICAL]
    return 1, min(starts, default=mirror.disk.sectors) * factor - 1


def _check_embedded(mirror: Mirror, core_img: bytes, file: str) -> Iterator[Finding]:
    try:
        embedded = grubimage.embedded_in_core(core_img)
    except ValueError as error:
        yield broken(Link.BIOS, f"the core image is damaged: {error}", file=file)
        return
    found = list(check_embedded(mirror, embedded, Link.BIOS, file))
    yield from found
    if not found:
        yield ok(Link.BIOS, f"the core image is in its place and goes to {embedded.prefix}")


def check_embedded(
    mirror: Mirror, embedded: grubimage.Embedded, link: Link, file: str
) -> Iterator[Finding]:
    """Report faults in the prefix and the commands built into a GRUB image.

    A prefix names a partition by number, '(,gpt3)/grub', when it is on the disk GRUB came from.
    """
    text = f"{embedded.prefix}\n{embedded.config}"
    for name in mirror.leftovers_in(text.encode()):
        yield broken(link, f"the image looks for {name}, which is the source's", file=file)
        return
    for uuid in re.findall(r"search\.fs_uuid (\S+)", embedded.config):
        if mirror.own.filesystem(uuid) is None:
            message = f"the image looks for {uuid}, which is not on the mirror's own disk"
            yield broken(link, message, file=file)
    place = re.fullmatch(r"\(,(?:gpt|msdos)([0-9]{1,3})\)(/.*)", embedded.prefix)
    if place is None:
        return
    pair = mirror.pair_of_partition(int(place.group(1)))
    if pair is None or not mirror.tree.is_dir(mirror.path_on(pair, place.group(2))):
        message = f"the image looks for its files in {embedded.prefix}, which is not there"
        yield broken(link, message, file=file)
