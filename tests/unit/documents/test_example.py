"""The example configuration is valid, says nothing but the defaults, and leaves no key out."""

import re
import tomllib
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, NewType

import pytest
from cattrs import Converter

from rescue.store import config
from scripts.configuration import Section, in_words, sections
from scripts.example import example

SECTIONS = [pytest.param(section, id=section.name or "top") for section in sections()]


def test_what_it_says_are_the_defaults() -> None:
    read = config.parse(example(), where="the example")
    assert replace(read, source=config.DiskEntry(table_uuid="x")) == config.Config(
        version=config.CONFIG_VERSION, source=config.DiskEntry(table_uuid="x")
    )


def test_what_is_commented_out_is_of_the_right_type() -> None:
    """With every table that may be there any number of times put into force."""
    lines = (re.sub(r"^#(\[\[|\w+ = )", r"\1", line) for line in example().splitlines())
    data = tomllib.loads("\n".join(lines))
    Converter(forbid_extra_keys=True).structure(data, config.Config)
    assert set(data) == {section.name for section in sections()} - {""} | {"version"}


@pytest.mark.parametrize("section", SECTIONS)
def test_no_key_is_missing(section: Section) -> None:
    for key in section.keys:
        assert re.search(rf"^#?{key.name} =", example(), re.MULTILINE), key.name


@pytest.mark.parametrize("section", SECTIONS)
def test_each_key_is_explained(section: Section) -> None:
    """The docstring of a section's dataclass is what the example and rescue.toml(5) show of it."""
    missing = [key.name for key in section.keys if f"`{key.name}`" not in section.text]
    assert not missing, f"the docstring of [{section.name}] does not say what `{missing}` mean"


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


@dataclass(frozen=True)
class Paint:
    """What `colour` it has, and how `thick` it is."""

    colour: Colour
    thick: int | None = None


@dataclass(frozen=True)
class House:
    """A file with everything that a section could be."""

    name: str
    doors: tuple[str, ...] = ("front",)
    wall: tuple[Paint, ...] = ()


def test_a_new_section_is_found_without_being_named() -> None:
    top, wall = sections(House)
    assert [key.name for key in top.keys] == ["name", "doors"]
    assert (wall.heading, wall.text) == ("[[wall]]", "What `colour` it has, and how `thick` it is.")
    assert [(key.name, key.required) for key in wall.keys] == [("colour", True), ("thick", False)]


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (Colour, "'red' or 'blue'"),
        (int | None, "whole number"),
        (tuple[str, ...], "list of text"),
        (dict[str, str], "table of text"),
        (NewType("Bytes", int), "whole number"),
    ],
)
def test_types_are_said_in_words(kind: Any, words: str) -> None:
    assert in_words(kind) == words
