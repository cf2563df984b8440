"""Programs of other people: each is run as a group of its own, attended, and ended in time."""

import os
import selectors
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import BinaryIO, cast

from rescue.system.process.pipes import Limit, Lines
from rescue.system.process.run import CommandError, Result, decoded, ended, environment

_LIFELINE = """\
read -r group
read -r _
sleep 2
kill -s TERM -- "-$group" || exit 0
sleep 10
kill -s KILL -- "-$group"
"""
"""Ends a process group when nobody holds the other end of what it reads any more.

Its first process was told by the kernel, and may end the others in its own way first.
"""


def attend(
    argv: Sequence[str],
    *,
    timeout: float,
    on_line: Callable[[str], None],
    output: BinaryIO | None = None,
    extra_env: Mapping[str, str] | None = None,
    grace: float = 10.0,
) -> Result:
    """Run somebody else's program as a process group of its own, and return how it ended.

    Each line it prints is handed on as it comes; standard output goes to `output` where that is
    given. After `timeout` seconds the whole group gets SIGTERM, and SIGKILL `grace` seconds
    later; so it does when `on_line` or a signal handler raises, and when this process dies in
    whatever way. What it leaves running when it ends by itself is let be. Returns whatever the exit
    code; raises CommandError (127 where it cannot be started, 124 where it did not end in time).
    """
    with _lifeline() as hold:
        try:
            child = subprocess.Popen(
                list(argv),
                stdin=subprocess.DEVNULL,
                stdout=output or subprocess.PIPE,
                stderr=subprocess.PIPE if output else subprocess.STDOUT,
                env=environment(extra_env),
                cwd="/",
                start_new_session=True,
            )
        except OSError as error:
            said = f"{argv[0]}: {error.strerror}"
            raise CommandError(ended(argv, 127, "", said)) from error
        hold(child.pid)
        with cast(BinaryIO, child.stdout or child.stderr) as pipe:
            try:
                in_time = _follow(child, pipe, on_line, Limit(timeout))
            except BaseException:
                _end_group(child, grace)
                raise
        if not in_time:
            # Not waited for: a process that hangs in the kernel cannot be ended by anybody.
            _end_group(child, grace)
            raise CommandError(ended(argv, 124, "", f"not done after {timeout:g} s"))
        return ended(argv, child.wait(), "", "")


@contextmanager
def _lifeline() -> Iterator[Callable[[int], None]]:
    """Give what is told of a process group that shall end when this process dies in the block.

    The kernel sends its signal to the first process of it alone (`dying_with_us`).
    """
    with subprocess.Popen(
        ["sh", "-c", _LIFELINE],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=environment(),
        cwd="/",
        start_new_session=True,
        bufsize=0,
    ) as watch:
        try:
            yield lambda group: _hold(cast(BinaryIO, watch.stdin), group)
        finally:
            watch.kill()


def _hold(watch: BinaryIO, group: int) -> None:
    with suppress(BrokenPipeError):
        watch.write(b"%d\n" % group)


def _follow(
    child: "subprocess.Popen[bytes]",
    pipe: BinaryIO,
    on_line: Callable[[str], None],
    limit: Limit,
) -> bool:
    """Hand on what the child prints until it ends, or return False where it does not in time.

    Its end is what counts, not that of the pipe, which a child of its own may keep open.
    """
    lines = Lines(lambda line: on_line(decoded(line)))
    over = os.pidfd_open(child.pid)
    try:
        with selectors.DefaultSelector() as selector:
            selector.register(pipe, selectors.EVENT_READ)
            selector.register(over, selectors.EVENT_READ)
            ready: list[int] = []
            # Its end comes alone: what it said before that is read first.
            while ready != [over] and (piece := limit.piece()):
                ready = [key.fd for key, _ in selector.select(piece)]
                if pipe.fileno() in ready:
                    data = os.read(pipe.fileno(), 65536)
                    if not data:
                        selector.unregister(pipe)
                    lines.add(data)
        lines.end()
        return ready == [over]
    finally:
        os.close(over)


def _end_group(child: "subprocess.Popen[bytes]", grace: float) -> None:
    """End a child and everything that it started, even what ignores SIGTERM."""
    for number, seconds in ((signal.SIGTERM, grace), (signal.SIGKILL, 5.0)):
        with suppress(ProcessLookupError):
            os.killpg(child.pid, number)
        if _group_is_gone(child, seconds):
            return


def _group_is_gone(child: "subprocess.Popen[bytes]", seconds: float) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        # Reaped first: a dead leader that nobody asked for keeps its group alive.
        child.poll()
        try:
            os.killpg(child.pid, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.05)
    return False
