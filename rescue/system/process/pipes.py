"""Output of other programs, read within bounds."""

import os
import re
import selectors
import time
from collections.abc import Callable, Mapping
from typing import BinaryIO

_NOTE = "... {} bytes left out"
_IS_NOTE = re.compile(re.escape(_NOTE).replace(r"\{\}", "[0-9]+"))
_LONGEST_LINE = 65536
_CHUNK = 65536


_PIECE = 1.0
"""Seconds of waiting at a time; of one that took longer this and as much again is counted."""


class Limit:
    """A time to wait for others, in seconds, that stands still while we do.

    What waits, waits a piece at a time. One that took far longer was no waiting: we were stopped
    (man 7 signal, SIGSTOP; a control group that is frozen), and so was maybe what we wait for.
    """

    def __init__(self, seconds: float) -> None:
        self._left = seconds
        self._asked = time.monotonic()

    def piece(self) -> float:
        """Return for how long to wait now, in seconds; 0 where the time is over."""
        now = time.monotonic()
        self._left -= min(now - self._asked, 2 * _PIECE)
        self._asked = now
        return max(0.0, min(self._left, _PIECE))


class Kept:
    """Bytes as they come: at most `most` of them, half from the beginning and half from the end."""

    def __init__(self, most: int) -> None:
        self._half = most // 2
        self._head = bytearray()
        self._tail = bytearray()
        self.left_out = 0

    def add(self, data: bytes) -> None:
        """Add the bytes that arrived."""
        room = self._half - len(self._head)
        self._head += data[:room]
        self._tail += data[room:]
        # Not at each time: what lies behind would be moved for every few bytes.
        if len(self._tail) > 2 * self._half:
            self._cut()

    def __bytes__(self) -> bytes:
        """Return what was kept; if something is missing, a line in between states how much."""
        self._cut()
        if not self.left_out:
            return bytes(self._head + self._tail)
        note = f"\n{_NOTE.format(self.left_out)}\n".encode()
        return bytes(self._head) + note + bytes(self._tail)

    def _cut(self) -> None:
        more = len(self._tail) - self._half
        if more > 0:
            del self._tail[:more]
            self.left_out += more


def is_note(line: str) -> bool:
    """Whether a line says that something was left out there."""
    return _IS_NOTE.fullmatch(line) is not None


class Lines:
    """Passes on input line by line; a line that does not end is split into several."""

    def __init__(self, on_line: Callable[[bytes], None], *, returns: bool = False) -> None:
        """With `returns` a carriage return ends a line, too: of a program that shows progress."""
        self._on_line = on_line
        self._returns = returns
        self._rest = b""

    def add(self, data: bytes) -> None:
        """Add what arrived, and pass on the lines that it completes."""
        if self._returns:
            data = data.replace(b"\r", b"\n")
        *lines, rest = (self._rest + data).split(b"\n")
        if len(rest) > _LONGEST_LINE:
            lines, rest = [*lines, rest], b""
        self._rest = rest
        for line in lines:
            self._on_line(line)

    def end(self) -> None:
        """Pass on the rest of an unfinished line."""
        if self._rest:
            self._on_line(self._rest)
        self._rest = b""


def exchange(
    heard: Mapping[BinaryIO, Callable[[bytes], None]],
    *,
    told: BinaryIO | None = None,
    data: bytes = b"",
    limit: Limit | None = None,
) -> bool:
    """Read pipes until each has ended, and write `data` to the pipe `told`, which is closed then.

    Returns False where that is not done in time.
    """
    left = memoryview(data)
    with selectors.DefaultSelector() as selector:
        for pipe in heard:
            selector.register(pipe, selectors.EVENT_READ)
        if told is not None:
            os.set_blocking(told.fileno(), False)
            selector.register(told, selectors.EVENT_WRITE)
        while selector.get_map():
            piece = limit.piece() if limit else None
            if piece == 0:
                return False
            for key, _ in selector.select(piece):
                if key.fileobj is told:
                    left = _written(told, left)
                    over = not left
                else:
                    chunk = os.read(key.fd, _CHUNK)
                    heard[key.fileobj](chunk)  # type: ignore[index]
                    over = not chunk
                if over:
                    selector.unregister(key.fileobj)
                    if key.fileobj is told:
                        told.close()
    return True


def _written(pipe: BinaryIO, data: memoryview) -> memoryview:
    """Write as much as a pipe takes now, and return the rest; nothing if nobody reads it."""
    try:
        return data[os.write(pipe.fileno(), data[:_CHUNK]) :]
    except BrokenPipeError:
        return data[:0]
