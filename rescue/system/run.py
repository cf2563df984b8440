"""The one place that starts processes: argv lists, C locale, closed standard input, a timeout."""

import os
import select
import selectors
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, BinaryIO, cast

from rescue.errors import RescueError, ending_in_words
from rescue.system.pipes import Kept, Limit, Lines, exchange

# cron gives a PATH without sbin; what we call must not depend on who called us.
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

_MOST_OUTPUT = 256 * 1024 * 1024
"""Bytes that a program may print which is read as a whole; what prints more is not understood."""

_NAMESPACE = ("unshare", "--fork", "--pid", "--kill-child", "--", "sh", "-c", '"$@"; exit', "sh")
"""Before a command: its first process, which is not that command, dies with us by signal."""

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

_END_SECONDS = 10.0

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
    """A program that we started ended with a code that is not success, or not in time."""

    def __init__(self, result: Result, *, hint: str = "") -> None:
        said = (result.stderr.strip() or result.stdout.strip()).splitlines()
        tail = f": {said[-1]}" if said else ""
        ended = ending_in_words(result.returncode)
        super().__init__(f"'{' '.join(result.argv)}' {ended}{tail}", hint=hint)
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
    """Run a program to its end and return what it said.

    `timeout` is in seconds; `ok` lists the exit codes that are success. Raises CommandError for
    any other code (127 where the program is missing, 124 where it did not end in time).
    """
    _expect_program(argv, environment(extra_env)["PATH"])
    limit = Limit(timeout)
    stdout, stderr = Kept(_MOST_OUTPUT), Kept(_MOST_ERRORS)
    with subprocess.Popen(
        [*_bound("KILL"), *argv],
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
            raise CommandError(_ended(argv, 124, "", late)) from error
        except BaseException:
            child.kill()
            raise
    if stdout.left_out:
        raise CommandError(_ended(argv, 1, "", f"printed more than {_MOST_OUTPUT} bytes"))
    result = _ended(argv, child.returncode, _text(bytes(stdout)), _text(bytes(stderr)))
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
    _expect_program(argv)
    stderr = Kept(_MOST_ERRORS)
    with subprocess.Popen(
        [*_bound("TERM"), *argv],
        stdin=source or subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(),
        umask=umask,
    ) as child:
        try:
            lines = Lines(lambda line: on_line(_text(line)), returns=True)
            exchange({_pipe(child.stdout): lines.add, _pipe(child.stderr): stderr.add})
            lines.end()
        except BaseException:
            child.terminate()
            try:
                child.wait(timeout=20)
            except subprocess.TimeoutExpired:
                child.kill()
            raise
    return _ended(argv, child.returncode, "", _text(bytes(stderr)))


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
            raise CommandError(_ended(argv, 127, "", said)) from error
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
            raise CommandError(_ended(argv, 124, "", f"not done after {timeout:g} s"))
        return _ended(argv, child.wait(), "", "")


@contextmanager
def _lifeline() -> Iterator[Callable[[int], None]]:
    """Give what is told of a process group that shall end when this process dies in the block.

    The kernel sends its signal to the first process of it alone (`_bound`).
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
            yield lambda group: _hold(_pipe(watch.stdin), group)
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
    lines = Lines(lambda line: on_line(_text(line)))
    ended = os.pidfd_open(child.pid)
    try:
        with selectors.DefaultSelector() as selector:
            selector.register(pipe, selectors.EVENT_READ)
            selector.register(ended, selectors.EVENT_READ)
            ready: list[int] = []
            # Its end comes alone: what it said before that is read first.
            while ready != [ended] and (piece := limit.piece()):
                ready = [key.fd for key, _ in selector.select(piece)]
                if pipe.fileno() in ready:
                    data = os.read(pipe.fileno(), 65536)
                    if not data:
                        selector.unregister(pipe)
                    lines.add(data)
        lines.end()
        return ready == [ended]
    finally:
        os.close(ended)


def _wait(child: "subprocess.Popen[bytes]", limit: Limit) -> None:
    """Wait until a child has ended. Raises TimeoutExpired where it does not in time."""
    piece = 1.0
    while piece:
        piece = limit.piece()
        with suppress(subprocess.TimeoutExpired):
            child.wait(max(0.1, piece))
            return
    raise subprocess.TimeoutExpired(child.args, 0)


def _end_group(child: "subprocess.Popen[bytes]", grace: float) -> None:
    """End a child and all that it started, those that ignore SIGTERM too."""
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


@dataclass(frozen=True, kw_only=True)
class Child:
    """A program that runs beside us, for as long as the block in which it was started."""

    process: "subprocess.Popen[bytes]"

    @property
    def is_running(self) -> bool:
        """Whether it has not come to its end."""
        return self.process.poll() is None

    def wait(self, *, seconds: float) -> bool:
        """Wait until it has come to its end by itself; return whether it has within this time."""
        try:
            self.process.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def stop(self, *, seconds: float) -> None:
        """Tell it to end, and kill it when it has not within this time."""
        self.process.terminate()
        try:
            self.process.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


@contextmanager
def running(argv: Sequence[str], *, log: Path, changes_user: bool = False) -> Iterator[Child]:
    """Run a program beside the block; what it says goes to the file `log`.

    It is killed at the block's end, and by the kernel when this process dies in whatever way. One
    that `changes_user` by itself lives in a PID namespace of its own: the kernel forgets then that
    it shall die with its parent (man 2 prctl), but ends a namespace with its first process. Such a
    one takes no notice of `Child.stop` before it is killed. Raises CommandError (127) where it is
    missing.
    """
    _expect_program(argv)
    around = _NAMESPACE if changes_user else ()
    gone, held = os.pipe()
    with (
        os.fdopen(gone) as last_word,
        log.open("wb") as said,
        subprocess.Popen(
            [*_bound("KILL"), *around, *argv],
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
            env=environment(),
            pass_fds=(held,),
        ) as process,
    ):
        os.close(held)
        try:
            yield Child(process=process)
        finally:
            process.kill()
            # Whoever is left of it holds the other end.
            select.select([last_word], [], [], _END_SECONDS)


def on_terminal(argv: Sequence[str]) -> int:
    """Run a program on the person's own terminal, and return its exit code.

    It has the terminal to itself: Ctrl-C is its own to answer. It gets the caller's environment,
    for it is what the person would have started. When this process is ended meanwhile, it is
    told to end, and waited for. Raises CommandError (127) where it is missing.
    """
    # A handler that does nothing, not SIG_IGN: that one the child would inherit.
    before = signal.signal(signal.SIGINT, lambda _number, _frame: None)
    try:
        with subprocess.Popen(list(argv)) as child:
            try:
                return child.wait()
            except BaseException:
                child.terminate()
                child.wait()
                raise
    except FileNotFoundError as error:
        raise CommandError(_ended(argv, 127, "", f"{argv[0]}: program not found")) from error
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def reading(argv: Sequence[str], *, source: BinaryIO) -> Iterator[BinaryIO]:
    """Run a filter over an open file, from its present offset on, and give its output as a stream.

    `source` must be unbuffered, so that its offset is where the filter begins. What the caller
    leaves unread is read to its end, so that the exit code speaks for the whole. Raises
    CommandError where the filter fails or is missing; it is ended when the caller raises.
    """
    _expect_program(argv)
    # In memory: a disk that is full or read-only is no reason not to read another one.
    with os.fdopen(os.memfd_create("errors"), "w+b") as errors:
        with subprocess.Popen(
            [*_bound("KILL"), *argv],
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
            raise CommandError(_ended(argv, child.returncode, "", _text(errors.read())))


@contextmanager
def piped(chunks: Iterable[bytes]) -> Iterator[BinaryIO]:
    """Give what the chunks say as an open file, for a filter to read while they are made.

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


def _bound(name: str) -> list[str]:
    """Return the words before a command by which the kernel sends it that signal when we die.

    However we do (man 2 prctl, PR_SET_PDEATHSIG): no grub-install goes on writing when the lock
    is free again. It is the end of the thread that started it that counts; ours wait for theirs.
    """
    return ["setpriv", "--pdeathsig", name, "--"]


def _expect_program(argv: Sequence[str], path: str = PATH) -> None:
    if which(argv[0], path=path) is None:
        raise CommandError(_ended(argv, 127, "", f"{argv[0]}: program not found"))
    if any("\0" in each for each in argv):
        raise CommandError(_ended(argv, 126, "", "an argument holds a zero byte"))


def _pipe(pipe: IO[bytes] | None) -> BinaryIO:
    assert pipe is not None
    return cast(BinaryIO, pipe)


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


def _ended(argv: Sequence[str], code: int, stdout: str, stderr: str) -> Result:
    return Result(argv=tuple(argv), returncode=code, stdout=stdout, stderr=stderr)
