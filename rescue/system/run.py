"""The one place that starts processes: argv lists, C locale, closed standard input, a timeout."""

import os
import selectors
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import BinaryIO, cast

from rescue.errors import RescueError

# cron gives a PATH without sbin; what we call must not depend on who called us.
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True, kw_only=True)
class Result:
    """How a process ended; output decoded as UTF-8, undecodable bytes kept as surrogates."""

    argv: tuple[str, ...]
    returncode: int
    stdout: str
    stderr: str


class CommandError(RescueError):
    """A program that we started ended with a code that is not success, or not in time."""

    def __init__(self, result: Result, *, hint: str = "") -> None:
        said = (result.stderr.strip() or result.stdout.strip()).splitlines()
        tail = f": {said[-1]}" if said else ""
        super().__init__(
            f"'{' '.join(result.argv)}' ended with exit code {result.returncode}{tail}", hint=hint
        )
        self.result = result


def environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the environment every child gets: own PATH, C locale, nothing of the caller's."""
    return {"PATH": PATH, "LC_ALL": "C", "HOME": "/root", **(extra or {})}


def which(program: str) -> str | None:
    """Return the path of a program on our own PATH, or None."""
    return shutil.which(program, path=PATH)


def run(
    argv: Sequence[str],
    *,
    timeout: float = 120.0,
    ok: Sequence[int] = (0,),
    stdin: str | None = None,
    extra_env: Mapping[str, str] | None = None,
) -> Result:
    """Run a program to its end and return what it said.

    `timeout` is in seconds; `ok` lists the exit codes that are success. Raises CommandError for
    any other code (127 where the program is missing, 124 where it did not end in time).
    """
    try:
        done = subprocess.run(
            list(argv),
            stdin=subprocess.DEVNULL if stdin is None else None,
            input=None if stdin is None else stdin.encode("utf-8", "surrogateescape"),
            capture_output=True,
            env=environment(extra_env),
            timeout=timeout,
            check=False,
        )
    except FileNotFoundError as error:
        raise CommandError(_ended(argv, 127, "", f"{argv[0]}: program not found")) from error
    except subprocess.TimeoutExpired as error:
        raise CommandError(_ended(argv, 124, "", f"not done after {timeout:.0f} s")) from error
    result = _ended(argv, done.returncode, _text(done.stdout), _text(done.stderr))
    if result.returncode not in ok:
        raise CommandError(result)
    return result


def stream(argv: Sequence[str], *, on_line: Callable[[str], None]) -> Result:
    """Run a long program, handing each line of its output on as it comes.

    Lines end at newline or carriage return. The child gets SIGTERM when this process dies in
    whatever way, and is ended when `on_line` or a signal handler raises. Returns whatever the
    exit code; `stdout` of the result is empty. Raises CommandError (127) where it is missing.
    """
    guarded = ["setpriv", "--pdeathsig", "TERM", "--", *argv]
    if which(argv[0]) is None:
        raise CommandError(_ended(argv, 127, "", f"{argv[0]}: program not found"))
    with subprocess.Popen(
        guarded,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(),
    ) as child:
        try:
            stderr = _pump(child, on_line)
        except BaseException:
            child.terminate()
            try:
                child.wait(timeout=20)
            except subprocess.TimeoutExpired:
                child.kill()
            raise
    return _ended(argv, child.returncode, "", _text(stderr))


@contextmanager
def reading(argv: Sequence[str], *, source: BinaryIO) -> Iterator[BinaryIO]:
    """Run a filter over an open file, from its present offset on, and give its output as a stream.

    `source` must be unbuffered, so that its offset is where the filter begins. What the caller
    leaves unread is read to its end, so that the exit code speaks for the whole. Raises
    CommandError where the filter fails or is missing; it is ended when the caller raises.
    """
    with tempfile.TemporaryFile() as errors:
        try:
            child = subprocess.Popen(
                list(argv), stdin=source, stdout=subprocess.PIPE, stderr=errors, env=environment()
            )
        except FileNotFoundError as error:
            raise CommandError(_ended(argv, 127, "", f"{argv[0]}: program not found")) from error
        with child:
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
            raise CommandError(_ended(argv, child.returncode, "", _text(errors.read())))


def _pump(child: "subprocess.Popen[bytes]", on_line: Callable[[str], None]) -> bytes:
    """Read both pipes of the child until they end; return what it said on standard error."""
    assert child.stdout is not None
    assert child.stderr is not None
    errors, rest = bytearray(), b""
    with selectors.DefaultSelector() as selector:
        for pipe in (child.stdout, child.stderr):
            selector.register(pipe, selectors.EVENT_READ)
        while selector.get_map():
            for key, _ in selector.select():
                data = os.read(key.fd, 65536)
                if not data:
                    selector.unregister(key.fileobj)
                elif key.fileobj is child.stderr:
                    errors += data
                else:
                    *lines, rest = (rest + data).replace(b"\r", b"\n").split(b"\n")
                    for line in lines:
                        on_line(_text(line))
    if rest:
        on_line(_text(rest))
    return bytes(errors)


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


def _ended(argv: Sequence[str], code: int, stdout: str, stderr: str) -> Result:
    return Result(argv=tuple(argv), returncode=code, stdout=stdout, stderr=stderr)
