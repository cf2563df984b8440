"""The reader of settings: a table of TOML becomes a dataclass, and every fault in it is told.

A section that has a method `faults` checks its values itself; keys that are unknown, missing or of
another kind are found here. One key that cannot be read hides none of the others: its default
stands in while the rest of its section is looked at.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from enum import Enum
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from rescue.model.fault import Fault, shown

T = TypeVar("T")

_UNREADABLE = object()

_PLAIN: Mapping[type, tuple[Callable[[object], bool], str]] = {
    bool: (lambda value: isinstance(value, bool), "true or false"),
    int: (lambda value: isinstance(value, int) and not isinstance(value, bool), "a whole number"),
    float: (
        lambda value: (
            isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
        ),
        "a number that has an end",
    ),
    str: (lambda value: isinstance(value, str), "a text"),
}


def read_settings(table: object, kind: type[T]) -> tuple[T | None, tuple[Fault, ...]]:
    """Given what TOML holds and the dataclass that it is for, return that with all faults.

    None where a key without a default is missing or cannot be read.
    """
    reader = _Reader()
    found = reader.section(table, kind, "")
    return (found if isinstance(found, kind) else None), tuple(reader.faults)


class _Reader:
    def __init__(self) -> None:
        self.faults: list[Fault] = []

    def section(self, given: object, kind: type[Any], place: str) -> object:
        """Read a table into a dataclass; _UNREADABLE where it cannot be made."""
        if not isinstance(given, dict):
            return self._wrong(given, place, "a table")
        kinds, known = get_type_hints(kind), {each.name: each for each in fields(kind)}
        allowed = "one of " + ", ".join(f"'{name}'" for name in known)
        for key in given:
            if key not in known:
                self._fault(Fault(key=key, found="is unknown", allowed=allowed), place)
        values = {}
        for name, field in known.items():
            if name in given:
                values[name] = self._value(given[name], kinds[name], _below(place, name), field)
            elif _is_required(field):
                self._fault(Fault(key=name, found="is missing", allowed=said(kinds[name])), place)
                values[name] = _UNREADABLE
        unread = {name for name, value in values.items() if value is _UNREADABLE}
        if any(_is_required(known[name]) for name in unread):
            return _UNREADABLE
        made = kind(**{name: values[name] for name in values if name not in unread})
        for fault in made.faults() if hasattr(made, "faults") else ():
            if fault.key not in unread:
                self._fault(fault, place)
        return made

    def _value(self, given: object, kind: type[Any], place: str, field: Field[Any]) -> object:
        if is_dataclass(kind):
            return self.section(given, kind, place)
        if get_origin(kind) is tuple:
            return self._list(given, kind, place, field)
        if get_origin(kind) is not None:
            return self._texts(given, place, field)
        if issubclass(kind, Enum):
            values = {each.value: each for each in kind}
            if isinstance(given, str) and given in values:
                return values[given]
        elif _PLAIN[kind][0](given):
            return kind(given)
        return self._wrong(given, place, said(kind), field)

    def _list(self, given: object, kind: type[Any], place: str, field: Field[Any]) -> object:
        if not isinstance(given, list):
            return self._wrong(given, place, said(kind), field)
        inner = get_args(kind)[0]
        found = [
            self._value(each, inner, f"{place}[{number}]", field)
            for number, each in enumerate(given)
        ]
        return _UNREADABLE if _UNREADABLE in found else tuple(found)

    def _texts(self, given: object, place: str, field: Field[Any]) -> object:
        if not isinstance(given, dict):
            return self._wrong(given, place, "a table of texts", field)
        found = {
            name: self._value(each, str, _below(place, name), field) for name, each in given.items()
        }
        return _UNREADABLE if _UNREADABLE in found.values() else found

    def _wrong(
        self, given: object, place: str, allowed: str, field: Field[Any] | None = None
    ) -> object:
        secret = field is not None and field.metadata.get("secret")
        found = "" if secret else f"is {shown(given)}"
        self._fault(Fault(key=place, found=found, allowed=allowed), "")
        return _UNREADABLE

    def _fault(self, fault: Fault, place: str) -> None:
        self.faults.append(fault.below(place))


def said(kind: type[Any]) -> str:
    """Return in words what a key of that type holds."""
    if is_dataclass(kind):
        return "a table"
    if get_origin(kind) is tuple:
        of_texts = get_args(kind)[0] is str
        return 'a list of texts, like ["sync", "--file-system"]' if of_texts else "a list of tables"
    if get_origin(kind) is not None:
        return "a table of texts"
    if issubclass(kind, Enum):
        *others, last = (f"'{each.value}'" for each in kind)
        return f"{', '.join(others)} or {last}" if others else last
    return _PLAIN[kind][1]


def _is_required(field: Field[Any]) -> bool:
    return field.default is MISSING and field.default_factory is MISSING


def _below(place: str, name: str) -> str:
    return f"{place}.{name}" if place else name
