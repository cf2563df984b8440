"""The table of `rescue disks`: every disk that can matter, and what it is to this machine."""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Group
from rich.table import Table
from rich.text import Text

from rescue.model.disk import Disk, Partition, PartitionKind, UseKind
from rescue.model.filesystem import FileSystem, SwapArea
from rescue.model.layer import Container, Content, Foreign
from rescue.model.machine import Machine
from rescue.model.medium import MEDIUM_TABLE
from rescue.model.record import DiskRef, MirrorRecord
from rescue.model.role import Role
from rescue.units import human_bytes, to_bytes

SYSTEM = "system"
"""The role shown for the disk that the running system's root is on."""


@dataclass(frozen=True, kw_only=True)
class DiskRow:
    """One disk as it is shown; every field is text for people."""

    device: str
    identity: tuple[str, ...]
    size: str
    model: str
    table: str
    holds: tuple[str, ...]
    use: str
    role: str


def disk_rows(
    machine: Machine, *, records: Sequence[MirrorRecord] = (), long: bool = False
) -> tuple[DiskRow, ...]:
    """Return a row for each disk of the machine.

    `records` are the mirrors that this machine knows; the one it may be running from is taken
    from the machine itself. A disk's identity is the one name that people type; with `long` all
    its other names follow.
    """
    own = (machine.running_mirror,) if machine.running_mirror else ()
    return tuple(_row(disk, machine, (*own, *records), long=long) for disk in machine.disks)


def disks_table(
    machine: Machine, *, records: Sequence[MirrorRecord] = (), long: bool = False
) -> Table:
    """Return the table for the terminal; see `disk_rows`."""
    table = Table(title=f"Disks of {machine.host}", show_lines=True)
    # Four columns fit 80 characters. What people copy from here is folded, never cut.
    for heading in ("Disk", "Identity", "Holds", "State"):
        table.add_column(heading, overflow="fold", no_wrap=heading == "Disk")
    for row in disk_rows(machine, records=records, long=long):
        cells = (
            (row.device, row.size, row.table),
            (*row.identity, row.model),
            row.holds,
            (row.role, row.use),
        )
        # Labels and serials are data: rich must not read '[...]' in them as markup.
        table.add_row(*(Group(*(Text(line) for line in lines if line)) for lines in cells))
    return table


def carries_system(disk: Disk, machine: Machine) -> bool:
    """Whether the running root lies on the disk, directly or through layers above it."""
    root = machine.mount_at("/")
    if root is None:
        return False
    return any(device.path == disk.path for device in machine.chain(root))


def _row(disk: Disk, machine: Machine, records: Sequence[MirrorRecord], *, long: bool) -> DiskRow:
    return DiskRow(
        device=disk.path,
        identity=_names(disk) if long else _names(disk)[:1] + _stand_in(disk),
        size=human_bytes(disk.size),
        model=_model(disk),
        table=disk.table.kind.name if disk.table else "no table",
        holds=_holds(disk),
        use=_use(disk),
        role=", ".join(_roles(disk, machine, records)),
    )


def _names(disk: Disk) -> tuple[str, ...]:
    """Return what prepare asks to be typed first, then the other stable names."""
    wwn = (disk.id.wwn,) if disk.id.serial and disk.id.wwn else ()
    return (disk.id.name or "no serial", *wwn, *disk.id.by_id)


def _stand_in(disk: Disk) -> tuple[str, ...]:
    """Return the link that stands for a disk which has no name of its own."""
    return () if disk.id.is_stable else disk.id.by_id[:1]


def _model(disk: Disk) -> str:
    words = (
        disk.model,
        disk.transport,
        "read-only" if disk.read_only else "",
        "removable" if disk.removable else "",
        f"{disk.logical_sector}-byte sectors" if disk.logical_sector != 512 else "",
    )
    return ", ".join(word for word in words if word)


def _holds(disk: Disk) -> tuple[str, ...]:
    whole = describe(disk.content)
    lines = tuple(_partition(part, disk) for part in disk.partitions)
    if whole or not (disk.table or lines):
        return (whole or "empty", *lines)
    return lines or ("empty table",)


def _partition(part: Partition, disk: Disk) -> str:
    size = human_bytes(to_bytes(part.length, logical_sector=disk.logical_sector))
    if part.kind is PartitionKind.EXTENDED:
        return f"{part.number}: {size} extended"
    flags = "BIOS boot" if "bios_grub" in part.flags else "empty"
    where = [use.where for use in part.uses if use.kind is UseKind.MOUNTED]
    mounted = f" on {', '.join(where)}" if where else ""
    return f"{part.number}: {size} {describe(part.content) or flags}{mounted}"


def describe(content: Content) -> str:
    """Return what a device holds in a few words; '' for nothing."""
    match content:
        case FileSystem(kind=kind, label=label):
            return f"{kind.value} '{label}'" if label else kind.value
        case SwapArea():
            return "swap"
        case Container(kind=kind):
            return kind
        case Foreign(kind=kind, label=label):
            return f"{kind} '{label}'" if label else kind
        case _:
            return ""


def _use(disk: Disk) -> str:
    words = {
        UseKind.MOUNTED: "mounted",
        UseKind.SWAP: "swap",
        UseKind.HOLDER: "held by a layer",
    }
    kinds = {use.kind for use in disk.all_uses}
    return ", ".join(words[kind] for kind in UseKind if kind in kinds) or "not in use"


def _roles(disk: Disk, machine: Machine, records: Sequence[MirrorRecord]) -> list[str]:
    roles = [SYSTEM] if carries_system(disk, machine) else []
    if disk.table is not None and disk.table.uuid == MEDIUM_TABLE:
        roles.append(Role.MEDIUM.value)
    for record in records:
        if _is(disk, record.mirror):
            roles.append(f"mirror {record.name} ({record.state.value})")
        elif _is(disk, record.source):
            roles.append("source")
    return list(dict.fromkeys(roles))


def _is(disk: Disk, ref: DiskRef) -> bool:
    """Whether a disk is the one a record names: by its table, its hardware without."""
    if disk.table is None:
        return disk.id.same_disk(ref.id)
    return disk.table.uuid == ref.table_uuid
