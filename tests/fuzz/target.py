"""A parser of text as the fuzzing sees it: what it is given, and what it may raise."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path

from hypothesis import strategies as st

from tests.fuzz.damage import any_json, texts

DATA = Path(__file__).parent.parent / "data"


class Kind(Enum):
    """What a parser reads: any text, or JSON."""

    TEXT = auto()
    JSON = auto()


@dataclass(frozen=True, kw_only=True)
class Target:
    """One parser; `errors` are those that its docstring names: it may raise no others."""

    name: str
    parse: Callable[[str], object]
    specimens: tuple[str, ...]
    kind: Kind = Kind.TEXT
    errors: tuple[type[Exception], ...] = ()

    @property
    def inputs(self) -> st.SearchStrategy[str]:
        """What it is given."""
        return (any_json if self.kind is Kind.JSON else texts)(*self.specimens)


def recorded(name: str) -> str:
    """Return what a tool once printed, or a file of a real machine."""
    return (DATA / name).read_text("utf-8", "surrogateescape")
