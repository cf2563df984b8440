"""What a parser may be given: real specimens, damaged as a disk, a cut or a stranger would."""

import copy
import json
from collections.abc import Sequence
from enum import Enum, auto
from typing import Any

from hypothesis import strategies as st

MOST_DAMAGES = 4
_REPEATED = 300
"""So often a slice may stand behind itself: enough for a nesting, not for a flood."""

_PIECES = (
    # What ends a line for Python's splitlines, and for nobody else.
    *(char.encode() for char in "\r\v\f\x1c\x85\u2028\u2029"),
    *(char.encode() for char in "\n\0\t \"'\\#{}[]()<>|;:,=%$`-+./?*"),
    b"\xff",
    b"\xff\xff\xff\xff",
    b"\x1b[",
    b"${",
    b"-1",
    b"0x10",
    b"1_0",
    b"1e999",
    b"NaN",
    b"9" * 20,
    b"9" * 5000,
    b"\xd9\xa3",  # a digit, and none of ASCII's
    b"\xc2\xb2",  # isdigit() and not isdecimal()
    b"\\000",
    b"\\x00",
    b"\\u0000",
    b"\\ud800",
    b"\xc2\xa0",  # white space to Python alone
    b"../..",
)
"""What parsers stumble over: ends, quotes, numbers that are none, characters of several kinds."""

_NUMBERS = tuple(
    number.to_bytes(8, "little")
    for number in (0, 1, 0x7F, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF, 2**63, 2**64 - 1)
)


class _Way(Enum):
    FLIP = auto()
    CUT = auto()
    REMOVE = auto()
    REPEAT = auto()
    INSERT = auto()
    NUMBER = auto()
    TEXT = auto()
    SPLICE = auto()


_DAMAGE = st.tuples(
    st.sampled_from(_Way), st.integers(0, 2**24), st.integers(0, 2**16), st.sampled_from(_PIECES)
)


@st.composite
def damaged(draw: st.DrawFn, specimens: Sequence[bytes]) -> bytes:
    """Draw one of the specimens with some damages: bits, cuts, repetitions, odd pieces."""
    data = draw(st.sampled_from(specimens))
    other = draw(st.sampled_from(specimens))
    for way, at, size, piece in draw(st.lists(_DAMAGE, max_size=MOST_DAMAGES)):
        data = _with_damage(data, other, way, at % (len(data) + 1), size, piece)
    return data


