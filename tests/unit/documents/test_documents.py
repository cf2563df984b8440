"""The README and the handbook name only commands, options, keys, messages and places that exist."""

import ast
import re
import shlex
import tomllib
from pathlib import Path

import click
import pytest

from rescue.cli.main import cli
from rescue.errors import ExitCode
from scripts.configuration import sections
from scripts.configuration_chapter import CHAPTER, RENEW, chapter
from scripts.manpages import exit_codes, rows
from scripts.pictures import FOLDER, PICTURES, drawn, words
from scripts.pictures import RENEW as REDRAW

ROOT = Path(__file__).parents[3]
HANDBOOK = sorted((ROOT / "docs").glob("*.md"))
GUIDES = [
    pytest.param(path, id=str(path.relative_to(ROOT))) for path in (ROOT / "README.md", *HANDBOOK)
]
DOCUMENTS = [pytest.param(path, id=path.name) for path in ROOT.glob("*.md")] + GUIDES[1:]
KEYS = {each.name: {key.name for key in each.keys} for each in sections() if each.name}
LINES_OF_A4, WIDTH_OF_A4 = 66, 130
LINES_OF_A_FRONT_PAGE = 130
LARGEST_PICTURE = 64 * 1024


def prose(path: Path) -> str:
    """Return a document without its blocks of code."""
    return re.sub(r"^(?: {4,}|\t).*$", "", path.read_text("utf-8"), flags=re.MULTILINE)


def blocks(path: Path) -> list[str]:
    """Return the blocks of code of a document, without their indentation."""
    found = re.findall(r"(?:^ {4}.*\n|^\n(?= {4}))+", path.read_text("utf-8"), re.MULTILINE)
    return [re.sub(r"^ {4}", "", each, flags=re.MULTILINE).strip() for each in found]


def spans(path: Path) -> list[str]:
    """Return what stands in `backticks`, each in one line."""
    return [" ".join(each.split()) for each in re.findall(r"`([^`]+)`", prose(path))]


def targets(path: Path) -> list[str]:
    """Return where the links of a document lead, those to other sites aside."""
    text = prose(path)
    found = re.findall(r"\]\(([^)\s]+)\)", text) + re.findall(
        r"^\[\w+\]: (\S+)$", text, re.MULTILINE
    )
    return [each for each in found if "://" not in each]


def anchors(path: Path) -> set[str]:
    """Return what a link can name in a document: its headings, as they are made into anchors."""
    headings = re.findall(r"^#+ (.+)$", prose(path), re.MULTILINE)
    plain = (re.sub(r"[^\w\s-]", "", each.lower()) for each in headings)
    return {re.sub(r"\s", "-", each.strip()) for each in plain}


def commands_in(path: Path) -> list[str]:
    """Return every command line of ours, in blocks and in the middle of a sentence."""
    lines = [line for block in blocks(path) for line in block.splitlines()]
    return [each for each in (*lines, *spans(path)) if re.match(r"rescue [a-z]", each)]


@pytest.mark.parametrize("document", GUIDES)
def test_every_command_is_one_of_ours(document: Path) -> None:
    for line in commands_in(document):
        words = shlex.split(line, comments=True)[1:]
        command: click.Command = cli
        while isinstance(command, click.Group) and words:
            assert words[0] in command.commands, line
            command = command.commands[words.pop(0)]
        known = {name for option in command.params for name in option.opts}
        named = {word.split("=")[0] for word in words if word.startswith("-")}
        assert named <= known | {"--help"}, line


def test_the_handbook_names_commands_at_all() -> None:
    lines = commands_in(ROOT / "docs/night.md")
    assert len({line.split()[1] for line in lines}) >= 5


def test_the_nights_page_is_one_page() -> None:
    lines = (ROOT / "docs/night.md").read_text().splitlines()
    assert len(lines) <= LINES_OF_A4
    assert max(map(len, lines)) <= WIDTH_OF_A4


def test_the_readme_is_a_front_page() -> None:
    lines = (ROOT / "README.md").read_text().splitlines()
    assert len(lines) <= LINES_OF_A_FRONT_PAGE, "the rest belongs into the handbook, docs/"


@pytest.mark.parametrize("document", DOCUMENTS)
def test_links_lead_somewhere(document: Path) -> None:
    for target in targets(document):
        name, _, anchor = target.partition("#")
        place = document.parent / name if name else document
        assert place.exists(), target
        assert not anchor or anchor in anchors(place), target


