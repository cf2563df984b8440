"""How far a step is: what is told, and what a terminal shows of it."""

import io
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from rescue.apply.copy_progress import Whole, progress_of, whole_of
from rescue.model.event import Progress, StepDone, StepStarted
from rescue.model.storage.filesystem import FsKind
from rescue.system.rsync.progress import Advance
from rescue.system.rsync.rsync import SyncJob
from rescue.ui import terminal
from rescue.ui.progress import clock, figures_of
from rescue.ui.screen import Screen

SEEN = Advance(
    bytes_done=250, share=0.9, rate="1.00MB/s", files_seen=30, files_listed=40
)  # fmt: skip
WHOLE = Whole(size=1000, files=120)


def test_a_first_copy_is_as_far_as_its_bytes_and_a_later_one_as_far_as_its_files() -> None:
    first = progress_of(SEEN, WHOLE, first=True, seconds=10)
    assert (first.share, first.seconds_left) == (0.25, 30)
    later = progress_of(SEEN, WHOLE, first=False, seconds=10)
    assert (later.share, later.files_done, later.files_total) == (0.25, 30, 120)


def test_nothing_is_done_before_its_end_and_no_time_is_guessed() -> None:
    grown = replace(SEEN, bytes_done=5000, files_seen=500, files_listed=600)
    assert progress_of(grown, WHOLE, first=True, seconds=10).share == 0.99
    listed = replace(grown, files_seen=600)
    assert progress_of(listed, WHOLE, first=False, seconds=10).share == 0.99
    assert progress_of(grown, WHOLE, first=False, seconds=10).files_total == 600
    begun = progress_of(replace(SEEN, bytes_done=1, files_seen=0), WHOLE, first=True, seconds=10)
    assert begun.seconds_left is None
    assert progress_of(SEEN, WHOLE, first=True, seconds=1).seconds_left is None


def test_where_the_source_does_not_count_rsync_is_believed() -> None:
    told = progress_of(SEEN, Whole(), first=False, seconds=10)
    assert (told.share, told.files_done, told.files_total) == (0.9, 30, 0)


def test_the_source_counts_for_itself_but_not_for_named_paths(tmp_path: Path) -> None:
    job = SyncJob(source=tmp_path, target=tmp_path, kind=FsKind.EXT4)
    assert whole_of(job).size > 0
    assert whole_of(replace(job, paths=("/home",))) == Whole()


@pytest.mark.parametrize(("seconds", "shown"), [(5, "0:05"), (245, "4:05"), (3723, "1:02:03")])
def test_times_are_shown_as_a_clock_does(seconds: float, shown: str) -> None:
    assert clock(seconds) == shown


LARGEST = Progress(
    bytes_done=1023 * 1024**3 + 900 * 1024**2,
    share=0.98,
    rate="410.53MB/s",
    files_done=1_234_567,
    files_total=1_345_678,
    seconds_left=36_000,
)


def drawn(*events: StepStarted | Progress | StepDone, width: int = 80) -> list[str]:
    """Return the lines that a terminal of that width was sent, without its control sequences."""
    out = io.StringIO()
    console = Console(
        file=out, force_terminal=True, width=width, color_system=None, legacy_windows=False
    )
    screen = Screen(console=console)
    for event in events:
        screen.emit(event)
    screen.close()
    return [line.replace("\x1b[2K", "") for line in out.getvalue().replace("\r", "").splitlines()]


def test_name_and_figures_fit_a_terminal_of_80_columns() -> None:
    title = "mirror /var/lib/containers, comparing every file's content"
    lines = drawn(StepStarted(number=10, total=16, title=title), LARGEST)
    assert any(f"[10/16] {title}" in line for line in lines)
    figures = "98%  1023.9 GiB  1234567/1345678 files  410.53MB/s  10:00:00 left"
    assert "  ".join(figures_of(LARGEST)) == figures
    (shown,) = {line.rstrip() for line in lines if "98%" in line}
    assert all(figure in shown for figure in ("98%", "1023.9 GiB", "files", "410.53MB/s", "left"))
    assert len(shown) <= 80


def test_without_a_terminal_each_step_is_one_line() -> None:
    out = io.StringIO()
    screen = Screen(console=Console(file=out, width=80, soft_wrap=True))
    screen.emit(StepStarted(number=1, total=2, title="copy /"))
    screen.emit(LARGEST)
    screen.emit(StepDone(number=1, total=2, title="copy /", seconds=1.5, detail="9 files"))
    assert out.getvalue() == "[1/2] copy /: 9 files (1.5 s)\n"


@pytest.mark.parametrize(
    ("spoken", "kind", "lines"),
    [
        ("C.UTF-8", "xterm-256color", True),
        ("en_US.utf8", "linux", True),
        ("C.UTF-8", "vt220", False),
        ("C", "linux", False),
        ("", "xterm", False),
    ],
)
def test_lines_are_drawn_where_the_terminal_can(
    monkeypatch: pytest.MonkeyPatch, spoken: str, kind: str, lines: bool
) -> None:
    for name in ("LC_ALL", "LC_CTYPE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LANG", spoken)
    monkeypatch.setenv("TERM", kind)
    assert terminal.draws_lines() is lines
    assert terminal.console().options.ascii_only is not lines


def test_what_takes_its_time_is_seen_on_a_terminal_alone() -> None:
    for terminal_there in (True, False):
        out = io.StringIO()
        console = Console(file=out, force_terminal=terminal_there, width=80, color_system=None)
        with Screen(console=console).busy("looking [at] it"):
            pass
        assert ("looking [at] it" in out.getvalue()) is terminal_there
