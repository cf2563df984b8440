"""Every key of the configuration, read from the dataclasses that hold it: nothing is listed twice.

The example, rescue.toml(5) and a chapter of the handbook are made of this. A section that is added
to `config.Config` is in all of them without anybody thinking of it; what its keys mean is its
docstring, which names each of them.
"""

import dataclasses
import inspect
import types
import typing
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, Field, dataclass
from enum import Enum
from typing import Any, TypeGuard

from rescue.store.config import Config

WORDS = {str: "text", int: "whole number", float: "number", bool: "true or false"}


@dataclass(frozen=True, kw_only=True)
class Key:
    """One key; `default` is MISSING where the key must be given, `inner` are a table's own keys."""

    name: str
    kind: type[Any]
    default: Any
    inner: tuple["Key", ...] = ()

    @property
    def required(self) -> bool:
        """Whether a file without this key is refused."""
        return self.default is MISSING

    @property
    def kind_in_words(self) -> str:
        """What its value is, as the manual page says it."""
        return "table" if self.inner else in_words(self.kind)


@dataclass(frozen=True, kw_only=True)
class Section:
    """One table of the file, `[name]`, or `[[name]]` where it may be there any number of times.

    The section without a name is the beginning of the file, before any table.
    """

    name: str
    text: str
    keys: tuple[Key, ...]
    repeated: bool = False

    @property
    def heading(self) -> str:
        """The line that begins it."""
        return f"[[{self.name}]]" if self.repeated else f"[{self.name}]"


def sections(owner: type = Config) -> tuple[Section, ...]:
    """Return the beginning of the file and every section, in the order of the dataclass."""
    fields = tuple(_fields(owner))
    plain = tuple(key_of(field, kind) for field, kind in fields if _table(kind) is None)
    found = [Section(name="", text=_text(owner), keys=plain)]
    for field, kind in fields:
        table = _table(kind)
        if table is not None:
            keys = tuple(key_of(each, inner) for each, inner in _fields(table))
            repeated = not dataclasses.is_dataclass(kind)
            found.append(Section(name=field.name, text=_text(table), keys=keys, repeated=repeated))
    return tuple(found)


def key_of(field: "Field[Any]", kind: type[Any]) -> Key:
    """Given a dataclass's field and its resolved type, return the key."""
    default = field.default
    if field.default_factory is not MISSING:
        default = field.default_factory()
    inner = _fields(kind) if dataclasses.is_dataclass(kind) else ()
    keys = tuple(key_of(each, each_kind) for each, each_kind in inner)
    return Key(name=field.name, kind=kind, default=default, inner=keys)


def in_words(kind: type[Any]) -> str:
    """Return what a value of this type is, for people."""
    if is_choice(kind):
        *first, last = (f"'{member.value}'" for member in kind)
        return f"{', '.join(first)} or {last}"
    choices = typing.get_args(kind)
    if typing.get_origin(kind) in (typing.Union, types.UnionType):
        return " or ".join(in_words(each) for each in choices if each is not types.NoneType)
    if typing.get_origin(kind) in (tuple, list):
        return f"list of {in_words(choices[0])}"
    if typing.get_origin(kind) in (dict, Mapping):
        return f"table of {in_words(choices[1])}"
    # A NewType says what it is made of.
    kind = getattr(kind, "__supertype__", kind)
    return WORDS[kind]


def is_choice(kind: type[Any]) -> TypeGuard[type[Enum]]:
    """Whether a value is one of a few words."""
    return isinstance(kind, type) and issubclass(kind, Enum)


def as_written(default: object) -> str:
    """Return a default as the file has it; 'none' for a list or table without anything in it."""
    match default:
        case bool():
            return str(default).lower()
        case Enum():
            return f'"{default.value}"'
        case str():
            return f'"{default}"'
        case None:
            return "none"
        case tuple() | list() | dict():
            return ", ".join(as_written(each) for each in default) or "none"
    return str(default)


def _fields(owner: type[Any]) -> Iterator[tuple["Field[Any]", type[Any]]]:
    kinds = typing.get_type_hints(owner)
    return ((field, kinds[field.name]) for field in dataclasses.fields(owner))


def _table(kind: type[Any]) -> type[Any] | None:
    """Return the dataclass of a section: of its own, or of each of a list; None for a plain key."""
    if typing.get_origin(kind) in (tuple, list):
        kind = typing.get_args(kind)[0]
    return kind if dataclasses.is_dataclass(kind) else None


def _text(owner: type[Any]) -> str:
    text = inspect.getdoc(owner) or ""
    # A dataclass without a docstring gets its own signature for one.
    return "" if text.startswith(f"{owner.__name__}(") else text
