"""Standard output and standard error, whether or not somebody reads them.

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
    """A descriptor that accepts everything: after its first error, output is discarded.

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
    """Write through outlets while the block runs, and check at its end whether output was lost.

    If nobody read it to its end, the process ends silently by SIGPIPE, like other programs; if
    it could not be written, that is reported, and the exit code is 1. After `excuse`, neither
    happens.
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
    """Declare that the command did its job, whatever happened to its output.

    That nobody reads any more is not reported; lack of space is reported as a warning.
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