def _with_damage(data: bytes, other: bytes, way: _Way, at: int, size: int, piece: bytes) -> bytes:
    before, after = data[:at], data[at:]
    match way:
        case _Way.FLIP:
            bit = bytes([after[0] ^ (1 << size % 8)]) if after else b""
            return before + bit + after[1:]
        case _Way.CUT:
            return before
        case _Way.REMOVE:
            return before + after[size % 64 :]
        case _Way.REPEAT:
            return before + after[: 1 + size // 16 % 48] * (size % _REPEATED) + after
        case _Way.INSERT:
            return before + piece * (1 + size % 8) + after
        case _Way.NUMBER:
            number = _NUMBERS[size % len(_NUMBERS)][: 1 << (size // 8 % 4)]
            return before + number + after[len(number) :]
        case _Way.TEXT:
            return before + piece + after[len(piece) :]
        case _Way.SPLICE:
            return before + other[size % (len(other) + 1) :]


def damaged_text(specimens: Sequence[str]) -> st.SearchStrategy[str]:
    """Draw one of the texts with some damages; bytes that are no UTF-8 come as surrogates."""
    raw = tuple(text.encode("utf-8", "surrogateescape") for text in specimens)
    return damaged(raw).map(lambda data: data.decode("utf-8", "surrogateescape"))


def any_text() -> st.SearchStrategy[str]:
    """Draw any text that a file or a program can give, undecodable bytes among it."""
    return st.one_of(
        st.text(), st.binary().map(lambda data: data.decode("utf-8", "surrogateescape"))
    )


def texts(*specimens: str) -> st.SearchStrategy[str]:
    """Draw damaged specimens mostly, and any text."""
    return st.one_of(damaged_text(specimens), any_text()) if specimens else any_text()


_ODD: tuple[Any, ...] = (
    None,
    True,
    -1,
    0,
    2**63,
    2**64,
    10**400,
    1.5,
    float("inf"),
    float("nan"),
    "",
    "\0",
    "\ud800",
    "\u2028",
    "-1",
    "9" * 5000,
    "x" * 5000,
    [],
    {},
    [None],
    {"": None},
    [[[[[[[[]]]]]]]],
)
_STEPS = st.lists(st.integers(0, 2**16), min_size=1, max_size=12)


class _Change(Enum):
    REPLACE = auto()
    DROP = auto()
    ADD = auto()
    TWICE = auto()


@st.composite
def damaged_json(draw: st.DrawFn, specimens: Sequence[str]) -> str:
    """Draw JSON of the same shape in which some values are of another kind, missing or odd."""
    tree = [json.loads(draw(st.sampled_from(specimens)))]
    changes = st.tuples(st.sampled_from(_Change), _STEPS, st.sampled_from(_ODD))
    for change, steps, odd in draw(st.lists(changes, min_size=1, max_size=3)):
        _changed(tree, change, steps, copy.deepcopy(odd))
    return json.dumps(tree[0]) if tree else ""


def _changed(tree: list[Any], change: _Change, steps: Sequence[int], odd: object) -> None:
    """Walk into a tree as far as the steps go, and change what is there."""
    if not tree:
        return
    parent, key = _walked(tree, steps)
    match change:
        case _Change.REPLACE:
            parent[key] = odd
        case _Change.DROP:
            del parent[key]
        case _Change.ADD if isinstance(parent, dict):
            parent["odd"] = odd
        case _Change.TWICE if isinstance(parent, list):
            parent.append(copy.deepcopy(parent[key]))
        case _:
            parent[key] = odd


def _walked(tree: list[Any], steps: Sequence[int]) -> tuple[Any, Any]:
    """Return what a tree's place lies in, and its key there; a step goes into what is no leaf."""
    parent: Any = tree
    key: Any = 0
    for step in steps:
        inside = parent[key]
        if not isinstance(inside, dict | list) or not inside:
            break
        keys = list(inside) if isinstance(inside, dict) else range(len(inside))
        parent, key = inside, keys[step % len(keys)]
    return parent, key


_ALIKE: dict[type, tuple[Any, ...]] = {
    bool: (True, False),
    int: (0, -1, 1, 2**31, 2**63 - 1, 1 - 2**63),
    float: (0.0, -1.0, 1e-9, 1.5, 1e10, 2.0**35, -(2.0**35)),
    str: (
        "",
        " ",
        "\0",
        "\x1b[2J",
        "\n",
        "\u2028",
        "\udcff",
        "[red]",
        "../..",
        "%s{0}",
        "x" * 5000,
    ),
    list: ([],),
    type(None): (None,),
}


@st.composite
def odd_json(draw: st.DrawFn, specimens: Sequence[str]) -> str:
    """Draw JSON of the very same shape in which some values are odd ones of their kind."""
    tree = [json.loads(draw(st.sampled_from(specimens)))]
    for steps, which in draw(st.lists(st.tuples(_STEPS, st.integers(0, 2**16)), max_size=6)):
        parent, key = _walked(tree, steps)
        pool = _ALIKE.get(type(parent[key]), (parent[key],))
        parent[key] = copy.deepcopy(pool[which % len(pool)])
    return json.dumps(tree[0])


def any_json(*specimens: str) -> st.SearchStrategy[str]:
    """Draw what may come where one of the specimens is expected: JSON of its shape, or anything."""
    return st.one_of(
        damaged_json(specimens), damaged_text(specimens), st.sampled_from(NESTED), any_text()
    )


NESTED = ("[" * 100_000, "[" * 100_000 + "]" * 100_000, '{"a":' * 100_000 + "1" + "}" * 100_000)
"""JSON that is nested far deeper than Python's stack."""
