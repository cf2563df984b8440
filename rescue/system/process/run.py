"""The place where programs are started: argv lists, C locale, closed standard input, a time limit.

Here they run to their end. Those that are attended, run beside us, filter a stream or have the
terminal to themselves are started in `attend`, `beside`, `filters` and `foreground`, by what is
said here: with which environment, and how it is told that one has failed.
"""

import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import IO, BinaryIO, cast

from rescue.errors import RescueError, ending_in_words
from rescue.system.process.pipes import Kept, Limit, Lines, exchange

# cron gives a PATH without sbin; what we call must not depend on who called us.
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

_MOST_OUTPUT = 256 * 1024 * 1024
"""Bytes that a program may print which is read as a whole; what prints more is not understood."""

_MOST_ERRORS = 16 * 1024 * 1024
"""Bytes that are kept of what a program says on standard error."""


@dataclass(frozen=True, kw_only=True)
class Result:
    """How a process ended; output decoded as UTF-8, undecodable bytes kept as surrogates."""

    argv: tuple[str, ...]
    returncode: int
    stdout: str
    stderr: str


class CommandError(RescueError):
    """A program that we started failed or timed out."""

    def __init__(self, result: Result, *, hint: str = "") -> None:
        said = (result.stderr.strip() or result.stdout.strip()).splitlines()
        tail = f": {said[-1]}" if said else ""
        how = ending_in_words(result.returncode)
        super().__init__(f"'{' '.join(result.argv)}' {how}{tail}", hint=hint)
        self.result = result


def environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the environment every child gets: own PATH, C locale, nothing of the caller's."""
    return {"PATH": PATH, "LC_ALL": "C", "HOME": "/root", **(extra or {})}


def which(program: str, *, path: str = "") -> str | None:
    """Return the path of a program on our own PATH (or that one), or None."""
    return shutil.which(program, path=path or PATH)


def run(
    argv: Sequence[str],
    *,
    timeout: float = 120.0,
    ok: Sequence[int] = (0,),
    stdin: str | None = None,
    extra_env: Mapping[str, str] | None = None,
) -> Result:
    """Run a program to its end and return its output.

    `timeout` is in seconds; `ok` lists the exit codes that are success. Raises CommandError for
    any other code (127 where the program is missing, 124 where it did not end in time).
    """
    expect_program(argv, environment(extra_env)["PATH"])
    limit = Limit(timeout)
    stdout, stderr = Kept(_MOST_OUTPUT), Kept(_MOST_ERRORS)
    with subprocess.Popen(
        [*dying_with_us("KILL"), *argv],
        stdin=subprocess.DEVNULL if stdin is None else subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(extra_env),
    ) as child:
        try:
            said = {_pipe(child.stdout): stdout.add, _pipe(child.stderr): stderr.add}
            data = (stdin or "").encode("utf-8", "surrogateescape")
            if not exchange(said, told=cast(BinaryIO, child.stdin), data=data, limit=limit):
                raise subprocess.TimeoutExpired(list(argv), timeout)
            _wait(child, limit)
        except subprocess.TimeoutExpired as error:
            child.kill()
            late = f"not done after {timeout:.0f} s"
            raise CommandError(ended(argv, 124, "", late)) from error
        except BaseException:
            child.kill()
            raise
    if stdout.left_out:
        raise CommandError(ended(argv, 1, "", f"printed more than {_MOST_OUTPUT} bytes"))
    result = ended(argv, child.returncode, decoded(bytes(stdout)), decoded(bytes(stderr)))
    if result.returncode not in ok:
        raise CommandError(result)
    return result


def stream(
    argv: Sequence[str],
    *,
    on_line: Callable[[str], None],
    umask: int = -1,
    source: BinaryIO | None = None,
) -> Result:
    """Run a long program, handing each line of its output on as it comes.

    Lines end at newline or carriage return. `umask` is what the files that it makes are not allowed
    (man 2 umask), -1 for ours. `source` is its standard input, None for nothing. The child gets
    SIGTERM when this process dies in whatever way, and is ended when `on_line` or a signal handler
    raises. Returns whatever the exit code; `stdout` of the result is empty. Raises CommandError
    (127) where it is missing.
    """
    expect_program(argv)
    stderr = Kept(_MOST_ERRORS)
    with subprocess.Popen(
        [*dying_with_us("TERM"), *argv],
        stdin=source or subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(),
        umask=umask,
    ) as child:
        try:
            lines = Lines(lambda line: on_line(decoded(line)), returns=True)
            exchange({_pipe(child.stdout): lines.add, _pipe(child.stderr): stderr.add})
            lines.end()
        except BaseException:
            child.terminate()
            try:
                child.wait(timeout=20)
            except subprocess.TimeoutExpired:
                child.kill()
            raise
    return ended(argv, child.returncode, "", decoded(bytes(stderr)))


def _wait(child: "subprocess.Popen[bytes]", limit: Limit) -> None:
    """Wait until a child has ended. Raises TimeoutExpired where it does not in time."""
    piece = 1.0
    while piece:
        piece = limit.piece()
        with suppress(subprocess.TimeoutExpired):
            child.wait(max(0.1, piece))
            return
    raise subprocess.TimeoutExpired(child.args, 0)


def dying_with_us(name: str) -> list[str]:
    """Return the words before a command by which the kernel sends it that signal when we die.

    However we do (man 2 prctl, PR_SET_PDEATHSIG): no grub-install goes on writing when the lock
    is free again. It is the end of the thread that started it that counts; ours wait for theirs.
    """
    return ["setpriv", "--pdeathsig", name, "--"]


def expect_program(argv: Sequence[str], path: str = PATH) -> None:
    """Raise CommandError where a command cannot be started: 127 for a missing program."""
    if which(argv[0], path=path) is None:
        raise CommandError(ended(argv, 127, "", f"{argv[0]}: program not found"))
    if any("\0" in each for each in argv):
        raise CommandError(ended(argv, 126, "", "an argument holds a zero byte"))


def decoded(data: bytes) -> str:
    """Return output as text; bytes that are not UTF-8 are kept as surrogates (PEP 383)."""
    return data.decode("utf-8", "surrogateescape")


def ended(argv: Sequence[str], code: int, stdout: str, stderr: str) -> Result:
    """Return how a command ended."""
    return Result(argv=tuple(argv), returncode=code, stdout=stdout, stderr=stderr)


def _pipe(pipe: IO[bytes] | None) -> BinaryIO:
    assert pipe is not None
    return cast(BinaryIO, pipe)
