"""`make reference`: the manual pages, from the command line, the configuration and the handbook.

The frames in docs/man/ are filled with what the code itself knows, in the language of scdoc(5),
which turns it into roff. Usage: python -m scripts.manpages FOLDER
"""

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import click

import rescue
from rescue.cli.main import cli
from scripts.configuration import Key, Section, as_written, sections

ROOT = Path(__file__).parents[1]
HANDBOOK = ROOT / "docs"
FRAMES = HANDBOOK / "man"
PAGES = ("rescue.8", "rescue.toml.5")
# What scdoc takes for markup: man 5 scdoc.
_MARKUP = re.compile(r"([\\*_#|\[\]~<>+-])")
_ROW = re.compile(r"^\| (.+?) \| (.+?) \|$", re.MULTILINE)
_RULE = re.compile(r"^\|[-|]+\|$", re.MULTILINE)
_LINK = re.compile(r"\[([^]]+)\]\([^)]+\)")
_HEADING = re.compile(r"^#+ .*$", re.MULTILINE)


def page(name: str) -> str:
    """Return a manual page in the language of scdoc."""
    values = {
        "@version@": rescue.__version__,
        "@options@": "\n".join(_options(cli, _context(cli))).strip(),
        "@commands@": "\n".join(line for verb in verbs(cli) for line in _command(verb)).strip(),
        "@exit-codes@": "\n".join(_definitions(exit_codes())).strip(),
        "@files@": "\n".join(_definitions(files())).strip(),
        "@sections@": "\n".join(line for each in sections() for line in _section(each)).strip(),
    }
    text = (FRAMES / f"{name}.scd").read_text("utf-8")
    for key, value in values.items():
        text = text.replace(key, value)
    return text


def verbs(group: click.Group, parent: click.Context | None = None) -> Iterator[click.Context]:
    """Return every command that is meant for people, each after the group that it belongs to."""
    above = parent or _context(group)
    for name, command in group.commands.items():
        if command.hidden:
            continue
        context = click.Context(command, info_name=name, parent=above)
        yield context
        if isinstance(command, click.Group):
            yield from verbs(command, context)


def exit_codes() -> list[tuple[str, str]]:
    """Return each exit code with its meaning, as the handbook says it."""
    text = (HANDBOOK / "troubleshooting.md").read_text("utf-8")
    section = text.partition("\n## Exit codes\n")[2]
    return rows(_HEADING.split(section)[0])


def files() -> list[tuple[str, str]]:
    """Return each file with what it holds, as the handbook says it."""
    return rows((HANDBOOK / "files.md").read_text("utf-8"))


def rows(text: str) -> list[tuple[str, str]]:
    """Return the rows of every table of two columns in a Markdown text, without the heads."""
    # What stands before a table's rule ends with its head.
    _, *bodies = _RULE.split(text)
    tables = (body.lstrip("\n").partition("\n\n")[0] for body in bodies)
    return [(row[1], plain(row[2])) for each in tables for row in _ROW.finditer(each)]


def plain(text: str) -> str:
    """Return a Markdown text in which each link is its words."""
    return _LINK.sub(r"\1", text)


def escaped(text: str) -> str:
    """Return a text in which nothing is markup but what stands in `backticks`: bold."""
    parts = [_MARKUP.sub(r"\\\1", part) for part in text.split("`")]
    return "".join(f"*{part}*" if number % 2 else part for number, part in enumerate(parts))


def _context(command: click.Command) -> click.Context:
    return click.Context(command, info_name="rescue", **command.context_settings)


def _command(context: click.Context) -> Iterator[str]:
    # In a heading scdoc takes nothing for markup.
    usage = " ".join(each for each in context.command.collect_usage_pieces(context) if each)
    yield from (f"## {context.command_path} {usage}", "")
    for paragraph in _paragraphs(context.command.help or ""):
        yield from (paragraph, "")
    yield from _options(context.command, context)


def _options(command: click.Command, context: click.Context) -> Iterator[str]:
    options = (param for param in command.get_params(context) if isinstance(param, click.Option))
    records = [record for option in options if (record := option.get_help_record(context))]
    # Every command has --help; it is named once, with the options of all.
    wanted = [record for record in records if command is cli or "--help" not in record[0]]
    yield from _definitions((f"`{names}`", said) for names, said in wanted)


def _section(section: Section) -> Iterator[str]:
    yield from (f"## {section.heading if section.name else 'Before any table'}", "")
    for paragraph in _paragraphs(section.text):
        yield from (paragraph, "")
    yield from _definitions((f"`{key.name}`", _said_of(key)) for key in section.keys)


def _said_of(key: Key) -> str:
    inner = ", ".join(f"`{each.name}`" for each in key.inner)
    kind = f"{key.kind_in_words} of {inner}" if inner else key.kind_in_words
    if key.required:
        return f"{kind}; must be given"
    return f"{kind}; default: {as_written(key.default)}"


def _definitions(pairs: Iterator[tuple[str, str]] | list[tuple[str, str]]) -> Iterator[str]:
    """Return a list of terms, each with its meaning indented below it."""
    for term, meaning in pairs:
        bold = term if "`" in term else f"`{term}`"
        yield from (escaped(bold), f"\t{escaped(' '.join(meaning.split()))}", "")


def _paragraphs(text: str) -> Iterator[str]:
    for paragraph in text.strip().split("\n\n"):
        if paragraph:
            yield escaped(" ".join(paragraph.split()))


if __name__ == "__main__":
    for each in PAGES:
        (Path(sys.argv[1]) / f"{each}.scd").write_text(page(each), "utf-8")
