"""The status on a terminal of 80 columns, and what a program gets instead."""

import io
import json
from dataclasses import replace

import pytest
from rich.console import Console

from rescue.model.run.next_step import Next, NextStep
from rescue.model.run.status import Health, Status
from rescue.store.codec import to_json
from rescue.ui.screen import Screen
from rescue.ui.status.frames import status_view
from tests.property.test_metrics import MIRROR, STATUS


def drawn(status: Status, *, encoding: str = "utf-8") -> str:
    raw = io.BytesIO()
    console = Console(
        file=io.TextIOWrapper(raw, encoding=encoding, write_through=True),
        width=80,
        force_terminal=True,
        color_system=None,
        legacy_windows=False,
    )
    for part in status_view(status):
        console.print(part)
    return raw.getvalue().decode(encoding)


def test_a_frame_for_each_mirror() -> None:
    two = replace(STATUS, mirrors=(MIRROR, replace(MIRROR, name="vault", health=Health.WARNING)))
    shown = drawn(two)
    assert "mirror 'MIRROR01' (MIR0001): GOOD" in shown
    assert "mirror 'vault' (MIR0001): WARNING" in shown
    assert "if SRC0001 dies now: 7 h 13 min of changes are lost" in shown
    assert "first disk SRC0001" in shown
    assert max(len(line) for line in shown.splitlines()) <= 80


@pytest.mark.parametrize("said", ["[/] not markup [bold]", "x" * 200, "a\nb"])
def test_what_a_run_said_is_shown_as_it_is(said: str) -> None:
    shown = drawn(replace(STATUS, mirrors=(replace(MIRROR, last_error=said),)))
    assert max(len(line) for line in shown.splitlines()) <= 80
    letters = "".join(char for char in shown if char.isalpha() or char in "[]/")
    assert "".join(char for char in said if char.isalpha() or char in "[]/") in letters


def test_json_is_printed_to_the_letter() -> None:
    text = to_json(
        replace(
            STATUS,
            host="[/] :bug: [bold]",
            next_steps=(NextStep(what=Next.FAILBACK, disk="x" * 300),),
        )
    )
    out = io.StringIO()
    Screen(console=Console(file=out, width=40)).show_plain(text)
    assert json.loads(out.getvalue()) == json.loads(text)
