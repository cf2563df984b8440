"""Faults of the configuration: a key, what it holds, and what is allowed there instead."""

from collections.abc import Iterator
from dataclasses import Field, dataclass, fields, replace
from typing import Any, ClassVar, Protocol

from rescue.errors import UsageError

SECRET = {"secret": True}
"""Metadata of a field whose values are never repeated: they may hold passwords."""

_LONGEST = 40


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One key that cannot be meant.

    `key` is its place ('run.brake_share', 'hook[0].when'); `found` says what is there ('is 7', 'is
    missing'), '' for what is not repeated; `allowed` is what it must be ('above 0').
    """

    key: str
    found: str
    allowed: str

    @property
    def said(self) -> str:
        """The fault as a sentence, the key first, as people look for it."""
        if not self.found:
            return f"key '{self.key}' must be {self.allowed}"
        return f"key '{self.key}' {self.found}: it must be {self.allowed}"

    def below(self, place: str) -> "Fault":
        """Return the same fault, of a section that is itself at that place ('' for the whole)."""
        return replace(self, key=f"{place}.{self.key}") if place else self


class FaultsError(UsageError):
    """Every fault of what `where` names, at once."""

    def __init__(self, where: str, faults: tuple[Fault, ...]) -> None:
        many = f"{len(faults)} keys are wrong: " if len(faults) > 1 else ""
        hint = f"correct {'them' if many else 'it'}; see rescue.toml(5)"
        super().__init__(f"{where}: {many}" + "; ".join(each.said for each in faults), hint=hint)
        self.where = where
        self.faults = faults


class Section(Protocol):
    """A dataclass, as `dataclasses.fields` takes it."""

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]


def unmet(section: Section, *rules: tuple[str, object, str]) -> Iterator[Fault]:
    """Given rules for keys of a section (key, whether it is kept, what is allowed), return faults.

    `section` is a dataclass; a key may go on below one of its fields ('environment.PATH').
    """
    secret = {each.name for each in fields(section) if each.metadata.get("secret")}
    for key, kept, allowed in rules:
        if not kept:
            name = key.partition(".")[0]
            found = "" if name in secret else f"is {shown(getattr(section, name))}"
            yield Fault(key=key, found=found, allowed=allowed)


def shown(value: object) -> str:
    """Return a value of TOML in a few words."""
    match value:
        case bool():
            return str(value).lower()
        case float():
            return f"{value:g}"
        case str():
            return repr(value if len(value) <= _LONGEST else f"{value[:_LONGEST]}...")
        case list() | tuple():
            return "a list"
        case dict():
            return "a table"
        case _:
            return str(value)[:_LONGEST]
