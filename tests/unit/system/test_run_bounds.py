"""Programs that we start: gone with us however we end, and none of them fills our memory."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rescue.system.process import run as door
from rescue.system.process.attend import attend
from rescue.system.process.pipes import Kept, Lines, is_note
from rescue.system.process.run import CommandError, run, stream
from rescue.system.rsync.complaints import parse_complaints
from tests.unit.system.test_attend import alive

# Says its number and goes on, as grub-install does for a while.
LASTING = "echo $$ >{pid}; exec sleep 600"
STARTS = """
import sys
from pathlib import Path
from rescue.system.process import beside, filters, run

script = ["sh", "-c", sys.argv[2]]
match sys.argv[1]:
    case "run":
        run.run(script)
    case "stream":
        run.stream(script, on_line=print)
    case "running":
        with beside.running(script, log=Path(sys.argv[3])) as child:
            child.process.wait()
    case "reading":
        with open("/dev/null", "rb", buffering=0) as nothing:
            with filters.reading(script, source=nothing) as out:
                out.read()
"""


def soon(what: object, seconds: float = 60.0) -> bool:
    """Whether something becomes true while we wait for it."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if what():  # type: ignore[operator]
            return True
        time.sleep(0.02)
    return False


@pytest.mark.parametrize("how", ["run", "stream", "running", "reading"])
def test_a_child_does_not_outlive_us(tmp_path: Path, how: str) -> None:
    pid = tmp_path / "pid"
    argv = [sys.executable, "-c", STARTS, how, LASTING.format(pid=pid), str(tmp_path / "log")]
    with subprocess.Popen(argv) as ours:
        assert soon(lambda: pid.exists() and pid.read_text().strip())
        child = int(pid.read_text())
        assert alive(child)
        ours.send_signal(signal.SIGKILL)
    assert soon(lambda: not alive(child))


ATTENDS = """
import sys
from rescue.system.process.attend import attend
attend(["sh", "-c", sys.argv[1]], timeout=600, on_line=print)
"""


def test_nothing_that_a_hook_has_started_outlives_us(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    script = f"sleep 1; sleep 600 & echo $! >{pid}.new; mv {pid}.new {pid}; exec sleep 600"
    with subprocess.Popen([sys.executable, "-c", ATTENDS, script]) as ours:
        assert soon(pid.exists)
        grandchild = int(pid.read_text())
        assert alive(grandchild)
        ours.send_signal(signal.SIGKILL)
    assert soon(lambda: not alive(grandchild), seconds=20)


def test_what_a_hook_leaves_running_is_let_be(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    script = f"sleep 600 >/dev/null 2>&1 & echo $! >{pid}"
    subprocess.run([sys.executable, "-c", ATTENDS, script], check=True)
    left = int(pid.read_text())
    time.sleep(1)
    assert alive(left)
    os.kill(left, signal.SIGKILL)


def test_what_a_program_is_told_and_says_arrives_whole() -> None:
    text = "".join(f"{number}\n" for number in range(100_000))
    assert run(["cat"], stdin=text).stdout == text
    assert run(["true"], stdin=text).returncode == 0


def test_a_program_that_is_not_there_or_hangs_is_an_error_of_ours() -> None:
    for argv, code in ((["no-such-program"], 127), (["/no/such/program"], 127)):
        with pytest.raises(CommandError) as error:
            run(argv)
        assert error.value.result.returncode == code
    with pytest.raises(CommandError) as error:
        run(["sh", "-c", "sleep 600 & sleep 600"], timeout=0.2)
    assert error.value.result.returncode == 124


def test_a_flood_of_complaints_is_kept_in_part_and_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door, "_MOST_ERRORS", 1000)
    flood = "i=0; while [ $i -lt 3000 ]; do echo complaint $i >&2; i=$((i+1)); done; exit 3"
    for said in (stream(["sh", "-c", flood], on_line=print), run(["sh", "-c", flood], ok=(3,))):
        assert said.returncode == 3
        assert len(said.stderr) < 1100
        lines = said.stderr.splitlines()
        assert (lines[0], lines[-1]) == ("complaint 0", "complaint 2999")
        (note,) = [line for line in lines if is_note(line)]
        assert parse_complaints(note, source=Path("/x"), shown_as="/").unreadable


def test_an_answer_that_never_ends_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door, "_MOST_OUTPUT", 100_000)
    with pytest.raises(CommandError, match="printed more than 100000 bytes"):
        run(["head", "-c", "1000000", "/dev/zero"])


def test_a_line_without_an_end_becomes_several() -> None:
    lines: list[str] = []
    stream(["head", "-c", "1000000", "/dev/zero"], on_line=lines.append)
    assert sum(map(len, lines)) == 1_000_000
    assert max(map(len, lines)) < 200_000


@given(st.lists(st.binary(max_size=40)), st.integers(2, 30).map(lambda half: 2 * half))
def test_both_ends_are_kept_and_the_rest_is_counted(chunks: list[bytes], most: int) -> None:
    kept, whole = Kept(most), b"".join(chunks)
    for chunk in chunks:
        kept.add(chunk)
    if len(whole) <= most:
        assert (bytes(kept), kept.left_out) == (whole, 0)
        return
    head, _, _ = bytes(kept).partition(b"\n... ")
    assert whole.startswith(head) or b"\n... " in whole
    assert bytes(kept).endswith(whole[-(most // 2) :])
    assert kept.left_out == len(whole) - most


@given(st.text(alphabet="ab\n\r", max_size=60), st.integers(1, 7))
def test_lines_are_the_same_however_they_come(text: str, size: int) -> None:
    found: list[bytes] = []
    lines, data = Lines(found.append), text.encode()
    for start in range(0, len(data), size):
        lines.add(data[start : start + size])
    lines.end()
    assert found == data.removesuffix(b"\n").split(b"\n") if data else found == []


@pytest.mark.parametrize("start", [run, lambda argv: stream(argv, on_line=print)])
def test_an_argument_that_no_program_can_be_given_is_an_error_of_ours(
    start: Callable[[list[str]], object],
) -> None:
    with pytest.raises(CommandError) as caught:
        start(["true", "a\0b"])
    assert caught.value.result.returncode == 126


WAITS = """
import sys
from rescue.system.process.attend import attend
from rescue.system.process.run import run

script = ["sh", "-c", "echo begun >&2; touch $0; sleep 1; echo done", sys.argv[2]]
match sys.argv[1]:
    case "run":
        print(run(script, timeout=3).stdout)
    case "attend":
        attend(script, timeout=3, on_line=print)
"""


@pytest.mark.parametrize("how", ["run", "attend"])
def test_time_in_which_we_were_stopped_is_not_the_programs(tmp_path: Path, how: str) -> None:
    """Stopped by a person (man 7 signal, SIGSTOP), or frozen with the machine."""
    begun = tmp_path / "begun"
    argv = [sys.executable, "-c", WAITS, how, str(begun)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as ours:
        assert soon(begun.exists)
        ours.send_signal(signal.SIGSTOP)
        time.sleep(5)
        ours.send_signal(signal.SIGCONT)
        assert ours.stdout is not None
        assert "done" in ours.stdout.read()
        assert ours.wait() == 0


def test_a_program_that_never_stops_talking_is_ended_in_time() -> None:
    with pytest.raises(CommandError, match="not done after 1 s"):
        run(["yes"], timeout=1)
    with pytest.raises(CommandError, match="not done after 1 s"):
        attend(["yes"], timeout=1, on_line=lambda _: None)
