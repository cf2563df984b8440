"""Filters: programs that read one stream of bytes and give another, of which no file is made."""

import os
import subprocess
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import BinaryIO, cast

from rescue.system.process.run import (
    CommandError,
    decoded,
    dying_with_us,
    ended,
    environment,
    expect_program,
)


@contextmanager
def reading(argv: Sequence[str], *, source: BinaryIO) -> Iterator[BinaryIO]:
    """Run a filter over an open file, from its present offset on, and give its output as a stream.

    `source` must be unbuffered, so that its offset is where the filter begins. What the caller
    leaves unread is read to its end, so that the exit code speaks for the whole. Raises
    CommandError where the filter fails or is missing; it is ended when the caller raises.
    """
    expect_program(argv)
    # In memory: a full or read-only disk is no reason not to read another one.
    with os.fdopen(os.memfd_create("errors"), "w+b") as errors:
        with subprocess.Popen(
            [*dying_with_us("KILL"), *argv],
            stdin=source,
            stdout=subprocess.PIPE,
            stderr=errors,
            env=environment(),
        ) as child:
            assert child.stdout is not None
            try:
                yield cast(BinaryIO, child.stdout)
                while child.stdout.read(1 << 20):
                    pass
            except BaseException:
                child.kill()
                raise
        errors.seek(0)
        if child.returncode != 0:
            raise CommandError(ended(argv, child.returncode, "", decoded(errors.read())))


@contextmanager
def piped(chunks: Iterable[bytes]) -> Iterator[BinaryIO]:
    """Yield the chunks as an open file, for a filter to read while they are produced.

    What making them raises is raised here at the block's end; a reader that leaves early ends it.
    """
    read, write = os.pipe()
    failed: list[BaseException] = []

    def feed() -> None:
        try:
            with os.fdopen(write, "wb") as out:
                for chunk in chunks:
                    out.write(chunk)
        except BrokenPipeError:
            pass
        except BaseException as error:
            failed.append(error)

    feeder = threading.Thread(target=feed, daemon=True)
    with os.fdopen(read, "rb", buffering=0) as plain:
        feeder.start()
        try:
            yield plain
        finally:
            plain.close()
            feeder.join()
    if failed:
        raise failed[0]
