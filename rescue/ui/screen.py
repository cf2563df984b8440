"""The screen of a running command: rich on a terminal, plain lines in the journal."""

from collections.abc import Iterable, Iterator, Set
from contextlib import contextmanager
from typing import assert_never

from rich.console import Console, RenderableType
from rich.text import Text

from rescue.errors import RescueError
from rescue.model.event import Event, Notice, StepDone, StepStarted
from rescue.model.event import Progress as Advance
from rescue.model.fault import FaultsError
from rescue.model.finding import Refusal
from rescue.model.mirror.record import RunSummary
from rescue.ui import terminal
from rescue.ui.progress import StepProgress
from rescue.ui.rot import failing_source_lines, suspect_hints, suspect_line
from rescue.units import human_bytes

MOST_PATHS = 20


class Screen:
    """The terminal (or the journal) that one command writes to."""

    def __init__(self, *, console: Console | None = None, errors: Console | None = None) -> None:
        self.out = console or terminal.console()
        self.err = errors or terminal.console(errors=True)
        self._bar: StepProgress | None = None
        self._noted: set[str] = set()

    @property
    def noted(self) -> Set[str]:
        """What was said meanwhile that was not as on other nights."""
        return self._noted

    def show(self, what: RenderableType) -> None:
        """Print something a command was asked for; a text is one line."""
        self.out.print(Text(what) if isinstance(what, str) else what)

    def show_plain(self, text: str) -> None:
        """Print lines for another program (JSON, too), without folding or markup."""
        for line in text.removesuffix("\n").split("\n"):
            self.out.print(Text(line), soft_wrap=True)

    def warn(self, said: str) -> None:
        """Print something that needs attention, although the command continues."""
        self.err.print(Text(f"warning: {said}", style="yellow"))

    @contextmanager
    def busy(self, what: str) -> Iterator[None]:
        """Show on a terminal that something takes its time, while the block runs."""
        if not self.out.is_terminal:
            yield
            return
        with self.out.status(
            Text(what),
            spinner="line" if self.out.options.ascii_only else "dots",
            refresh_per_second=4,
        ):
            yield

    def refuse(self, refusals: Iterable[Refusal]) -> None:
        """Print every reason at once, each with what to do about it."""
        for refusal in refusals:
            self.err.print(Text(f"refused: {refusal.reason}", style="bold red"))
            if refusal.hint:
                self.err.print(Text(f"   hint: {refusal.hint}"))

    def fail(self, error: RescueError) -> None:
        """Print what went wrong and what to do next."""
        self.err.print(Text(f"rescue: {error.message}", style="bold red"))
        if error.hint:
            self.err.print(Text(f"  hint: {error.hint}"))

    def blame(self, error: FaultsError) -> None:
        """Print every key that cannot be meant, a line for each where there are several."""
        if len(error.faults) == 1:
            self.fail(error)
            return
        head = f"rescue: {error.where}: {len(error.faults)} keys are wrong"
        self.err.print(Text(head, style="bold red"))
        for fault in error.faults:
            self.err.print(Text(f"  {fault.said}"))
        self.err.print(Text(f"  hint: {error.hint}"))

    def trace(self, lines: Iterable[str]) -> None:
        """Print where an error came from, if that was requested."""
        for line in lines:
            self.err.print(Text(line), soft_wrap=True)

    def emit(self, event: Event) -> None:
        """Print an event of a running plan."""
        match event:
            case StepStarted():
                self._stop_bar()
                if self.out.is_terminal:
                    self._bar = StepProgress(event, self.out)
            case StepDone():
                self._stop_bar()
                detail = f": {event.detail}" if event.detail else ""
                what = f"[{event.number}/{event.total}] {event.title}{detail}"
                self.out.print(Text(f"{what} ({event.seconds:.1f} s)"))
            case Advance():
                if self._bar:
                    self._bar.advance(event)
            case Notice():
                self._noted.add(event.message)
                self.out.print(Text(f"note: {event.message}", style="yellow"))
            case _:
                assert_never(event)

    def close(self) -> None:
        """Take the progress bar off the terminal, in whatever way the command ends."""
        self._stop_bar()

    def _stop_bar(self) -> None:
        if self._bar:
            self._bar.stop()
            self._bar = None


def summary_lines(summary: RunSummary, *, noted: Set[str] = frozenset()) -> list[str]:
    """Given what a run did, return the lines that end it, without what was `noted` already."""
    lines = [
        f"{summary.files_total} files "
        f"checked{' (all contents compared)' if summary.checksum else ''}, "
        f"{summary.files_changed} changed ({human_bytes(summary.bytes_changed)}), "
        f"{summary.deletions} deleted, {summary.seconds:.0f} s"
    ]
    if summary.live:
        lines.append(f"copied while in use, without a snapshot: {', '.join(summary.live)}")
    if summary.vanished:
        lines.append(f"note: {summary.vanished} files vanished while they were copied")
    lines += [f"note: {said}" for said in summary.notes if said not in noted]
    lines += [f"failed: {said}" for said in summary.hooks_failed]
    lines += failing_source_lines(summary)
    lines += [
        f"DEGRADED: more files of {point} were rewritten with their size and time unchanged than "
        "one run copies: the rest follows with the next run"
        for point in summary.postponed
    ]
    lines += [suspect_line(each) for each in summary.suspects]
    lines += suspect_hints(summary.suspects)
    lines += [
        f"could not be read, so the mirror keeps its version: {path}"
        for path in summary.unreadable[:MOST_PATHS]
    ]
    if len(summary.unreadable) > MOST_PATHS:
        lines.append(f"... and {len(summary.unreadable) - MOST_PATHS} more")
    return lines
