"""Programs of others: ended in time with everything they started, and heard."""

import os
import signal
import threading
import time
from pathlib import Path

import pytest

from rescue.system.process.attend import attend
from rescue.system.process.run import CommandError


def alive(pid: int) -> bool:
    """Whether a process runs; one that only waits to be reaped does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state not in ("Z", "X")


def pids(lines: list[str]) -> list[int]:
    return [int(line.removeprefix("pid ")) for line in lines if line.startswith("pid ")]


def test_what_it_prints_is_heard_and_its_exit_code_returned() -> None:
    lines: list[str] = []
    done = attend(
        ["sh", "-c", "echo one; echo two >&2; printf three; exit 7"],
        timeout=60,
        on_line=lines.append,
    )
    assert done.returncode == 7
    assert sorted(lines) == ["one", "three", "two"]


def test_output_goes_to_a_file_and_errors_are_heard(tmp_path: Path) -> None:
    lines: list[str] = []
    with (tmp_path / "dump").open("wb") as file:
        script = "echo data; echo said >&2"
        attend(["sh", "-c", script], timeout=60, on_line=lines.append, output=file)
    assert (tmp_path / "dump").read_text() == "data\n"
    assert lines == ["said"]


def test_it_gets_its_own_variables_and_nothing_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET", "ours")
    lines: list[str] = []
    attend(["env"], timeout=60, on_line=lines.append, extra_env={"RESCUE_WHEN": "before"})
    assert "RESCUE_WHEN=before" in lines
    assert not [line for line in lines if "SECRET" in line]


def test_it_cannot_ask_anything() -> None:
    assert attend(["cat"], timeout=60, on_line=print).returncode == 0


def test_a_hanging_one_is_ended_with_its_children() -> None:
    lines: list[str] = []
    script = "echo pid $$; sleep 1000 & echo pid $!; wait"
    with pytest.raises(CommandError) as caught:
        attend(["sh", "-c", script], timeout=1, on_line=lines.append)
    assert caught.value.result.returncode == 124
    assert len(pids(lines)) == 2
    assert not [pid for pid in pids(lines) if alive(pid)]


def test_one_that_ignores_sigterm_is_killed_with_its_children() -> None:
    lines: list[str] = []
    script = "trap '' TERM; echo pid $$; sleep 1000 & echo pid $!; while :; do wait; done"
    with pytest.raises(CommandError):
        attend(["sh", "-c", script], timeout=1, on_line=lines.append, grace=0.5)
    assert len(pids(lines)) == 2
    assert not [pid for pid in pids(lines) if alive(pid)]


def test_one_that_ends_while_a_child_holds_its_output_has_ended() -> None:
    lines: list[str] = []
    begun = time.monotonic()
    done = attend(["sh", "-c", "sleep 30 & echo pid $!"], timeout=25, on_line=lines.append)
    (child,) = pids(lines)
    assert done.returncode == 0
    assert alive(child), "what it leaves running on purpose is let be"
    assert time.monotonic() - begun < 20
    os.kill(child, signal.SIGKILL)


def test_one_that_closes_its_output_and_hangs_is_ended() -> None:
    with pytest.raises(CommandError):
        attend(["sh", "-c", "exec >&- 2>&-; sleep 1000"], timeout=1, on_line=print)


def test_a_stopped_run_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    lines: list[str] = []

    def stop(_number: int, _frame: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGUSR1, stop)
    threading.Timer(1, os.kill, (os.getpid(), signal.SIGUSR1)).start()
    try:
        with pytest.raises(KeyboardInterrupt):
            attend(["sh", "-c", "echo pid $$; sleep 1000"], timeout=60, on_line=lines.append)
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert not [pid for pid in pids(lines) if alive(pid)]


def test_one_that_is_not_there_is_said() -> None:
    with pytest.raises(CommandError) as caught:
        attend(["/nowhere/at-all"], timeout=60, on_line=print)
    assert caught.value.result.returncode == 127


def test_lines_without_end_are_cut() -> None:
    lengths: list[int] = []
    script = "head -c 1000000 /dev/zero"
    attend(["sh", "-c", script], timeout=60, on_line=lambda line: lengths.append(len(line)))
    assert sum(lengths) == 1_000_000
    assert max(lengths) < 200_000
