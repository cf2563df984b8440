"""The handbook's chapter docs/configuration.md: every key, from the code that reads it.

Renew it after a change of the configuration: .venv/bin/python -m scripts.configuration_chapter
"""

import textwrap
from collections.abc import Iterator
from pathlib import Path

from scripts.configuration import Key, Section, as_written, sections

CHAPTER = Path(__file__).parents[1] / "docs" / "configuration.md"
RENEW = ".venv/bin/python -m scripts.configuration_chapter"
WIDTH = 100
HEAD = f"""\
<!-- Made from the code by '{RENEW}': change it there. -->

# Configuration

`/etc/rescue/rescue.toml` is written by `rescue prepare`, with the disk that the system runs from
and each mirror; everything else has a default. It is readable by root alone. A key that does not
exist, or whose value makes no sense, is an error that names the key. Comments are lost when a
command writes the file. `rescue.toml(5)` says the same; an example with every key comes with the
package.
"""


def chapter() -> str:
    """Return the whole chapter as Markdown."""
    return (
        "\n".join([HEAD, *(line for each in sections() for line in _section(each))]).rstrip() + "\n"
    )


def _section(section: Section) -> Iterator[str]:
    # '[[hook]]' would be a link of Markdown, and its anchor is to be simply 'hook'.
    yield from (f"## {section.name or 'Before any table'}", "")
    if section.name:
        times = "any number of times" if section.repeated else "once"
        yield from (f"The table `{section.heading}`, {times}.", "")
    for paragraph in section.text.split("\n\n"):
        yield from (*textwrap.wrap(" ".join(paragraph.split()), WIDTH), "")
    yield from ("| key | kind | default |", "|---|---|---|")
    yield from (_row(key) for key in section.keys)
    yield ""


def _row(key: Key) -> str:
    inner = ", ".join(f"`{each.name}`" for each in key.inner)
    kind = f"{key.kind_in_words} of {inner}" if inner else key.kind_in_words
    default = "must be given" if key.required else f"`{as_written(key.default)}`"
    return f"| `{key.name}` | {kind} | {default} |"


if __name__ == "__main__":
    CHAPTER.write_text(chapter(), "utf-8")
