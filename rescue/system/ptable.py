"""Writing partition tables: libparted does the geometry, sfdisk what libparted 3.5 cannot.

libparted (pyparted) has no setter for the disk's and the partitions' GUIDs, for MBR's disk id and
for type codes it does not know; and it always takes the lowest free partition number. What was
written is then read by sfdisk, which shares no code with libparted, and compared.
"""

from collections.abc import Iterator, Sequence

import parted

from rescue.errors import RescueError
from rescue.model.disk import Partition, PartitionKind, PartitionTable, TableKind
from rescue.system.run import run
from rescue.system.tables import read_table

_LABELS = {TableKind.GPT: "gpt", TableKind.MBR: "msdos"}
_KINDS = {
    PartitionKind.PRIMARY: parted.PARTITION_NORMAL,
    PartitionKind.EXTENDED: parted.PARTITION_EXTENDED,
    PartitionKind.LOGICAL: parted.PARTITION_LOGICAL,
}
_REFUSALS = (
    parted.DiskException,
    parted.PartitionException,
    parted.GeometryException,
    parted.CreateException,
    parted.PartedException,
)
_QUIET = ["--no-reread", "--no-tell-kernel", "--wipe=never", "--lock=no"]


def write_table(device: str, table: PartitionTable) -> None:
    """Write a fresh table to a disk or image file, exactly as given, numbers included.

    The caller holds the disk (`blockdev.exclusive`) and makes the kernel read it afterwards.
    Raises RescueError naming the first difference between what was asked for and what sfdisk
    reads, and where libparted refuses the table.
    """
    try:
        _lay_out(device, table)
    except parted.IOException as error:
        raise RescueError(
            f"{device}: the partition table could not be written: {error}",
            hint="see 'dmesg' for errors of the disk",
        ) from error
    except _REFUSALS as error:
        raise RescueError(f"{device}: the partition table was refused: {error}") from error
    for argv in finish_argvs(device, table):
        run(argv)
    difference = first_difference(table, read_table(device))
    if difference:
        raise RescueError(
            f"{device}: the partition table is not what was asked for: {difference}",
            hint="report this with the output of 'sfdisk --dump' of both disks",
        )


def finish_argvs(device: str, table: PartitionTable) -> list[list[str]]:
    """Return the commands that set ids, types, attributes and names (man 8 sfdisk)."""
    sfdisk = ["sfdisk", *_QUIET]
    shown = table.uuid if table.kind is TableKind.GPT else f"0x{table.uuid}"
    argvs = [[*sfdisk, "--disk-id", device, shown]]
    for part in table.partitions:
        number = str(part.number)
        argvs.append([*sfdisk, "--part-type", device, number, part.type])
        if table.kind is TableKind.GPT:
            argvs.append([*sfdisk, "--part-uuid", device, number, part.uuid])
            argvs.append([*sfdisk, "--part-attrs", device, number, part.attrs])
            # Not by libparted, which reads a name in the caller's locale.
            argvs.append([*sfdisk, "--part-label", "--", device, number, part.name])
    return argvs


def first_difference(wanted: PartitionTable, seen: PartitionTable) -> str:
    """Return in words the first thing in which the tables differ, or '' where nothing does."""
    one = [("kind", wanted.kind.value), ("id", wanted.uuid.lower())]
    two = [("kind", seen.kind.value), ("id", seen.uuid.lower())]
    one += [fact for part in _sorted(wanted) for fact in _facts(part, wanted.kind)]
    two += [fact for part in _sorted(seen) for fact in _facts(part, seen.kind)]
    for (name, value), (other, found) in zip(one, two, strict=False):
        if (name, value) != (other, found):
            return f"{name} should be '{value}', and is '{found}' ({other})"
    if len(one) != len(two):
        return f"{len(wanted.partitions)} partitions asked for, {len(seen.partitions)} found"
    return ""


def _facts(part: Partition, kind: TableKind) -> Iterator[tuple[str, str]]:
    where = f"partition {part.number}'s"
    yield f"{where} number", str(part.number)
    yield f"{where} start", str(part.start)
    yield f"{where} length", str(part.length)
    yield f"{where} type", part.type.upper().lstrip("0")
    if kind is TableKind.GPT:
        yield f"{where} uuid", part.uuid.lower()
        yield f"{where} name", part.name
        yield f"{where} attributes", " ".join(sorted(part.attrs.replace(",", " ").split()))
    else:
        yield f"{where} kind", part.kind.value
        yield f"{where} boot flag", str(part.bootable)


def _sorted(table: PartitionTable) -> list[Partition]:
    return sorted(table.partitions, key=lambda part: part.number)


def _lay_out(path: str, table: PartitionTable) -> None:
    """Write label, geometry and the boot flag with libparted; the kernel is not told."""
    device = parted.getDevice(path)
    disk = parted.freshDisk(device, _LABELS[table.kind])
    fillers = []
    spare = _spare_sectors(table, first=64 if table.kind is TableKind.GPT else 1)
    above_logical = [p for p in _sorted(table) if p.kind is not PartitionKind.LOGICAL]
    logical = [p for p in _sorted(table) if p.kind is PartitionKind.LOGICAL]
    number = 1
    for part in above_logical:
        # libparted gives the lowest free number: a one-sector partition takes each one that the
        # table leaves out, until the others have theirs.
        while number < part.number:
            sector = next(spare, None)
            if sector is None:
                raise RescueError(f"no free sector to keep partition number {part.number}")
            fillers.append(_add(disk, parted.PARTITION_NORMAL, sector, 1))
            number += 1
        _add_wanted(disk, part, table.kind)
        number += 1
    for filler in fillers:
        disk.deletePartition(filler)
    for part in logical:
        _add_wanted(disk, part, table.kind)
    disk.commitToDevice()


def _add_wanted(disk: "parted.Disk", part: Partition, table: TableKind) -> None:
    made = _add(disk, _KINDS[part.kind], part.start, part.length)
    if made.number != part.number:
        raise RescueError(f"partition {part.number} got the number {made.number} from libparted")
    if table is TableKind.MBR and part.bootable:
        made.setFlag(parted.PARTITION_BOOT)


def _add(disk: "parted.Disk", kind: int, start: int, length: int) -> "parted.Partition":
    geometry = parted.Geometry(disk.device, start=start, length=length)
    made = parted.Partition(disk, kind, geometry=geometry)
    disk.addPartition(made, constraint=parted.Constraint(exactGeom=geometry))
    return made


def _spare_sectors(table: PartitionTable, *, first: int) -> Iterator[int]:
    """Yield sectors that no partition wants, from the gaps before and between them."""
    top: Sequence[Partition] = sorted(
        (p for p in table.partitions if p.kind is not PartitionKind.LOGICAL),
        key=lambda part: part.start,
    )
    at = first
    for part in top:
        yield from range(at, part.start)
        at = max(at, part.start + part.length)
    # Behind the last one there may be nothing but the second GPT header, 33 sectors long: the
    # caller gets an error of libparted's there, which is the truth.
    yield from range(at, at + 64)
