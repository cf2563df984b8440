"""Frozen data to JSON and back; every stored file carries a version number."""

import json
from functools import cache
from typing import Any, TypeVar

from cattrs import Converter
from cattrs.errors import BaseValidationError
from cattrs.strategies import configure_tagged_union

from rescue.errors import UsageError
from rescue.model.layer import Content
from rescue.model.step import Step

T = TypeVar("T")


@cache
def _converter() -> Converter:
    converter = Converter(forbid_extra_keys=True)
    # Layers hold layers: while the union's own hooks are made, its members' hooks ask for them;
    # these two answer later, when they are there.
    converter.register_unstructure_hook(Content, lambda v: converter.unstructure(v, Content))
    converter.register_structure_hook(
        Content,
        lambda v, _: converter.structure(v, Content),  # type: ignore[arg-type]
    )
    configure_tagged_union(Content, converter, tag_name="layer")
    configure_tagged_union(Step, converter, tag_name="step")
    return converter


def to_json(value: object) -> str:
    """Given one of our frozen values, return it as indented JSON text."""
    return json.dumps(_converter().unstructure(value), indent=2, sort_keys=True) + "\n"


def to_line(value: object) -> str:
    """Given one of our frozen values, return it as one line of JSON, newline included."""
    return json.dumps(_converter().unstructure(value), sort_keys=True) + "\n"


def from_json(text: str | bytes, kind: type[T], *, known_version: int, where: str) -> T:
    """Given JSON text (as it lies on a disk, too) and the class it should hold, return the value.

    `where` names the file in messages. Raises UsageError for a newer version than this program
    knows, and for text that is not what the class needs, or no text: a disk rots.
    """
    try:
        # Decoded here: given bytes, json would guess at UTF-16 and let halves of pairs pass.
        data: Any = json.loads(text if isinstance(text, str) else text.decode("utf-8"))
        version = data["version"]
    except (ValueError, KeyError, TypeError) as error:
        raise UsageError(
            f"{where} is not a state file of rescue: {error}",
            hint="restore it from the other disk's copy, or prepare the mirror again",
        ) from error
    if not isinstance(version, int) or version > known_version:
        raise UsageError(
            f"{where} was written by a newer rescue (version {version}, known is {known_version})",
            hint="install the newer rescue on this machine",
        )
    try:
        return _converter().structure(data, kind)
    except (BaseValidationError, TypeError, ValueError, KeyError) as error:
        raise UsageError(
            f"{where} does not hold what it should: {error}",
            hint="restore it from the other disk's copy, or prepare the mirror again",
        ) from error
