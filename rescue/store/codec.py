"""The codec between frozen data and JSON; every stored file carries a version number."""

import json
import math
from collections.abc import Callable
from functools import cache
from typing import Any, TypeVar

from cattrs import Converter
from cattrs.errors import BaseValidationError
from cattrs.strategies import configure_tagged_union

from rescue.errors import DamagedError, UsageError
from rescue.model.mirror.record import Handover, MirrorRecord, RunSummary
from rescue.model.mirror.secret import Secret
from rescue.model.mirror.step import Step
from rescue.model.storage.layer import Container, Content
from rescue.model.storage.machine import Machine
from rescue.model.storage.place import Place
from rescue.store import migrate
from rescue.store.migrate import Json

T = TypeVar("T")

_LARGEST = 2**63 - 1
"""What the kernel counts sizes and sectors in."""

_FARTHEST = 2.0**35
"""Seconds: as a time the years 881 to 3058, which every calendar of Python can tell."""

_ANEW = "restore it from the other disk's copy, or prepare the mirror again"


@cache
def _converter(*, with_secrets: bool = False) -> Converter:
    converter = Converter(forbid_extra_keys=True)
    converter.register_structure_hook(int, _checked(int, _whole))
    converter.register_structure_hook(float, _checked(float, _number))
    converter.register_structure_hook(str, _checked(str, _text))
    converter.register_structure_hook(bool, lambda value, _: _flag(value))
    converter.register_structure_hook(Secret, lambda value, _: Secret(_text(value)))
    converter.register_unstructure_hook(Secret, lambda v: v.text if with_secrets else "")
    _upgrade(converter, Container, migrate.container)
    _upgrade(converter, Machine, migrate.machine)
    _upgrade(converter, MirrorRecord, migrate.record)
    _upgrade(converter, Handover, migrate.handover)
    _upgrade(converter, RunSummary, migrate.summary)
    # Places lie in places: while the union's own hooks are made, its members' hooks ask for them;
    # these two answer later, when they are there.
    converter.register_unstructure_hook(Place, lambda v: converter.unstructure(v, Place))
    converter.register_structure_hook(
        Place,
        lambda v, _: converter.structure(v, Place),  # type: ignore[arg-type]
    )
    configure_tagged_union(Place, converter, tag_name="type")
    configure_tagged_union(Content, converter, tag_name="layer")
    configure_tagged_union(Step, converter, tag_name="step")
    return converter


def _upgrade(converter: Converter, kind: type[T], upgrade: Callable[[Json], Json]) -> None:
    """Allow a value stored by an older rescue to be read, however deeply nested it is."""

    @cache
    def hook() -> Callable[[Any, Any], T]:
        # Made late: the hooks of what the class holds are not all there yet.
        return converter.gen_structure_attrs_fromdict(kind)

    def read(value: Any, _: object) -> T:  # noqa: ANN401
        return hook()(upgrade(value) if isinstance(value, dict) else value, kind)

    converter.register_structure_hook(kind, read)


def to_json(value: object) -> str:
    """Return one of our frozen values as indented JSON text that is safe to show.

    Secrets are left out.
    """
    return _indented(_converter().unstructure(value))


def to_stored_json(value: object) -> str:
    """Return one of our frozen values as JSON with its secrets, for a file only root can read."""
    return _indented(_converter(with_secrets=True).unstructure(value))


def to_line(value: object) -> str:
    """Given one of our frozen values, return it as one line of JSON, newline included."""
    return json.dumps(_converter().unstructure(value), sort_keys=True) + "\n"


def from_json(text: str | bytes, kind: type[T], *, known_version: int, where: str) -> T:
    """Given JSON text (even as found on a disk) and the class it should hold, return the value.

    `where` names the file in messages. The text is not trusted: numbers must be in the range of
    what they count. Raises DamagedError for text that does not fit the class, or is no text (a
    disk rots), and UsageError for a newer version than this program knows.
    """
    try:
        # Decoded here: given bytes, json would guess at UTF-16 and let halves of pairs pass.
        data: Any = json.loads(text if isinstance(text, str) else text.decode("utf-8"))
        version = _whole(data["version"])
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise DamagedError(f"{where} is not a state file of rescue: {error}", hint=_ANEW) from error
    if version > known_version:
        raise UsageError(
            f"{where} was written by a newer rescue (version {version}, known is {known_version})",
            hint="install the newer rescue on this machine",
        )
    try:
        return _converter().structure(data, kind)
    except (BaseValidationError, TypeError, ValueError, KeyError, RecursionError) as error:
        raise DamagedError(f"{where} does not hold what it should: {error}", hint=_ANEW) from error


def _checked(
    base: type, check: Callable[[object], object]
) -> Callable[[object, Callable[[object], object]], object]:
    """Return the hook of a plain type; it is asked for the enumerations made of it, too."""
    return lambda value, kind: check(value) if kind is base else kind(value)


def _indented(plain: object) -> str:
    return json.dumps(plain, indent=2, sort_keys=True) + "\n"


def _whole(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or abs(value) > _LARGEST:
        raise ValueError("this is no number that could be counted")
    return value


def _number(value: object) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise ValueError("this is no number")
    if abs(value) > _FARTHEST or not math.isfinite(value):
        raise ValueError("this is no time, and no duration")
    return float(value)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError("this is no text")
    # Names may contain bytes that are not UTF-8; other lone surrogates could not be written back.
    value.encode("utf-8", "surrogateescape")
    return value


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError("this is neither true nor false")
    return value
