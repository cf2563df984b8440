"""Standard output and standard error, whether somebody reads them or not, full or not.

A pager that is left, or a full file system behind '>', is no reason to end in the middle of a run:
what cannot be written is dropped, and the command goes on. At the end it counts what it was for.
"""

import errno
import io
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer


class Outlet(io.FileIO):
    """A descriptor that takes everything: from its first error on, what is written is dropped.

    `trouble` is that error. It is `excused` where the command was not there for what it prints.
    """

    trouble: OSError | None = None
    excused: bool = False

    def write(self, data: "ReadableBuffer", /) -> int | None:  # type: ignore[override]
        """Write bytes, and return how many were taken (None: it would have to wait)."""
        if self.trouble is None:
            try:
                return super().write(data)
            except OSError as error:
                self.trouble = error
        return memoryview(data).nbytes


@contextmanager
def outlets() -> Iterator[None]:
    """Write through outlets while the block runs, and see at its end what became of the output.

    Where nobody read it to its end, the process ends by SIGPIPE without a word, as other programs
    do; where it could not be written, that is said, and the exit code is 1. Neither is so after
    `excuse`.
    """
    _fill_standard_descriptors()
    sys.stdout = _through_outlet(sys.stdout, 1)
    sys.stderr = _through_outlet(sys.stderr, 2)
    try:
        yield
    finally:
        outlet = _flushed()
        if outlet is not None and outlet.trouble is not None and not outlet.excused:
            if outlet.trouble.errno == errno.EPIPE:
                _end_by_sigpipe()
            sys.stderr.write(f"rescue: {_sentence(outlet.trouble)}\n")
            sys.exit(1)


def excuse() -> None:
    """Say that the command did what it is for, whatever became of its output.

    That nobody reads on is worth no word; that there was no room is worth a warning.
    """
    outlet = _flushed()
    if outlet is None or outlet.trouble is None:
        return
    outlet.excused = True
    if outlet.trouble.errno != errno.EPIPE:
        sys.stderr.write(f"warning: {_sentence(outlet.trouble)}\n")


def _flushed() -> Outlet | None:
    """Return the outlet of standard output when all is written; None where tests have another."""
    sys.stdout.flush()
    raw = getattr(getattr(sys.stdout, "buffer", None), "raw", None)
    return raw if isinstance(raw, Outlet) else None


def _sentence(trouble: OSError) -> str:
    return f"standard output could not be written: {trouble.strerror}"


def _fill_standard_descriptors() -> None:
    """Open /dev/null in the place of what the caller closed ('>&-').

    The next file to be opened would get that number, and what is printed would be written into it:
    this program opens disks.
    """
    while (fd := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(fd, True)
    os.close(fd)


def _through_outlet(stream: TextIO | None, fd: int) -> TextIO:
    """Return a text stream of that descriptor with the encoding of Python's own, if it has one."""
    return io.TextIOWrapper(
        io.BufferedWriter(Outlet(fd, "w", closefd=False)),
        encoding=stream.encoding if stream else "utf-8",
        # A terminal that cannot show a letter gets its number: no reason to end in a traceback.
        errors="backslashreplace",
        line_buffering=fd == 2 or os.isatty(fd),
    )


def _end_by_sigpipe() -> None:
    """End as the kernel ends a program that writes to a pipe without a reader (man 7 pipe).

    Python ignores that signal from its start on.
    """
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGPIPE})
    os.kill(os.getpid(), signal.SIGPIPE)
