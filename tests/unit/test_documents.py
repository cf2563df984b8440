"""The handbook and the README name only commands and options that there are."""

import re
import shlex
from pathlib import Path

import click
import pytest

from rescue.cli.main import cli

ROOT = Path(__file__).parents[2]
DOCUMENTS = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
LINES_OF_A4, WIDTH_OF_A4 = 66, 130


def commands_in(text: str) -> list[str]:
    """Return every command line of ours, in blocks and in the middle of a sentence."""
    blocks = re.findall(r"^ {4,}(rescue .*)$", text, re.MULTILINE)
    spans = re.findall(r"`(rescue [a-z][^`]*)`", text)
    return [re.sub(r"\s+", " ", each) for each in (*blocks, *spans)]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_command_is_one_of_ours(document: Path) -> None:
    for line in commands_in(document.read_text()):
        words = shlex.split(line, comments=True)[1:]
        command: click.Command = cli
        while isinstance(command, click.Group) and words:
            assert words[0] in command.commands, line
            command = command.commands[words.pop(0)]
        known = {name for option in command.params for name in option.opts}
        named = {word.split("=")[0] for word in words if word.startswith("-")}
        assert named <= known | {"--help"}, line


def test_the_handbook_names_commands_at_all() -> None:
    lines = commands_in((ROOT / "docs/night.md").read_text())
    assert len({line.split()[1] for line in lines}) >= 5


def test_the_nights_page_is_one_page() -> None:
    lines = (ROOT / "docs/night.md").read_text().splitlines()
    assert len(lines) <= LINES_OF_A4
    assert max(map(len, lines)) <= WIDTH_OF_A4


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(document: Path) -> None:
    for target in re.findall(r"\]\(([^)#:]+)\)", document.read_text()):
        assert (document.parent / target).exists(), target


def test_the_package_names_no_mailbox_that_could_be_somebody_elses() -> None:
    """RFC 2606: what ends in '.invalid' never is an address; 'make deb' takes DEBEMAIL instead."""
    control = (ROOT / "scripts/debian/control").read_text(encoding="utf-8")
    changelog = (ROOT / "scripts/debian/changelog").read_text(encoding="utf-8")
    (maintainer,) = re.findall(r"^Maintainer: (.*)$", control, re.MULTILINE)
    assert set(re.findall(r"^ -- (.*>)  ", changelog, re.MULTILINE)) == {maintainer}
    assert re.fullmatch(r"The rescue developers <\S+@\S+\.invalid>", maintainer)
    assert "The rescue developers" in (ROOT / "LICENSE").read_text(encoding="utf-8")
