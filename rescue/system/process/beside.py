"""Programs that run beside a block of ours, and end with it."""

import os
import select
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rescue.system.process.run import dying_with_us, environment, expect_program

_NAMESPACE = ("unshare", "--fork", "--pid", "--kill-child", "--", "sh", "-c", '"$@"; exit', "sh")
"""Before a command: its first process, which is not that command, dies with us by signal."""

_END_SECONDS = 10.0


@dataclass(frozen=True, kw_only=True)
class Child:
    """A program running in the background, for as long as the block that started it."""

    process: "subprocess.Popen[bytes]"

    @property
    def is_running(self) -> bool:
        """Whether it has not yet ended."""
        return self.process.poll() is None

    def wait(self, *, seconds: float) -> bool:
        """Wait for it to end by itself; return whether it did within this time."""
        try:
            self.process.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def stop(self, *, seconds: float) -> None:
        """Tell it to end, and kill it if it does not within this time."""
        self.process.terminate()
        try:
            self.process.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


@contextmanager
def running(argv: Sequence[str], *, log: Path, changes_user: bool = False) -> Iterator[Child]:
    """Run a program in the background of the block; its output goes to the file `log`.

    It is killed at the block's end, and by the kernel when this process dies in whatever way.
    One that `changes_user` by itself lives in a PID namespace of its own: the kernel then
    forgets that it should die with its parent (man 2 prctl), but ends a namespace with its
    first process. Such a program ignores `Child.stop` until it is killed. Raises CommandError
    (127) where it is missing.
    """
    expect_program(argv)
    around = _NAMESPACE if changes_user else ()
    gone, held = os.pipe()
    with (
        os.fdopen(gone) as last_word,
        log.open("wb") as said,
        subprocess.Popen(
            [*dying_with_us("KILL"), *around, *argv],
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
            # What is left of it holds the other end.
            select.select([last_word], [], [], _END_SECONDS)
