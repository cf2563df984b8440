"""A person at a terminal: keys go in, and the screen is read as it stands (tmux)."""

import re
import shlex
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

COLUMNS, ROWS = 80, 24
PATIENCE = 900.0
"""Seconds; only ends what hangs."""


class Terminal:
    """A program on a terminal of 80 columns and 24 lines, which stays after the program's end."""

    def __init__(
        self, argv: Sequence[str], *, log: Path, env: Mapping[str, str] | None = None
    ) -> None:
        """Nothing is started before the block; `env` is added to the environment.

        Each screen that was waited for is kept in `log`.
        """
        self._log = log
        words = [*(f"{name}={value}" for name, value in (env or {}).items()), *argv]
        self._command = shlex.join(["env", *words])
        self._directory: tempfile.TemporaryDirectory[str] | None = None

    def __enter__(self) -> Self:
        """Start a server of tmux of our own, which reads nobody's settings."""
        self._directory = tempfile.TemporaryDirectory(prefix="lab-tmux-")
        size = ("-x", str(COLUMNS), "-y", str(ROWS))
        ended = f'{self._command}; echo "[ended with $?]"; exec sleep infinity'
        self._tmux("-f", "/dev/null", "new-session", "-d", *size, ended)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Take the terminal away; after an error its screen is part of the message."""
        if error is not None:
            error.add_note(f"--- the screen\n{self.screen()}")
        self._tmux("kill-server")
        if self._directory is not None:
            self._directory.cleanup()

    def keys(self, *keys: str) -> None:
        """Press keys, by tmux's names: 'Enter', 'C-c', 'Down'; anything else is typed."""
        self._tmux("send-keys", *keys)

    def screen(self) -> str:
        """Return what is to be seen now."""
        return self._tmux("capture-pane", "-p")

    def history(self) -> str:
        """Return what is to be seen and all that was scrolled away above it."""
        return self._tmux("capture-pane", "-p", "-S", "-")

    def wait_for(self, pattern: str, *, timeout: float = PATIENCE) -> str:
        """Wait until the screen shows a pattern, and return the screen."""
        wanted, begun = re.compile(pattern), time.monotonic()
        while not wanted.search(shown := self.screen()):
            if time.monotonic() - begun > timeout:
                raise AssertionError(f"{pattern!r} is not shown after {timeout:.0f} s")
            time.sleep(0.2)
        with self._log.open("a") as log:
            log.write(f"{'=' * COLUMNS}\n{shown}")
        return shown

    def wait_for_end(self, *, timeout: float = PATIENCE) -> int:
        """Wait until the program has ended, and return its exit code."""
        shown = self.wait_for(r"\[ended with \d+\]", timeout=timeout)
        return int(re.findall(r"\[ended with (\d+)\]", shown)[-1])

    def _tmux(self, *words: str) -> str:
        assert self._directory is not None, "a Terminal is used in a with block"
        socket = Path(self._directory.name) / "socket"
        argv = ["tmux", "-S", str(socket), *words]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=30, check=False)
        if done.returncode != 0:
            raise AssertionError(f"{shlex.join(argv)}: {done.stderr}")
        return done.stdout
