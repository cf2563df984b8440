"""rsync's anchored patterns (man 1 rsync, 'PATTERN MATCHING RULES').

As rsync has them (its lib/wildmatch.c, in the C locale): they are about bytes, and one that is
malformed matches nothing.
"""

import os
import re
import string
from collections.abc import Callable, Iterable

_WILD = re.compile(rb"[*?[]")
_TOKEN = re.compile(rb"(\*\*+)|(\*)|(\?)|(\[)|\\(.)|([^\\])", re.DOTALL)
_NOTHING = b"(?!)"
_CLASSES = {
    "alnum": string.ascii_letters + string.digits,
    "alpha": string.ascii_letters,
    "blank": " \t",
    "cntrl": "".join(map(chr, (*range(32), 127))),
    "digit": string.digits,
    "graph": string.ascii_letters + string.digits + string.punctuation,
    "lower": string.ascii_lowercase,
    "print": string.ascii_letters + string.digits + string.punctuation + " ",
    "punct": string.punctuation,
    "space": string.whitespace,
    "upper": string.ascii_uppercase,
    "xdigit": string.hexdigits,
}


def matcher(patterns: Iterable[str]) -> Callable[[str], bool]:
    """Return whether a file's path ('/...') is excluded, by itself or by a folder it lies in."""
    rules = [b"(?:" + _regular(os.fsencode(pattern)) + b")" for pattern in patterns]
    if not rules:
        return lambda path: False
    whole = re.compile(b"|".join(rules), re.DOTALL)
    return lambda path: whole.fullmatch(os.fsencode(path)) is not None


def _regular(pattern: bytes) -> bytes:
    # One that ends with '/' is for folders: a file is excluded where it lies in one.
    folder = pattern.endswith(b"/")
    name = pattern.rstrip(b"/")
    text = _wild(name) if _WILD.search(name) else re.escape(name)
    return text + (b"/.*" if folder else b"(?:/.*)?")


def _wild(name: bytes) -> bytes:
    text: list[bytes] = []
    place = 0
    while place < len(name):
        found = _TOKEN.match(name, place)
        if found is None:  # a backslash, and nothing behind it
            return _NOTHING
        deep, star, one, group, escaped, plain = found.groups()
        place = found.end()
        if group:
            one_of = _class(name, place)
            if one_of is None:
                return _NOTHING
            members, place = one_of
            text.append(members)
        else:
            text.append(_token(deep, star, one) or re.escape(escaped or plain))
    return b"".join(text)


def _token(deep: bytes | None, star: bytes | None, one: bytes | None) -> bytes:
    if deep:
        return b".*"
    return b"[^/]*" if star else b"[^/]" if one else b""


def _class(name: bytes, place: int) -> tuple[bytes, int] | None:
    """Read a class behind its '['; return what matches it, and where the pattern goes on.

    None where it is malformed.
    """
    inverted = name[place : place + 1] in (b"!", b"^")
    place += inverted
    members: set[int] = set()
    before = 0  # what a range can begin with
    first = place
    while place < len(name):
        here = name[place : place + 1]
        if here == b"]" and place > first:
            return _one_of(set(range(256)) - members if inverted else members), place + 1
        if here == b"[" and name[place + 1 : place + 2] == b":":
            end = name.find(b"]", place + 2)
            if end < 0:
                return None
            if end > place + 2 and name[end - 1 : end] == b":":
                known = _CLASSES.get(name[place + 2 : end - 1].decode("latin-1"))
                if known is None:
                    return None
                members.update(known.encode())
                before, place = 0, end + 1
                continue
        is_range = here == b"-" and before and name[place + 1 : place + 2] not in (b"", b"]")
        place += bool(is_range)
        place += name[place : place + 1] == b"\\"
        if place >= len(name):
            return None
        members.update(range(before, name[place] + 1) if is_range else (name[place],))
        before = 0 if is_range else name[place]
        place += 1
    return None


def _one_of(members: set[int]) -> bytes:
    """Return a class of those bytes, '/' never among them."""
    inside = b"".join(rb"\x%02x" % each for each in sorted(members - {ord("/")}))
    return b"[" + inside + b"]" if inside else _NOTHING
