"""File systems mounted without a line of fstab: by a unit of systemd or by partition type."""

import re
from collections.abc import Iterator

from rescue.model.boot.files import UNIT_FOLDERS
from rescue.model.finding import Finding
from rescue.model.mirror.record import FilesystemPair
from rescue.model.storage import partition_type
from rescue.model.storage.disk import Partition
from rescue.model.storage.place import in_words, node_of, place_of
from rescue.text.identifier_scanner import unit_name
from rescue.verify.chain import Link, Mirror, broken
from rescue.verify.owndisk import is_kernel_name

_WHAT = re.compile(r"^[ \t]*What[ \t]*=[ \t]*([^ \t\n].*)$", re.MULTILINE)

_BY_TYPE = {
    partition_type.HOME: ("/home",),
    partition_type.SRV: ("/srv",),
    partition_type.VAR_TMP: ("/var/tmp",),
    partition_type.EXTENDED_BOOT: ("/boot",),
    partition_type.ESP: ("/boot", "/efi"),
}
"""Where systemd-gpt-auto-generator(8) mounts a partition of the root's disk, by its type.

/var is not among them: its partition must have a PARTUUID that is made of the machine's id.
"""

_FLAGS = re.compile(r"GUID:([0-9,]+)")
_NO_AUTO = "63"


def check_without_line(mirror: Mirror, pair: FilesystemPair, *, fstab: str) -> Iterator[Finding]:
    """Check that something mounts a mirrored file system that has no line in `fstab`.

    A unit must name the mirror's own partition. Raises OSError.
    """
    unit = unit_file(mirror, pair.mount_point)
    if unit:
        yield from _check_unit(mirror, pair, unit)
    elif not _is_found_by_type(mirror, pair):
        yield broken(Link.FSTAB, f"no line mounts {pair.mount_point}", file=fstab)


def unit_file(mirror: Mirror, point: str) -> str:
    """Return the unit file that mounts something there, or '' if there is none."""
    paths = (f"{folder}/{unit_name(point)}.mount" for folder in UNIT_FOLDERS)
    return next((path for path in paths if mirror.tree.is_file(path)), "")


def _check_unit(mirror: Mirror, pair: FilesystemPair, unit: str) -> Iterator[Finding]:
    what = _what(mirror, unit)
    part = mirror.own.resolve(what)
    if part is None:
        kernel = is_kernel_name(what)
        why = "is a name of the kernel's" if kernel else "is not on the mirror's own disk"
        yield broken(Link.FSTAB, f"{pair.mount_point}: {what or 'nothing'} {why}", file=unit)
    elif (place := place_of(part)) != pair.place:
        said = f"{what} is {in_words(place)}, not {in_words(pair.place)}"
        yield broken(Link.FSTAB, f"{pair.mount_point}: {said}", file=unit)


def _what(mirror: Mirror, unit: str) -> str:
    """Return what a unit mounts; its drop-ins have the last word."""
    name = unit.rpartition("/")[2]
    drop_ins = [
        path for folder in UNIT_FOLDERS for path in mirror.tree.glob(f"{folder}/{name}.d/*.conf")
    ]
    drop_ins.sort(key=lambda path: path.rpartition("/")[2])
    found = [said for path in (unit, *drop_ins) for said in _WHAT.findall(mirror.tree.text(path))]
    return found[-1].rstrip() if found else ""


def _is_found_by_type(mirror: Mirror, pair: FilesystemPair) -> bool:
    part = node_of(pair.place, mirror.disk)
    if part is None or not mirror.is_gpt or _is_left_alone(part):
        return False
    return pair.mount_point in _BY_TYPE.get(part.type.upper(), ())


def _is_left_alone(part: Partition) -> bool:
    """Whether the partition's attributes tell systemd not to mount it (bit 63, 'no-auto')."""
    return any(_NO_AUTO in bits.split(",") for bits in _FLAGS.findall(part.attrs))
