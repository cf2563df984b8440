"""What a command says while it works: rich on a terminal, one plain line each in the journal."""

from collections.abc import Iterable
from typing import assert_never

from rich.console import Console, RenderableType
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from rescue.errors import RescueError
from rescue.model.event import Event, Notice, StepDone, StepStarted
from rescue.model.event import Progress as Advance
from rescue.model.finding import Refusal
from rescue.model.record import RunSummary
from rescue.units import human_bytes

MOST_PATHS = 20


class Screen:
    """The terminal (or the journal) that one command writes to."""

    def __init__(self, *, console: Console | None = None, errors: Console | None = None) -> None:
        # Without a terminal nothing may be folded: each line is one record for the journal.
        self.out = console or Console(highlight=False, soft_wrap=True)
        self.err = errors or Console(stderr=True, highlight=False, soft_wrap=True)
        self._bar: Progress | None = None

    def show(self, what: RenderableType) -> None:
        """Print something a command was asked for."""
        self.out.print(what)

    def refuse(self, refusals: Iterable[Refusal]) -> None:
        """Print every reason at once, each with what to do about it."""
        for refusal in refusals:
            self.err.print(f"refused: {refusal.reason}", style="bold red", markup=False)
            if refusal.hint:
                self.err.print(f"   hint: {refusal.hint}", markup=False)

    def fail(self, error: RescueError) -> None:
        """Print what went wrong and what to do next."""
        self.err.print(f"rescue: {error.message}", style="bold red", markup=False)
        if error.hint:
            self.err.print(f"  hint: {error.hint}", markup=False)

    def emit(self, event: Event) -> None:
        """Print an event of a running plan."""
        match event:
            case StepStarted():
                if self.out.is_terminal:
                    self._start_bar(event)
            case StepDone():
                self._stop_bar()
                detail = f": {event.detail}" if event.detail else ""
                self.out.print(
                    f"[{event.number}/{event.total}] {event.title}{detail} ({event.seconds:.1f} s)",
                    markup=False,
                )
            case Advance():
                if self._bar:
                    rate = f"{human_bytes(event.bytes_done)} {event.rate}"
                    self._bar.update(self._bar.task_ids[0], completed=event.share, rate=rate)
            case Notice():
                self.out.print(f"note: {event.message}", style="yellow", markup=False)
            case _:
                assert_never(event)

    def close(self) -> None:
        """Take the progress bar off the terminal, in whatever way the command ends."""
        self._stop_bar()

    def _start_bar(self, event: StepStarted) -> None:
        self._stop_bar()
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.fields[rate]}"),
            TimeElapsedColumn(),
            console=self.out,
            transient=True,
        )
        self._bar.add_task(f"[{event.number}/{event.total}] {event.title}", total=1.0, rate="")
        self._bar.start()

    def _stop_bar(self) -> None:
        if self._bar:
            self._bar.stop()
            self._bar = None


def summary_lines(summary: RunSummary) -> list[str]:
    """Given what a run did, return the lines that end it."""
    lines = [
        f"{summary.files_total} files looked at"
        f"{' (every content compared)' if summary.checksum else ''}, "
        f"{summary.files_changed} changed ({human_bytes(summary.bytes_changed)}), "
        f"{summary.deletions} deleted, {summary.seconds:.0f} s"
    ]
    if summary.vanished:
        lines.append(f"note: {summary.vanished} files vanished while they were copied")
    lines += [f"could not be read: {path}" for path in summary.unreadable[:MOST_PATHS]]
    if len(summary.unreadable) > MOST_PATHS:
        lines.append(f"... and {len(summary.unreadable) - MOST_PATHS} more")
    return lines
