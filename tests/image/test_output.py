"""Output that nobody reads to its end, or that has no room; and errors that nobody foresaw."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.system.test_run_bounds import soon

PROGRAM = """
import sys
from pathlib import Path

import click

from rescue.cli.main import cli, main
from rescue.cli.options import carry_out
from rescue.errors import ExitCode, RescueError
from rescue.model.event import Notice

@click.command()
@click.argument("end")
def run(end):
    def work(screen):
        for number in range(5000):
            screen.emit(Notice(message=f"step {number} of a run"))
        screen.warn("look at this")
        Path(end).write_text("all of it")
        return ExitCode.DEGRADED
    carry_out(work)

@click.command()
def show():
    def work(screen):
        for number in range(5000):
            screen.show(f"line {number}")
        return ExitCode.DONE
    carry_out(work, shows=True)

@click.command()
@click.argument("what")
def broken(what):
    def work(screen):
        if what == "file":
            raise OSError(5, "Input/output error", "/srv/mail/cur/1")
        if what == "nameless":
            raise BrokenPipeError(32, "Broken pipe")
        if what == "room":
            raise OSError(28, "No space left on device", "/etc/rescue.toml")
        return {}[what]
    carry_out(work)

for command in (run, show, broken):
    cli.commands[command.name] = command
main()
"""


def start(*words: str, to: int, errors: int = subprocess.PIPE) -> "subprocess.Popen[bytes]":
    argv = [sys.executable, "-c", PROGRAM, *words]
    return subprocess.Popen(argv, stdout=to, stderr=errors)


def left_after_a_line(*words: str, both: bool = False) -> tuple[int, bytes]:
    """Return exit code and errors of a command whose reader goes after its first line."""
    errors = subprocess.STDOUT if both else subprocess.PIPE
    with start(*words, to=subprocess.PIPE, errors=errors) as process:
        assert process.stdout is not None
        assert process.stdout.readline()
        process.stdout.close()
        said = process.stderr.read() if process.stderr else b""
        return process.wait(), said


@pytest.mark.parametrize("words", [("show",), ("--help",), ("disks",)])
def test_what_only_shows_ends_as_by_sigpipe_without_a_word(words: tuple[str, ...]) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with start(*words, to=writer) as process:
        os.close(writer)
        assert process.stderr is not None
        assert process.stderr.read() == b""
        assert process.wait() == -signal.SIGPIPE


def test_a_pager_that_is_left_ends_what_shows() -> None:
    assert left_after_a_line("show") == (-signal.SIGPIPE, b"")


def test_the_shell_sees_141() -> None:
    script = f'set -o pipefail; {sys.executable} -c "$1" show | head -n 1; echo ${{PIPESTATUS[0]}}'
    done = subprocess.run(["bash", "-c", script, "-", PROGRAM], capture_output=True, check=True)
    assert done.stdout.decode().split() == ["line", "0", "141"]
    assert done.stderr == b""


@pytest.mark.parametrize("both", [False, True])
def test_a_run_that_nobody_reads_is_finished_and_ends_with_its_own_code(
    tmp_path: Path, *, both: bool
) -> None:
    code, said = left_after_a_line("run", str(tmp_path / "end"), both=both)
    assert code == 14
    assert (tmp_path / "end").read_text() == "all of it"
    assert said == (b"" if both else b"warning: look at this\n")


def test_output_without_room_fails_what_shows_and_is_called_by_its_name() -> None:
    with Path("/dev/full").open("wb") as full, start("show", to=full.fileno()) as process:
        said = process.communicate()[1].decode()
        assert process.returncode == 1
    assert said == "rescue: standard output could not be written: No space left on device\n"


def test_output_without_room_does_not_end_a_run(tmp_path: Path) -> None:
    end = tmp_path / "end"
    with Path("/dev/full").open("wb") as full, start("run", str(end), to=full.fileno()) as process:
        said = process.communicate()[1].decode()
        assert process.returncode == 14
    assert end.read_text() == "all of it"
    assert "standard output could not be written: No space left on device" in said


def test_closed_outputs_are_given_to_no_file_that_is_opened_later(tmp_path: Path) -> None:
    script = f'exec "$@" >&- 2>&- <&-; {""}'
    argv = ["sh", "-c", script, "-", sys.executable, "-c", PROGRAM, "run", str(tmp_path / "end")]
    assert subprocess.run(argv, check=False).returncode == 14
    assert (tmp_path / "end").read_text() == "all of it"


@pytest.mark.parametrize(
    ("what", "says", "dmesg"),
    [
        ("file", "/srv/mail/cur/1: Input/output error", True),
        ("nameless", "Broken pipe", False),
        ("room", "/etc/rescue.toml: No space left on device", False),
    ],
)
def test_an_error_of_the_system_is_a_disks_only_where_it_can_be(
    what: str, says: str, *, dmesg: bool
) -> None:
    with start("broken", what, to=subprocess.DEVNULL) as process:
        said = process.communicate()[1].decode()
    assert process.returncode == 1
    assert f"rescue: {says}" in said
    assert ("dmesg" in said) is dmesg
    assert "Errno" not in said


def test_what_nobody_foresaw_is_a_sentence_and_a_traceback_only_with_debug() -> None:
    for words, traceback in ((("broken", "odd"), False), (("--debug", "broken", "odd"), True)):
        with start(*words, to=subprocess.DEVNULL) as process:
            said = process.communicate()[1].decode()
        assert process.returncode == 1
        assert "rescue: unforeseen: KeyError: 'odd'" in said
        assert "hint:" in said
        assert ("Traceback" in said) is traceback


BESIDE = """
from rescue.cli import verbs
from rescue.cli.main import main

