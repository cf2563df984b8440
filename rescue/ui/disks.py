"""The table of `rescue disks`."""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Group
from rich.table import Table
from rich.text import Text

from rescue.model.medium import MEDIUM_TABLE
from rescue.model.mirror.record import DiskRef, MirrorRecord
from rescue.model.mirror.role import Role
from rescue.model.storage.device import DeviceKind
from rescue.model.storage.disk import Disk, Partition, PartitionKind, UseKind
from rescue.model.storage.graph import Graph
from rescue.model.storage.machine import Machine
from rescue.ui.layers import describe, layer_lines, loose_lines, mounted_on
from rescue.units import human_bytes, to_bytes

SYSTEM = "system"
"""The role shown for the disk that the running system's root is on."""


@dataclass(frozen=True, kw_only=True)
class DiskRow:
    """One disk as displayed; every field is readable text."""

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
    if loose := loose_lines(machine.graph):
        table.add_row("", Text("on no disk"), Group(*(Text(line) for line in loose)), "")
    return table


def carries_system(disk: Disk, machine: Machine) -> bool:
    """Whether the running root lies on the disk, directly or through layers above it."""
    return disk.path in system_disks(machine)


def _row(disk: Disk, machine: Machine, records: Sequence[MirrorRecord], *, long: bool) -> DiskRow:
    return DiskRow(
        device=disk.path,
        identity=_names(disk) if long else _names(disk)[:1] + _stand_in(disk),
        size=human_bytes(disk.size),
        model=_model(disk),
        table=disk.table.kind.name if disk.table else "no table",
        holds=_holds(disk, machine.graph),
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


def layered_disks(machine: Machine, *paths: str) -> tuple[Text, ...]:
    """Return the disks at these paths as trees, each below its name; none without layers.

    Where partitions hold file systems without anything in between, other tables say the same.
    """
    graph = machine.graph
    disks = [disk for path in paths if (disk := machine.disk_at(path)) is not None]
    if not any(_has_layers(disk, graph) for disk in disks):
        return ()
    return tuple(
        Text(line)
        for disk in disks
        for line in (
            f"{disk.path}, {human_bytes(disk.size)}:",
            *(f"  {line}" for line in _holds(disk, graph)),
        )
    )


def _has_layers(disk: Disk, graph: Graph) -> bool:
    over = (each for path in _places(disk) for each in layer_lines(graph, path))
    return any(over)


def _places(disk: Disk) -> tuple[str, ...]:
    return (disk.path, *(part.path for part in disk.partitions))


def system_disks(machine: Machine) -> tuple[str, ...]:
    """Return the paths of the disks that the running root lies on, through whatever layers."""
    root = machine.mount_at("/")
    chain = machine.chain(root) if root is not None else ()
    return tuple(device.path for device in chain if device.kind is DeviceKind.DISK)


def _holds(disk: Disk, graph: Graph) -> tuple[str, ...]:
    """Return what lies on a disk and on its partitions, with the layers above each."""
    whole = describe(disk.content)
    lines = tuple(line for part in disk.partitions for line in _on_partition(part, disk, graph))
    if whole or not (disk.table or lines):
        own = f"{whole}{mounted_on(disk.uses)}" if whole else "empty"
        return (own, *layer_lines(graph, disk.path), *lines)
    return (*layer_lines(graph, disk.path), *lines) or ("empty table",)


def _on_partition(part: Partition, disk: Disk, graph: Graph) -> tuple[str, ...]:
    return (_partition(part, disk), *layer_lines(graph, part.path))


def _partition(part: Partition, disk: Disk) -> str:
    size = human_bytes(to_bytes(part.length, logical_sector=disk.logical_sector))
    if part.kind is PartitionKind.EXTENDED:
        return f"{part.number}: {size} extended"
    flags = "BIOS boot" if "bios_grub" in part.flags else "empty"
    return f"{part.number}: {size} {describe(part.content) or flags}{mounted_on(part.uses)}"


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
