"""What people see of a restore, and the one question it asks."""

import contextlib
import io
import os
import pty
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from rescue.commands.restore import write_report
from rescue.errors import UsageError
from rescue.model.finding import Finding, Severity
from rescue.model.restore.way_back import RestoreReport, Told
from rescue.store.codec import to_json
from rescue.ui.prompt import RestoreChoice, ask_restore
from rescue.ui.restore import render_restore, report_lines
from tests.unit.restore.test_restore_plan import good

TOLD = Told(
    tree="/home",
    user="anna",
    new=("anna/a\nb", "anna/\udcff[red]"),
    newer_here=("anna/c",),
    only_here=("anna/d",),
    unreadable=("anna/e",),
    bytes_back=2048,
    same=7,
)


ASK = """
import sys
from pathlib import Path
from rescue.store.codec import from_json
from rescue.errors import RescueError
from rescue.model.restore.way_back import RESTORE_VERSION, RestorePlan
from rescue.ui.prompt import ask_restore
text = Path(sys.argv[1]).read_text()
plan = from_json(text, RestorePlan, known_version=RESTORE_VERSION, where="the plan")
try:
    print(ask_restore(plan).name, file=sys.stderr)
except RescueError as error:
    print(error.message, file=sys.stderr)
"""


def report() -> RestoreReport:
    plan = good()
    return RestoreReport(
        host=plan.host,
        origin=plan.origin,
        started=1e9,
        seconds=3.0,
        complete=False,
        users=(TOLD,),
        replaced=("/home/.rescue-replaced/now",),
    )


def test_the_report_names_every_file_in_one_line_each(tmp_path: Path) -> None:
    write_report(report(), tmp_path / "report.txt")
    lines = (tmp_path / "report.txt").read_text(encoding="utf-8").splitlines()
    assert lines[0] == "Back from SRC0001 to server: PARTIAL, 3 s"
    assert (
        "/home/anna: 2 returned (2.0 KiB), 1 kept because newer here, 1 only here, 7 the same, "
        "1 could not be read"
    ) in lines
    assert "  returned: /home/anna/a\\nb" in lines
    assert "  returned: /home/anna/\\xff[red]" in lines
    assert "  NOT READABLE: /home/anna/e" in lines
    assert "put aside: /home/.rescue-replaced/now" in lines


def test_a_long_list_is_cut_for_the_terminal_alone() -> None:
    many = replace(report(), users=(replace(TOLD, new=tuple(f"anna/{n}" for n in range(99))),))
    assert "  ... and 79 more" in list(report_lines(many, most=20))
    assert len([line for line in report_lines(many) if "returned: " in line]) == 99


def test_the_plan_is_shown_with_what_was_found_and_what_comes() -> None:
    finding = Finding(severity=Severity.NOTE, link="table", message="gone")
    plan = replace(good(), users=(TOLD,), findings=(finding,), notes=("a note",))
    console = Console(file=io.StringIO(), width=120)
    console.print(render_restore(plan))
    shown = console.file.getvalue()  # type: ignore[attr-defined]
    for words in ("SRC0001", "note  table: gone", "/home/anna", "Note: a note", " free"):
        assert words in shown


def test_without_a_terminal_nothing_is_asked() -> None:
    with open(os.devnull) as nothing, pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.stdin", nothing)
        with pytest.raises(UsageError) as error:
            ask_restore(good())
    assert error.value.hint == "for scripts: --yes --expect-serial 'SRC0001'"


@pytest.mark.parametrize(
    ("keys", "wanted"),
    [
        (b"\r", RestoreChoice.BRING.name),
        (b"\x1b[B\r", RestoreChoice.ASIDE.name),
        (b"\x1b[A\r", RestoreChoice.LEAVE.name),
        (b"\x03", "cancelled: nothing was brought back"),
    ],
)
def test_the_menu_is_answered_on_a_terminal(tmp_path: Path, keys: bytes, wanted: str) -> None:
    plan = tmp_path / "plan.json"
    plan.write_text(to_json(good()))
    here, there = pty.openpty()
    child = subprocess.Popen(
        [sys.executable, "-c", ASK, str(plan)], stdin=there, stdout=there, stderr=subprocess.PIPE
    )
    os.close(there)
    seen = b""
    while b"nothing is brought back" not in seen:
        seen += os.read(here, 4096)
    os.write(here, keys)
    with contextlib.suppress(OSError):  # the end of a terminal is an error to read
        while more := os.read(here, 4096):
            seen += more
    _, said = child.communicate()
    assert said.decode().splitlines()[-1] == wanted
    os.close(here)
