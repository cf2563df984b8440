"""A plan, as shown before it is confirmed."""

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.table import Table
from rich.text import Text

from rescue.model.medium import MediumPlan
from rescue.model.mirror.plan import Plan
from rescue.model.mirror.step import MakeFilesystem, MakeSwap, WriteTable
from rescue.model.mirror.step_title import title
from rescue.model.storage.disk import Partition, PartitionTable
from rescue.model.storage.machine import Machine
from rescue.model.storage.place import place_of
from rescue.ui.disks import layered_disks, system_disks
from rescue.units import human_bytes

_PLACE = ("#", "start", "length", "size")
_KIND = ("type", "name", "flags")
_HOLDS = ("holds", "label", "mount point")
_WIDE = 140
"""In fewer columns a type's GUID would be folded into a pillar."""


def render_plan(plan: Plan, machine: Machine) -> RenderableType:
    """Given a plan, return all of it: disk, what is lost, every partition, steps, notes.

    Where the machine it was made for has layers, they are shown as they are.
    """
    disk = plan.shown
    parts: list[RenderableType] = [
        Text(f"Plan: {plan.kind} {plan.target_path}", style="bold"),
        Text(f"  disk      {plan.target_model or 'disk'}, {human_bytes(plan.target_size)}"),
        Text(f"  identity  {plan.name}"),
        *(Text(f"            /dev/disk/by-id/{link}") for link in disk.by_id),
        Text(f"  source    {plan.record.source.id.name or plan.record.source.table_uuid}"),
    ]
    parts += [Text(f"  lost      {sentence}", style="bold red") for sentence in plan.loses]
    parts += as_it_is(machine, plan.target_path)
    parts += [_Partitions(plan, step.table) for step in plan.steps if isinstance(step, WriteTable)]
    parts.append(Text("Steps:", style="bold"))
    parts += [Text(f"  {n}. {title(step)}") for n, step in enumerate(plan.steps, start=1)]
    parts += [Text(f"Note: {note}", style="yellow") for note in plan.notes]
    # Said once more: on a screen of 24 lines the beginning is gone.
    parts.append(Text(f"Disk: {plan.target_path}, identity {plan.name}", style="bold"))
    return Group(*parts)


def as_it_is(machine: Machine, target: str = "") -> tuple[Text, ...]:
    """Return the disks of the running system and the one at `target`, with every layer on them.

    Nothing is returned where there are no layers.
    """
    trees = layered_disks(machine, *dict.fromkeys((*system_disks(machine), target)))
    return (Text("As it is now:", style="bold"), *trees) if trees else ()


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


class _Partitions:
    """Every partition of a plan: in one table if it fits, otherwise with type and name below."""

    def __init__(self, plan: Plan, table: PartitionTable) -> None:
        self._plan = plan
        self._table = table
        self._made = {
            step.place: step for step in plan.steps if isinstance(step, MakeFilesystem | MakeSwap)
        }

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Draw it for this terminal."""
        wide = options.max_width >= _WIDE
        grid = Table(
            title=f"{self._table.kind} table {self._table.uuid}",
            title_justify="left",
            show_edge=False,
            pad_edge=True,
        )
        for heading in (*_PLACE, *(_KIND if wide else ()), *_HOLDS):
            grid.add_column(heading, overflow="fold")
        for part in self._table.partitions:
            kind = self._kind(part) if wide else ()
            grid.add_row(*(Text(cell) for cell in (*self._place(part), *kind, *self._holds(part))))
        yield grid
        if not wide:
            for part in self._table.partitions:
                words = " ".join(filter(None, self._kind(part)))
                yield Text(f"  {part.number}: type {words}")

    def _place(self, part: Partition) -> tuple[str, ...]:
        size = human_bytes(part.length * self._plan.logical_sector)
        return str(part.number), str(part.start), str(part.length), size

    def _kind(self, part: Partition) -> tuple[str, ...]:
        boot = ("boot",) if part.bootable and "boot" not in part.flags else ()
        name = f"'{part.name}'" if part.name else ""
        return part.type, name, " ".join((*part.flags, *boot, *part.attrs.split()))

    def _holds(self, part: Partition) -> tuple[str, ...]:
        match self._made.get(place_of(part)):
            case MakeFilesystem(filesystem=holds, mount_point=where):
                return str(holds.kind), holds.label, where
            case MakeSwap(swap=swap):
                return "swap", swap.label, ""
            case _:
                return str(part.kind), "", ""
