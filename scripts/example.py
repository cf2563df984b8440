"""`make reference`: the example configuration, every key with its meaning and its default."""

import textwrap
from collections.abc import Iterator

import tomli_w
from cattrs import Converter

from rescue.store.config import CONFIG_VERSION
from scripts.configuration import Key, Section, in_words, is_choice, sections

WIDTH = 98
HEAD = """\
/etc/rescue/rescue.toml, as an example: every key, and the value it has where the file does not name
it. 'rescue prepare' writes this file, and what it writes is complete.

Only 'version' and [source] must be there. What is commented out here may be there any number of
times, or has no value of its own.
"""
PLACEHOLDERS = {str: "...", int: 0, float: 0.0, bool: False}


def example() -> str:
    """Return the text of the file. It is valid, and says nothing but the defaults."""
    return "\n\n".join("\n".join(_lines(section)) for section in sections()) + "\n"


def placeholder(key: Key) -> object:
    """Return a value of the key's type, for a key that has none of its own."""
    if key.inner:
        return {each.name: _value(each) for each in key.inner}
    if is_choice(key.kind):
        return next(iter(key.kind))
    if key.name == "version":
        return CONFIG_VERSION
    return PLACEHOLDERS.get(key.kind, [])


def _lines(section: Section) -> Iterator[str]:
    yield from _comment(section.text if section.name else HEAD)
    mark = "#" if section.repeated else ""
    if section.name:
        yield f"{mark}{section.heading}"
    for key in section.keys:
        yield from _entry(key, mark)


def _entry(key: Key, mark: str) -> Iterator[str]:
    value = _value(key)
    if is_choice(key.kind):
        yield from _comment(f"{key.name}: {in_words(key.kind)}")
    if value is None:
        # TOML has no word for 'none'.
        yield f"#{key.name} ="
    else:
        yield f"{mark}{_toml(key.name, value)}{'  # must be given' if key.required else ''}"


def _value(key: Key) -> object:
    value = placeholder(key) if key.required else key.default
    return Converter().unstructure(value)


def _toml(name: str, value: object) -> str:
    """Return one line of TOML, by the writer that writes the configuration, too."""
    if isinstance(value, dict):
        inner = ", ".join(_toml(each, inside) for each, inside in value.items())
        return f"{name} = {{ {inner} }}"
    return " ".join(tomli_w.dumps({name: value}).split())


def _comment(text: str) -> Iterator[str]:
    for number, paragraph in enumerate(text.strip().split("\n\n")):
        if number:
            yield "#"
        yield from textwrap.wrap(paragraph, WIDTH, initial_indent="# ", subsequent_indent="# ")


if __name__ == "__main__":
    print(example(), end="")
