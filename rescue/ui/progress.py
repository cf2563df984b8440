"""The progress of a running step on a terminal."""

from collections.abc import Iterable

from rich.console import Console, RenderableType
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.text import Text

from rescue.model.event import Progress as Advance
from rescue.model.event import StepStarted
from rescue.units import human_bytes

_HOUR = 3600
_TIMES_A_SECOND = 4
"""Often enough to look alive, and seldom enough for a serial line."""


class _TwoLines(Progress):
    """The step's name on a line of its own: beside the figures it would be truncated."""

    def get_renderables(self) -> Iterable[RenderableType]:
        """Return what is redrawn each time."""
        for task in self.tasks:
            yield Text(task.description, style="bold", no_wrap=True, overflow="ellipsis")
            yield self.make_tasks_table([task])


class StepProgress:
    """One step while it runs; what it drew is removed when it stops."""

    def __init__(self, event: StepStarted, console: Console) -> None:
        """Draw the step with its end still unknown."""
        self._progress = _TwoLines(
            TextColumn(" "),
            BarColumn(bar_width=None),
            TextColumn("{task.fields[figures]}", markup=False),
            TimeElapsedColumn(),
            console=console,
            transient=True,
            expand=True,
            refresh_per_second=_TIMES_A_SECOND,
        )
        name = f"[{event.number}/{event.total}] {event.title}"
        self._task = self._progress.add_task(name, total=None, figures="")
        self._progress.start()

    def advance(self, event: Advance) -> None:
        """Show the progress of the step."""
        figures = "  ".join(figures_of(event))
        self._progress.update(self._task, total=1.0, completed=event.share, figures=figures)

    def stop(self) -> None:
        """Take it off the terminal."""
        self._progress.stop()


def figures_of(event: Advance) -> tuple[str, ...]:
    """Return what is known, each in a few characters: share, bytes, files, rate, time left.

    With the time that is gone by and a bar of ten characters they fit a line of 80.
    """
    files = ""
    if event.files_total:
        files = f"{event.files_done}/{event.files_total} files"
    elif event.files_done:
        files = f"{event.files_done} files"
    left = f"{clock(event.seconds_left)} left" if event.seconds_left is not None else ""
    share = f"{int(event.share * 100)}%"
    return tuple(filter(None, (share, human_bytes(event.bytes_done), files, event.rate, left)))


def clock(seconds: float) -> str:
    """Return a time in seconds in clock format: '4:05', '1:02:03'."""
    hours, rest = divmod(round(seconds), _HOUR)
    minutes, left = divmod(rest, 60)
    return f"{hours}:{minutes:02}:{left:02}" if hours else f"{minutes}:{left:02}"
