"""A parser in a process of its own that may take so much memory and no more (man 2 setrlimit)."""

import multiprocessing
import resource
from collections.abc import Callable
from pathlib import Path

MIB = 1 << 20
SECONDS = 300


def end_within(mebibytes: int, work: Callable[[], object]) -> str:
    """Carry out the work in a child that may take this much memory more than it has now.

    Returns 'done', or the name of what the work raised ('MemoryError' among others). Children of
    the child have the same limit.
    """
    # Forked, so that the work needs no name; what it imports it has already.
    context = multiprocessing.get_context("fork")
    here, there = context.Pipe(duplex=False)
    child = context.Process(target=_limited, args=(mebibytes, work, there))
    child.start()
    there.close()
    try:
        if not here.poll(SECONDS):
            return f"not done after {SECONDS} s"
        return str(here.recv())
    except EOFError:
        return "killed"
    finally:
        child.kill()
        child.join()


def _limited(
    mebibytes: int, work: Callable[[], object], there: "multiprocessing.connection.Connection"
) -> None:
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[0])
    most = pages * resource.getpagesize() + mebibytes * MIB
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    try:
        work()
        ended = "done"
    except Exception as error:
        ended = type(error).__name__
    there.send(ended)