verbs._MODULES["disks"] = "a_module_that_an_upgrade_took"
main()
"""


@pytest.mark.parametrize("debug", [False, True])
def test_what_fails_before_a_command_begins_is_a_sentence_too(*, debug: bool) -> None:
    argv = [sys.executable, "-c", BESIDE, *(["--debug"] if debug else []), "disks"]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "rescue: unforeseen: ModuleNotFoundError: " in done.stderr
    assert "a bug in rescue" in done.stderr
    assert ("Traceback" in done.stderr) is debug


LETTERS = """
from rescue.cli.main import cli, main
from rescue.cli.options import carry_out
import click

@click.command()
def tell():
    carry_out(lambda screen: screen.show("caf\\u00e9 \\u6f22 \\udcff \\x1b[2J") or 0)

cli.commands["tell"] = tell
main()
"""


@pytest.mark.parametrize("spoken", ["utf-8", "latin-1", "ascii"])
def test_letters_that_a_terminal_has_not_end_no_command(spoken: str) -> None:
    environment = os.environ | {"PYTHONIOENCODING": spoken}
    argv = [sys.executable, "-c", LETTERS, "tell"]
    done = subprocess.run(argv, env=environment, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.decode(spoken).replace("é", "\\xe9").startswith("caf\\xe9 ")
    assert done.stdout.endswith(b" \\xff \\x1b[2J\n")


STOPPED = """
import sys, time
from pathlib import Path

import click

from rescue.cli.main import cli, main
from rescue.cli.options import carry_out

@click.command()
@click.argument("folder", type=Path)
def work(folder):
    def long(screen):
        try:
            (folder / "begun").touch()
            time.sleep(600)
        finally:
            (folder / "cleaning").touch()
            while not (folder / "go on").exists():
                time.sleep(0.01)
            (folder / "clean").touch()
    carry_out(long)

cli.commands["work"] = work
main()
"""


@pytest.mark.parametrize("first", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
@pytest.mark.parametrize("second", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_second_signal_waits_until_all_is_cleaned_up(
    tmp_path: Path, first: signal.Signals, second: signal.Signals
) -> None:
    argv = [sys.executable, "-c", STOPPED, "work", str(tmp_path)]
    with subprocess.Popen(argv, stderr=subprocess.PIPE, text=True) as process:
        assert soon(lambda: (tmp_path / "begun").exists())
        process.send_signal(first)
        assert soon(lambda: (tmp_path / "cleaning").exists())
        process.send_signal(second)
        assert process.stderr is not None
        assert "comes to its end first" in process.stderr.readline()
        (tmp_path / "go on").touch()
        assert "everything has been unmounted" in process.stderr.read()
    assert process.returncode == 1
    assert (tmp_path / "clean").exists()


def test_what_nohup_ignores_stays_ignored(tmp_path: Path) -> None:
    argv = ["nohup", sys.executable, "-c", STOPPED, "work", str(tmp_path)]
    with subprocess.Popen(argv, stderr=subprocess.DEVNULL) as process:
        assert soon(lambda: (tmp_path / "begun").exists())
        process.send_signal(signal.SIGHUP)
        assert not soon(lambda: (tmp_path / "cleaning").exists(), seconds=0.5)
        (tmp_path / "go on").touch()
        process.send_signal(signal.SIGTERM)
    assert (tmp_path / "clean").exists()
