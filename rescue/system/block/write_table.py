"""Writing partition tables: libparted does the geometry, sfdisk what libparted 3.5 cannot.

libparted (pyparted) has no setter for the disk's and the partitions' GUIDs, for MBR's disk id and
for type codes it does not know; it keeps one active partition at most, always takes the lowest
free partition number, and gives each GPT room for 128. A GPT with room for another number is laid
out by sfdisk, and looked at by libparted. What was written is then read by sfdisk and compared.
"""

from collections.abc import Iterator, Sequence

import parted

from rescue.errors import RescueError
from rescue.model.storage.disk import (
    GPT_ENTRIES,
    Partition,
    PartitionKind,
    PartitionTable,
    TableKind,
)
from rescue.system.block.read_table import read_table
from rescue.system.process.run import run

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
        if table.kind is TableKind.GPT and table.entries != GPT_ENTRIES:
            _lay_out_by_script(device, table)
        else:
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
    active = [str(part.number) for part in table.partitions if part.bootable]
    if table.kind is TableKind.MBR and active:
        argvs.append([*sfdisk, "--activate", device, *active])
    return argvs


def script_of(table: PartitionTable, *, sector: int) -> str:
    """Return the sfdisk script that lays out a GPT, with sectors of that many bytes.

    The first partition may begin right behind the entries (UEFI 2.10 section 5.3.1): sfdisk's own
    first sector would be 2048.
    """
    first = 2 + table.entry_sectors(logical_sector=sector)
    head = ("label: gpt", "unit: sectors", f"table-length: {table.entries}", f"first-lba: {first}")
    rows = (
        f"/dev/x{part.number} : start={part.start}, size={part.length}" for part in table.partitions
    )
    return "\n".join((*head, "", *rows, ""))


def first_difference(wanted: PartitionTable, seen: PartitionTable) -> str:
    """Return in words the first difference between the tables, or '' if there is none."""
    one, two = list(_table_facts(wanted)), list(_table_facts(seen))
    one += [fact for part in _sorted(wanted) for fact in _facts(part, wanted.kind)]
    two += [fact for part in _sorted(seen) for fact in _facts(part, seen.kind)]
    for (name, value), (other, found) in zip(one, two, strict=False):
        if (name, value) != (other, found):
            return f"{name} should be '{value}', and is '{found}' ({other})"
    if len(one) != len(two):
        return f"{len(wanted.partitions)} partitions asked for, {len(seen.partitions)} found"
    return ""


def _table_facts(table: PartitionTable) -> Iterator[tuple[str, str]]:
    yield "kind", table.kind.value
    yield "id", table.uuid.lower()
    if table.kind is TableKind.GPT:
        yield "number of entries", str(table.entries)


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
    """Write label and geometry with libparted, without informing the kernel."""
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
        _add_wanted(disk, part)
        number += 1
    for filler in fillers:
        disk.deletePartition(filler)
    for part in logical:
        _add_wanted(disk, part)
    disk.commitToDevice()


def _lay_out_by_script(path: str, table: PartitionTable) -> None:
    """Write label and geometry of a GPT with sfdisk, and see that libparted reads the same."""
    sector = parted.getDevice(path).sectorSize
    run(["sfdisk", *_QUIET, path], stdin=script_of(table, sector=sector))
    disk = parted.newDisk(parted.getDevice(path))
    seen = sorted(
        (each.number, each.geometry.start, each.geometry.length) for each in disk.partitions
    )
    wanted = [(part.number, part.start, part.length) for part in _sorted(table)]
    if seen != wanted:
        raise RescueError(
            f"{path}: sfdisk was asked for the partitions {wanted}, and libparted reads {seen}"
        )


def _add_wanted(disk: "parted.Disk", part: Partition) -> None:
    made = _add(disk, _KINDS[part.kind], part.start, part.length)
    if made.number != part.number:
        raise RescueError(f"partition {part.number} got the number {made.number} from libparted")


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
