"""Files that rsync reads its orders from: how many there are is for users to decide.

A command line holds 2 MiB (man 2 execve), and every user can read it.
"""

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import BinaryIO

_RULE = "--filter="

_MOST_BYTES = 512 * 1024
_BESIDE = 100
"""Bytes of operands in one command of rsync, and of what comes to each path there."""


def name_list(names: Iterable[str]) -> bytes:
    """Return what a file for --files-from and --from0 holds: names relative to the root.

    rsync takes a line that begins with '#' or ';' for a comment, though it ends with a zero byte.
    """
    return b"".join(b"./" + os.fsencode(name) + b"\0" for name in names)


@contextmanager
def with_rules_in_a_file(argv: Sequence[str]) -> Iterator[tuple[list[str], BinaryIO | None]]:
    """Yield an rsync command that reads its filter rules from standard input, and that file.

    The rules stay in order, each ended by a zero byte: a pattern may hold a line break. The
    file has no name: from 3.5 on rsync finds no descriptor below /proc.
    """
    rules = [word.removeprefix(_RULE) for word in argv if word.startswith(_RULE)]
    if not rules:
        yield list(argv), None
        return
    with os.fdopen(os.memfd_create("rules"), "w+b") as file:
        file.write(b"".join(os.fsencode(rule) + b"\0" for rule in rules))
        file.seek(0)
        place = list(argv).index("rsync") + 1
        rest = [word for word in argv[place:] if not word.startswith(_RULE)]
        yield [*argv[:place], "--from0", f"{_RULE}. -", *rest], file


def in_parts(paths: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """Yield paths as operands, in parts that each fit on a command line."""
    part: list[str] = []
    size = 0
    for path in paths:
        size += len(os.fsencode(path)) + _BESIDE
        if part and size > _MOST_BYTES:
            yield tuple(part)
            part, size = [], len(os.fsencode(path)) + _BESIDE
        part.append(path)
    if part:
        yield tuple(part)