@pytest.mark.parametrize("chapter", HANDBOOK, ids=lambda path: path.name)
def test_the_handbook_stands_by_itself(chapter: Path) -> None:
    """The web site and the Debian package have the folder docs/ alone."""
    for target in targets(chapter):
        assert (chapter.parent / target).resolve().is_relative_to(ROOT / "docs"), target


def test_every_chapter_is_in_the_table_of_contents() -> None:
    listed = {target.partition("#")[0] for target in targets(ROOT / "docs/README.md")}
    assert {path.name for path in HANDBOOK} - {"README.md"} <= listed


@pytest.mark.parametrize("document", GUIDES)
def test_keys_of_the_configuration_exist(document: Path) -> None:
    """Named as `section.key`, as `key = value`, or in a block of TOML."""
    for span in spans(document):
        section, _, key = span.partition(".")
        if section in KEYS and re.fullmatch("[a-z_]+", key):
            assert key in KEYS[section], span
        if table := re.fullmatch(r"\[+([a-z_]+)\]+( \w+)?.*", span):
            assert table[1] in KEYS, span
            assert not table[2] or table[2].strip() in KEYS[table[1]], span
        if value := re.fullmatch(r"([a-z_]+) = .*", span):
            assert value[1] in set().union(*KEYS.values()), span
    for block in blocks(document):
        if block.startswith("["):
            for name, tables in tomllib.loads(block).items():
                for table_ in tables if isinstance(tables, list) else [tables]:
                    assert set(table_) <= KEYS[name], block


def test_the_chapter_on_the_configuration_is_what_the_code_gives() -> None:
    assert CHAPTER.read_text("utf-8") == chapter(), f"renew it with '{RENEW}'"


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_shows_what_the_code_shows(name: str) -> None:
    assert words((FOLDER / f"{name}.svg").read_text("utf-8")) == words(drawn(name)), REDRAW


def test_pictures_are_small_shown_and_need_nothing_from_elsewhere() -> None:
    shown = {
        (document.parent / target).resolve()
        for document in (ROOT / "README.md", *HANDBOOK)
        for target in targets(document)
    }
    assert {FOLDER / f"{name}.svg" for name in PICTURES} == set(FOLDER.iterdir())
    for picture in FOLDER.iterdir():
        assert picture in shown, picture.name
        assert picture.stat().st_size < LARGEST_PICTURE
        assert "url(http" not in picture.read_text("utf-8").replace('"', "")


def test_the_web_site_has_every_chapter_in_its_menu() -> None:
    menu = (ROOT / "mkdocs.yml").read_text("utf-8").partition("\nnav:\n")[2]
    assert sorted(re.findall(r"^ +- (\S+\.md)$", menu, re.MULTILINE)) == [
        path.name for path in HANDBOOK
    ]


def test_what_to_do_is_said_for_every_exit_code() -> None:
    text = (ROOT / "docs/troubleshooting.md").read_text("utf-8")
    assert [int(code) for code, _ in exit_codes()] == sorted(ExitCode)
    advised = re.findall(r"^\*\*(\d+), ", text, re.MULTILINE)
    assert [int(code) for code in advised] == sorted(ExitCode)[1:]


def test_messages_that_are_explained_are_said_by_the_code() -> None:
    text = (ROOT / "docs/troubleshooting.md").read_text("utf-8").partition("\n## By message\n")[2]
    said = "\n".join(
        node.value
        for path in (ROOT / "rescue").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    )
    explained = [part for message, _ in rows(text) for part in re.findall("`([^`]+)`", message)]
    assert len(explained) >= 20
    unsaid = [each for each in explained if each not in said]
    assert not unsaid, f"docs/troubleshooting.md explains what nothing says any more: {unsaid}"


def test_the_package_names_no_mailbox_that_could_be_somebody_elses() -> None:
    """RFC 2606: what ends in '.invalid' never is an address; 'make deb' takes DEBEMAIL instead."""
    control = (ROOT / "scripts/debian/control").read_text(encoding="utf-8")
    changelog = (ROOT / "scripts/debian/changelog").read_text(encoding="utf-8")
    (maintainer,) = re.findall(r"^Maintainer: (.*)$", control, re.MULTILINE)
    assert set(re.findall(r"^ -- (.*>)  ", changelog, re.MULTILINE)) == {maintainer}
    assert re.fullmatch(r"The rescue developers <\S+@\S+\.invalid>", maintainer)
    assert "The rescue developers" in (ROOT / "LICENSE").read_text(encoding="utf-8")
