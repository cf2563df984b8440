"""Whether a value is what its class says: nothing that was read travels on as it came."""

from collections.abc import Collection, Mapping
from dataclasses import fields, is_dataclass
from functools import cache
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints


def expect_declared(value: object) -> None:
    """Expect that every field of our frozen values holds what its annotation says, all the way."""
    if is_dataclass(value) and not isinstance(value, type):
        hints = _hints(type(value))
        for field in fields(value):
            inner = getattr(value, field.name)
            assert _fits(inner, hints[field.name]), (
                f"{type(value).__name__}.{field.name}: {inner!r}"
            )
            expect_declared(inner)
    elif isinstance(value, Collection) and not isinstance(value, str | bytes):
        for each in value:
            expect_declared(each)


@cache
def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind)


def _fits(value: object, hint: Any) -> bool:
    hint = getattr(hint, "__supertype__", hint)  # Bytes, Sectors
    origin = get_origin(hint)
    if origin in (Union, UnionType):
        return any(_fits(value, each) for each in get_args(hint))
    if origin is tuple and get_args(hint)[-1] is Ellipsis:
        inner = get_args(hint)[0]
        return isinstance(value, tuple) and all(_fits(each, inner) for each in value)
    if isinstance(origin or hint, type) and issubclass(origin or hint, Mapping | Collection):
        return isinstance(value, origin or hint)
    if hint in (int, float) and isinstance(value, bool):
        return False
    if hint is float:
        return isinstance(value, int | float)
    return isinstance(value, hint) if isinstance(hint, type) else True
