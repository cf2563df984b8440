"""rsync's patterns (man 1 rsync, 'PATTERN MATCHING RULES'), those that are anchored with '/'."""

import re
from collections.abc import Callable, Iterable

_WILD = re.compile(r"[*?[]")
_TOKEN = re.compile(r"\\(.)|(\*\*)|(\*)|(\?)|(\[[!^]?\]?[^]]*\])|(.)", re.DOTALL)


def matcher(patterns: Iterable[str]) -> Callable[[str], bool]:
    """Return whether a file's path ('/...') is excluded, by itself or by a folder it lies in."""
    rules = [f"(?:{_regular(pattern)})" for pattern in patterns]
    if not rules:
        return lambda path: False
    whole = re.compile("|".join(rules), re.DOTALL)
    return lambda path: whole.fullmatch(path) is not None


def _regular(pattern: str) -> str:
    # One that ends with '/' is for folders: a file is excluded where it lies in one.
    folder = pattern.endswith("/")
    name = pattern.rstrip("/")
    text = "".join(map(_token, _TOKEN.finditer(name))) if _WILD.search(name) else re.escape(name)
    return f"{text}/.*" if folder else f"{text}(?:/.*)?"


def _token(found: "re.Match[str]") -> str:
    escaped, deep, star, one, group, plain = found.groups()
    if deep:
        return ".*"
    if star:
        return "[^/]*"
    if one:
        return "[^/]"
    if group:
        inside = group[1:-1]
        inverted = inside[:1] in ("!", "^")
        members = re.sub(r"([\\\[\]^&~|])", r"\\\1", inside.lstrip("!^") if inverted else inside)
        return f"[{'^' if inverted else ''}{members}]"
    return re.escape(escaped or plain)
