"""A restore for people: what was found, what would come back, what came back."""

from collections.abc import Iterable, Iterator, Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from rescue.model.finding import Finding, Severity
from rescue.model.restore.way_back import HOMES, RestorePlan, RestoreReport, Told
from rescue.units import human_bytes

MOST_PATHS = 20
_MARKS = {Severity.OK: "ok", Severity.NOTE: "note", Severity.ERROR: "LOST"}
_STYLES = {Severity.OK: "green", Severity.NOTE: "yellow", Severity.ERROR: "bold red"}


def diagnosis_lines(findings: Iterable[Finding]) -> tuple[Text, ...]:
    """Return a line for each finding on the dead disk."""
    return tuple(
        Text(f"  {_MARKS[one.severity]:<5} {one.link}: {one.message}", style=_STYLES[one.severity])
        for one in findings
    )


def render_restore(plan: RestorePlan) -> RenderableType:
    """Given a plan, return what would come back for each user, and what to know beforehand."""
    parts: list[RenderableType] = [
        Text(f"Plan: bring back files from {plan.origin.kind} {plan.origin.path}", style="bold"),
        Text(f"  identity  {plan.origin.name}"),
        Text(f"  onto      {plan.host}, running from its mirror '{plan.mirror}'"),
        *diagnosis_lines(plan.findings),
        _table(plan.users),
    ]
    parts += [
        Text(
            f"  room      {one.mount_point}: {human_bytes(one.needed)} needed, "
            f"{human_bytes(one.free)} free"
        )
        for one in plan.room
    ]
    if plan.newest:
        parts.append(Text("Newest changes that would come:", style="bold"))
        parts += [Text(f"  {path}") for path in plan.newest]
    parts += [Text(f"Note: {note}", style="yellow") for note in plan.notes]
    for words, paths in (
        ("a time in the future, there", plan.future_there),
        ("a time in the future, here", plan.future_here),
    ):
        parts += [Text(f"  {words}: {path}") for path in _first(paths)]
    parts.append(Text("Nothing is deleted, and no file that is newer here is replaced."))
    return Group(*parts)


def list_lines(plan: RestorePlan) -> Iterator[Text]:
    """Yield a line for every file that would come back."""
    for told in plan.users:
        for words, paths in (("new", told.new), ("updated", told.updated + told.doubtful)):
            yield from (Text(f"  {words:<8} {_place(told, path)}") for path in paths)


def render_report(report: RestoreReport) -> RenderableType:
    """Return what came back, for display on a terminal."""
    return Group(*(Text(line) for line in report_lines(report, most=MOST_PATHS)))


def report_lines(report: RestoreReport, *, most: int | None = None) -> Iterator[str]:
    """Yield the report line by line, with `most` paths of each kind, or all by default."""
    state = "complete" if report.complete else "PARTIAL"
    yield f"Back from {report.origin.name} to {report.host}: {state}, {report.seconds:.0f} s"
    for told in report.users:
        yield ""
        yield f"{_name(told)}: {_sentence(told)}"
        yield from _paths("returned", (*told.new, *told.updated, *told.doubtful), told, most)
        yield from _paths("kept, newer here", told.newer_here, told, most)
        yield from _paths("kept, of another type here", told.other_kind, told, most)
        yield from _paths("only here", told.only_here, told, most)
        yield from _paths("NOT READABLE", told.unreadable, told, most)
    yield from ("", *(f"put aside: {folder}" for folder in report.replaced))
    yield from (f"note: {note}" for note in report.notes)
    yield from (f"{one.link}: {one.message}" for one in report.findings)
    yield from (f"a time in the future, there: {path}" for path in report.future_there)
    yield from (f"a time in the future, here: {path}" for path in report.future_here)


def _sentence(told: Told) -> str:
    counts = (
        f"{len(told.comes)} returned ({human_bytes(told.bytes_back)})",
        f"{len(told.newer_here)} kept because newer here",
        f"{len(told.only_here)} only here",
        f"{told.same} the same",
        f"{len(told.other_kind)} kept, of another type here" if told.other_kind else "",
        f"{told.owners_differ} with a different owner or mode there" if told.owners_differ else "",
        f"{len(told.unreadable)} could not be read" if told.unreadable else "",
    )
    return ", ".join(filter(None, counts))


def _table(users: Sequence[Told]) -> Table:
    grid = Table(show_edge=False, pad_edge=True, title_justify="left")
    for heading in ("whose", "new", "updated", "size", "newer here", "only here", "same"):
        grid.add_column(heading, overflow="fold", justify="left" if heading == "whose" else "right")
    for told in users:
        grid.add_row(
            Text(_name(told)),
            str(len(told.new)),
            str(len(told.updated) + len(told.doubtful)),
            human_bytes(told.bytes_back),
            str(len(told.newer_here)),
            str(len(told.only_here)),
            str(told.same),
        )
    return grid


def _name(told: Told) -> str:
    if told.user and told.tree != HOMES:
        return f"{told.tree} ({told.user})"
    return f"{told.tree}/{told.user}" if told.user else told.tree


def _place(told: Told, path: str) -> str:
    return f"{told.tree}/{path}" if path else told.tree


def _paths(words: str, paths: Sequence[str], told: Told, most: int | None) -> Iterator[str]:
    for path in paths[:most]:
        yield f"  {words}: {_place(told, path)}"
    if most is not None and len(paths) > most:
        yield f"  ... and {len(paths) - most} more"


def _first(paths: Sequence[str]) -> Sequence[str]:
    return paths[:MOST_PATHS]
