"""Command lines that cannot be meant, and what they end with."""

import click
import pytest
from click.testing import CliRunner

from rescue.cli.main import cli
from rescue.errors import ExitCode
from rescue.model.run.schedule import ChecksumDay
from rescue.model.wizard import Command, Task
from rescue.wizard.candidates import command_for
from rescue.wizard.flow import command_of, schedule_command
from tests.builders import on_mirror, server


@pytest.mark.parametrize("verb", ["prepare", "failback"])
def test_a_script_names_its_disk_too(verb: str) -> None:
    done = CliRunner().invoke(cli, [verb, "NEW01", "--yes"])
    assert done.exit_code == ExitCode.USAGE
    assert "--yes needs --expect-serial" in done.output


@pytest.mark.parametrize("verb", ["failback", "mirrors", "status"])
def test_every_verb_says_what_it_does(verb: str) -> None:
    done = CliRunner().invoke(cli, [verb, "--help"])
    assert done.exit_code == ExitCode.DONE
    assert len(done.output.splitlines()) > 3


def test_a_disk_that_starts_a_run_is_named() -> None:
    done = CliRunner().invoke(cli, ["mirror", "--plugged"])
    assert done.exit_code == ExitCode.USAGE
    assert "--plugged needs the name" in done.output


def test_a_checksum_day_and_none_contradict_each_other() -> None:
    argv = ["schedule", "install", "--checksum-day", "monday", "--no-checksum"]
    done = CliRunner().invoke(cli, argv)
    assert done.exit_code == ExitCode.USAGE
    assert "cannot be used together" in done.output


def test_without_a_verb_and_without_a_terminal_there_is_help_and_no_question() -> None:
    done = CliRunner().invoke(cli, [])
    assert done.exit_code == ExitCode.USAGE
    assert "Usage:" in done.output
    assert "prepare" in done.output
    assert "Traceback" not in done.output


DISK = "WD-1"
ON_DISKS = [
    command_for(task, DISK, erase=erase, more=more)
    for task, more in (
        (Task.PREPARE, ()),
        (Task.FAILBACK, ()),
        (Task.MEDIUM, ()),
        (Task.MEDIUM, ("--with-rescue-system",)),
    )
    for erase in (False, True)
]
SCHEDULES = [schedule_command("03:15", day) for day in ChecksumDay]
ALONE = [command_of(task, server()) for task in (Task.MIRROR, Task.STATUS)]
BACK = [command_of(Task.HOMES, on_mirror())]


@pytest.mark.parametrize("command", [*ON_DISKS, *SCHEDULES, *ALONE, *BACK])
def test_what_the_wizard_says_is_a_command_that_there_is(command: Command) -> None:
    for words in (command.attended, command.scripted):
        found: click.Command = cli
        rest = list(words)
        while isinstance(found, click.Group):
            name = rest.pop(0)
            found = found.commands[name]
        # Parsed as on the command line, and not carried out.
        with found.make_context(name, rest) as context:
            assert context.params


def test_the_wizard_needs_a_terminal() -> None:
    done = CliRunner().invoke(cli, ["wizard"])
    assert done.exit_code == ExitCode.USAGE
    assert "not a terminal" in done.output


def test_the_former_name_of_an_option_is_understood_and_said() -> None:
    done = CliRunner().invoke(cli, ["restore", "--keep-losers", "--yes"])
    assert "'--keep-losers' is called '--keep-replaced' now" in done.output
    assert "No such option" not in done.output
