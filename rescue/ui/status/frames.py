"""The status on a terminal: a frame for each mirror."""

from rich.console import RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from rescue.model.run.status import Health, MirrorStatus, Status
from rescue.ui.next_steps import step_words
from rescue.ui.rot import trouble_lines
from rescue.ui.status.facts import Fact, disk_fact, duration_words, exposure_sentence, mirror_facts
from rescue.ui.status.lines import headline
from rescue.ui.terminal import one_line

STYLE = {
    Health.GOOD: "green",
    Health.WARNING: "yellow",
    Health.CRITICAL: "bold red",
    Health.UNKNOWN: "yellow",
}


def status_view(status: Status) -> tuple[RenderableType, ...]:
    """Return what `status_lines` says, in frames and columns."""
    parts: list[RenderableType] = [
        Text(f"{status.health.name}: {headline(status)}", style=STYLE[status.health])
    ]
    parts += [Text(said, style="bold yellow") for said in status.damage]
    if status.exposure is not None and status.mirrors:
        parts.append(Text(exposure_sentence(status.exposure, disk=status.disk), style="bold"))
    parts += [_frame(each, now=status.at) for each in status.mirrors]
    if status.disk_health is not None:
        first = _columns((disk_fact(status.disk_health),))
        title = one_line(Text(f"first disk {status.disk}"))
        parts.append(Panel(first, title=title, title_align="left"))
    if status.turn:
        parts.append(Text(f"it is the day of mirror '{status.turn}'"))
    if status.next_steps:
        parts.append(Text("next:"))
        parts += [Text(f"  {step}", style="bold") for step in map(step_words, status.next_steps)]
    return tuple(parts)


def _frame(each: MirrorStatus, *, now: float) -> Panel:
    style = STYLE[each.health]
    attached = "attached" if each.attached else "not attached"
    # Before its frame is drawn around it: rich measures a title once.
    title = one_line(Text(f"mirror '{each.name}' ({each.disk}): {each.health.name}", style=style))
    age = duration_words(each.age) if each.last_complete else "never complete"
    if each.overdue_after:
        age += f", OVERDUE: its limit is {duration_words(each.overdue_after)}"
    facts = [
        Fact(name="age", said=age, bad=each.overdue_after > 0 or not each.last_complete),
        Fact(name="state", said=f"{each.state}, generation {each.generation}, {attached}"),
    ]
    if each.last_error:
        facts.append(Fact(name="last error", said=each.last_error, bad=True))
    facts += [Fact(name="last run", said=said, bad=True) for said in trouble_lines(each.troubles)]
    if each.vanished:
        said = f"{each.vanished} files vanished while it copied them"
        facts.append(Fact(name="last run", said=said))
    facts += mirror_facts(each, now=now)
    return Panel(_columns(tuple(facts)), title=title, title_align="left", border_style=style)


def _columns(facts: tuple[Fact, ...]) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", max_width=24)
    table.add_column(overflow="fold")
    for fact in facts:
        table.add_row(Text(fact.name), Text(fact.said, style="bold yellow" if fact.bad else ""))
    return table
