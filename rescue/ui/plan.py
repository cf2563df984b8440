"""A plan as a person reads it before confirming."""

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from rescue.model.disk import Partition, PartitionTable
from rescue.model.filesystem import FileSystem, SwapArea
from rescue.model.medium import MediumPlan
from rescue.model.plan import Plan
from rescue.model.step import MakeFilesystem, MakeSwap, WriteTable
from rescue.model.title import title
from rescue.units import human_bytes


def render_plan(plan: Plan) -> RenderableType:
    """Given a plan, return all of it: disk, what is lost, every partition, steps, notes."""
    disk = plan.record.mirror.id
    parts: list[RenderableType] = [
        Text(f"Plan: {plan.kind} {plan.target_path}", style="bold"),
        Text(f"  disk      {plan.target_model or 'disk'}, {human_bytes(plan.target_size)}"),
        Text(f"  identity  {disk.name}"),
        *(Text(f"            /dev/disk/by-id/{link}") for link in disk.by_id),
        Text(f"  source    {plan.record.source.id.name or plan.record.source.table_uuid}"),
    ]
    parts += [Text(f"  lost      {sentence}", style="bold red") for sentence in plan.loses]
    parts += [_partitions(plan, step.table) for step in plan.steps if isinstance(step, WriteTable)]
    parts.append(Text("Steps:", style="bold"))
    parts += [Text(f"  {n}. {title(step)}") for n, step in enumerate(plan.steps, start=1)]
    parts += [Text(f"Note: {note}", style="yellow") for note in plan.notes]
    return Group(*parts)


def render_medium(plan: MediumPlan) -> RenderableType:
    """Given the plan of a medium, return all of it: stick, what is lost, image, notes."""
    parts: list[RenderableType] = [
        Text(f"Plan: rescue medium on {plan.target_path}", style="bold"),
        Text(f"  disk      {plan.target_model or 'disk'}, {human_bytes(plan.target_size)}"),
        Text(f"  identity  {plan.disk.name}"),
        *(Text(f"            /dev/disk/by-id/{link}") for link in plan.disk.by_id),
        Text(f"  image     {human_bytes(plan.image.size)}, SHA-256 {plan.image.sha256}"),
    ]
    parts += [Text(f"  lost      {sentence}", style="bold red") for sentence in plan.loses]
    parts += [Text(f"Note: {note}", style="yellow") for note in plan.notes]
    return Group(*parts)


def _partitions(plan: Plan, table: PartitionTable) -> Table:
    """Every partition with start, length, type, name, flags, file system, label, mount point."""
    grid = Table(
        title=f"{table.kind} table {table.uuid}",
        title_justify="left",
        show_edge=False,
        pad_edge=True,
    )
    for heading in ("#", "start", "length", "size", "type", "name", "flags", "holds", "label"):
        grid.add_column(heading, overflow="fold")
    grid.add_column("mount point", overflow="fold")
    made = {
        step.partition: step for step in plan.steps if isinstance(step, MakeFilesystem | MakeSwap)
    }
    for part in table.partitions:
        grid.add_row(*_cells(part, made.get(part.number), plan))
    return grid


def _cells(part: Partition, made: MakeFilesystem | MakeSwap | None, plan: Plan) -> tuple[str, ...]:
    holds: FileSystem | SwapArea | None = None
    kind, where = "", ""
    if isinstance(made, MakeFilesystem):
        holds, kind, where = made.filesystem, str(made.filesystem.kind), made.mount_point
    elif isinstance(made, MakeSwap):
        holds, kind = made.swap, "swap"
    flags = (*part.flags, *(("boot",) if part.bootable and "boot" not in part.flags else ()))
    sector = plan.logical_sector
    return (
        str(part.number),
        str(part.start),
        str(part.length),
        human_bytes(part.length * sector),
        part.type,
        part.name,
        " ".join((*flags, *part.attrs.split())),
        kind or str(part.kind),
        holds.label if holds else "",
        where,
    )
