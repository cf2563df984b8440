"""The manual pages have every command, every option, every exit code and every key."""

from pathlib import Path

import click
import pytest

from rescue.cli.main import cli
from rescue.errors import ExitCode
from scripts.configuration import sections
from scripts.manpages import ROOT, escaped, exit_codes, files, page, rows, verbs

VERBS = [pytest.param(context, id=context.command_path) for context in verbs(cli)]


def test_hidden_commands_are_left_out() -> None:
    assert "notify" in cli.commands
    assert "## rescue notify" not in page("rescue.8")


@pytest.mark.parametrize("context", VERBS)
def test_every_command_is_there_with_its_options(context: click.Context) -> None:
    _, found, rest = page("rescue.8").partition(f"## {context.command_path} ")
    assert found, "the command has no heading"
    of_its_own = rest.partition("\n## ")[0]
    for param in context.command.params:
        if isinstance(param, click.Option) and not param.hidden:
            assert escaped(param.opts[0]) in of_its_own


def test_every_exit_code_has_its_meaning() -> None:
    assert [int(code) for code, _ in exit_codes()] == sorted(ExitCode)


def test_files_of_both_disks_are_there() -> None:
    named = [name for name, _ in files()]
    assert "`/etc/rescue/rescue.toml`" in named
    assert "`/.rescue/runs.jsonl` on the mirror" in named
    assert len(named) == len(set(named))


def test_the_rows_of_all_tables_without_their_heads() -> None:
    first = "# T\n\n| a | b |\n|---|---|\n| 1 | [one](x.md#y) |\n\n"
    text = first + "## U\n\n| c | d |\n|---|---|\n| 2 | two |\n"
    assert rows(text) == [("1", "one"), ("2", "two")]


def test_every_key_is_there() -> None:
    text = page("rescue.toml.5")
    for section in sections():
        for key in section.keys:
            assert f"\n*{escaped(key.name)}*\n" in text


def test_nothing_is_left_to_fill_in() -> None:
    frames = Path(ROOT / "docs/man").glob("*.scd")
    for name in (frame.stem for frame in frames):
        assert not any(line.startswith("@") for line in page(name).splitlines())


def test_what_scdoc_takes_for_markup_is_text() -> None:
    assert escaped("a `b_c` [d]") == r"a *b\_c* \[d\]"
