"""Each verb is found under its name, and nothing of the others is loaded for it."""

import subprocess
import sys

import pytest

from rescue.cli.main import cli

LOADED = "import sys; from rescue.cli.main import cli; cli.commands['disks']; print(*sys.modules)"


@pytest.mark.parametrize("name", list(cli.commands))
def test_a_verb_has_the_name_it_is_called_by(name: str) -> None:
    assert cli.commands[name].name == name


def test_an_unknown_verb_is_none() -> None:
    assert cli.commands.get("format") is None


def test_only_what_a_verb_needs_is_loaded() -> None:
    done = subprocess.run(
        [sys.executable, "-c", LOADED], capture_output=True, text=True, check=True
    )
    loaded = done.stdout.split()
    assert "rescue.commands.disks" in loaded
    assert "rescue.commands.restore" not in loaded
