"""JSON answers of programs, checked before they are believed.

Labels, serial numbers and names on a stranger's disk come through these programs, and a program of
another version may answer otherwise.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from rescue.errors import RescueError

_LARGEST = 2**63 - 1


@contextmanager
def understood(problem: str, *, hint: str = "") -> Iterator[None]:
    """Turn exceptions from reading an unexpected format into RescueError.

    `problem` is the sentence that says who did not answer with what.
    """
    try:
        yield
    # Nesting deeper than Python's stack and numbers beyond a float are such shapes, too.
    except (ValueError, LookupError, TypeError, AttributeError, ArithmeticError) as error:
        raise RescueError(f"{problem}: {error}", hint=hint) from error
    except RecursionError as error:
        raise RescueError(f"{problem}: it is nested too deeply", hint=hint) from error


def rows_of(value: object) -> list[dict[str, Any]]:
    """Return a list of rows unchanged. Raises TypeError for anything else."""
    if not isinstance(value, list) or not all(isinstance(row, dict) for row in value):
        raise TypeError("a list of rows was expected")
    return value


def text_of(row: Mapping[str, Any], key: str, default: str | None = None) -> str:
    """Return the text at a key; the default replaces null and a missing key.

    Raises KeyError where there is none and no default, TypeError where it is not text.
    """
    value = row.get(key)
    if value is None:
        if default is None:
            raise KeyError(key)
        return default
    if not isinstance(value, str):
        raise TypeError(f"'{key}' is no text")
    return value


def count_of(row: Mapping[str, Any], key: str, default: int | None = None) -> int:
    """Return the whole number at a key, from 0 to the limit of 63 bits, or the default if missing.

    Raises KeyError where there is none and no default, TypeError where it is not such a number.
    """
    value = row.get(key, default)
    if value is None:
        raise KeyError(key)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= _LARGEST:
        raise TypeError(f"'{key}' is no number of things")
    return value
