"""The mirror's /etc/fstab: each line leads to the mirror's own disk and to a directory."""

from collections.abc import Iterator
from pathlib import Path

from rescue.model.finding import Finding, Severity
from rescue.model.mirror.record import FilesystemPair
from rescue.model.storage.disk import Partition
from rescue.model.storage.filesystem import SwapArea
from rescue.model.storage.mount import FstabEntry
from rescue.model.storage.place import in_words, place_of
from rescue.text.fstab import parse_fstab
from rescue.verify.chain import Link, Mirror, broken, note, ok
from rescue.verify.mountunits import check_without_line
from rescue.verify.owndisk import is_kernel_name

FSTAB = "/etc/fstab"
_SWAP_MAGIC = b"SWAPSPACE2"
_PAGE = 4096
_SAME_DRIVER = ({"ext2", "ext3", "ext4"}, {"vfat", "msdos"})


def check_fstab(mirror: Mirror) -> Iterator[Finding]:
    """Check each line, and that each mirrored file system has one. Raises OSError."""
    if not mirror.tree.is_file(FSTAB):
        yield broken(Link.FSTAB, "is missing", file=FSTAB)
        return
    entries = parse_fstab(mirror.tree.text(FSTAB))
    found = [finding for entry in entries for finding in _check_entry(mirror, entry)]
    for pair in mirror.record.filesystems:
        found += _check_pair(mirror, pair, entries)
    yield from found
    if not any(finding.severity is Severity.ERROR for finding in found):
        message = f"all that the boot mounts of {len(entries)} lines is on the mirror's own disk"
        yield ok(Link.FSTAB, message, file=FSTAB)


def _check_entry(mirror: Mirror, entry: FstabEntry) -> Iterator[Finding]:
    if entry.fstype == "swap" and entry.spec.startswith("/") and not entry.is_block:
        yield from _check_swap_file(mirror, entry)
        return
    if not entry.is_block:
        return
    mirrored = [pair for pair in mirror.record.filesystems if pair.mount_point == entry.target]
    part = mirror.own.resolve(entry.spec)
    if part is None:
        if "noauto" in entry.options and not mirrored:
            return  # a CD drive, or a disk of somebody's: only people mount it
        kernel = is_kernel_name(entry.spec)
        why = "is a name of the kernel's" if kernel else "is not on the mirror's own disk"
        weigh = note if entry.may_be_absent and not mirrored else broken
        yield weigh(Link.FSTAB, f"{entry.target}: {entry.spec} {why}", file=FSTAB)
    elif entry.fstype == "swap":
        if not isinstance(part.content, SwapArea):
            yield broken(Link.FSTAB, f"{entry.spec} is not a swap area", file=FSTAB)
    elif mirrored:
        yield from _check_mirrored(entry, part, mirrored[0])


def _check_mirrored(entry: FstabEntry, part: Partition, pair: FilesystemPair) -> Iterator[Finding]:
    kinds = {entry.fstype, pair.kind.value}
    if (place := place_of(part)) != pair.place:
        message = f"{entry.target}: {entry.spec} is {in_words(place)}, not {in_words(pair.place)}"
        yield broken(Link.FSTAB, message, file=FSTAB)
    elif entry.fstype not in ("auto", pair.kind.value) and not any(
        kinds <= family for family in _SAME_DRIVER
    ):
        message = f"{entry.target}: the line says {entry.fstype}, the mirror has {pair.kind}"
        yield broken(Link.FSTAB, message, file=FSTAB)


def _check_pair(
    mirror: Mirror, pair: FilesystemPair, entries: tuple[FstabEntry, ...]
) -> Iterator[Finding]:
    point = pair.mount_point
    if not any(entry.target == point for entry in entries):
        yield from check_without_line(mirror, pair, fstab=FSTAB)
    if not mirror.tree.is_dir(point):
        yield broken(Link.FSTAB, "the directory to mount on is missing", file=point)


def _check_swap_file(mirror: Mirror, entry: FstabEntry) -> Iterator[Finding]:
    if not mirror.tree.is_file(entry.spec):
        weigh = note if entry.may_be_absent else broken
        yield weigh(Link.FSTAB, "the swap file is missing", file=entry.spec)
    elif not _has_swap_signature(mirror.tree.locate(entry.spec)):
        yield broken(Link.FSTAB, "the swap file has no swap signature", file=entry.spec)


def _has_swap_signature(file: Path) -> bool:
    """Whether mkswap wrote here: the magic ends the first page (man 8 mkswap)."""
    with file.open("rb") as stream:
        return stream.read(_PAGE).endswith(_SWAP_MAGIC)
