"""Commands and files over ssh: one connection kept open for all of them."""

import contextlib
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

CONNECT_SECONDS = 10


class CommandFailedError(AssertionError):
    """A command in the guest ended with another exit code than expected."""


@dataclass(frozen=True)
class Result:
    """What a command in the guest printed and how it ended."""

    command: str
    stdout: str
    stderr: str
    returncode: int
    seconds: float

    def expect(self, returncode: int) -> "Result":
        """Return itself, or raise with everything the command printed."""
        if self.returncode != returncode:
            raise CommandFailedError(
                f"{self.command!r} ended with {self.returncode}, expected {returncode}\n"
                f"--- stdout\n{self.stdout}\n--- stderr\n{self.stderr}"
            )
        return self


class Ssh:
    """Root on one guest."""

    def __init__(self, *, port: int, key: Path, directory: Path) -> None:
        """Nothing is connected before the first command. `directory` holds the control socket."""
        self._port = port
        control = directory / "ssh"
        self._options = [
            *("-F", "/dev/null", "-i", str(key), "-o", "BatchMode=yes", "-o", "LogLevel=ERROR"),
            *("-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null"),
            *("-o", f"ConnectTimeout={CONNECT_SECONDS}", "-o", "ServerAliveInterval=30"),
            *("-o", "ControlMaster=auto", "-o", f"ControlPath={control}"),
            *("-o", "ControlPersist=yes", "-o", "IdentitiesOnly=yes"),
        ]

    def run(self, command: str, *, timeout: float, input_: bytes = b"") -> Result:
        """Run a shell command line as root. Output that is no UTF-8 keeps its bytes escaped."""
        argv = ["ssh", *self._options, "-p", str(self._port), "root@127.0.0.1", command]
        start = time.monotonic()
        done = subprocess.run(argv, input=input_, capture_output=True, timeout=timeout, check=False)
        stdout, stderr = (
            each.decode(errors="surrogateescape") for each in (done.stdout, done.stderr)
        )
        return Result(command, stdout, stderr, done.returncode, time.monotonic() - start)

    def terminal(self, command: str) -> list[str]:
        """Return the command line that runs a shell command line as root on a terminal there."""
        return ["ssh", *self._options, "-tt", "-p", str(self._port), "root@127.0.0.1", command]

    def copy(self, source: str, target: str, *, timeout: float) -> None:
        """Copy with scp; the guest's side is written `:path`."""
        sides = [f"root@127.0.0.1{each}" if each[:1] == ":" else each for each in (source, target)]
        argv = ["scp", "-q", "-r", "-p", *self._options, "-P", str(self._port), *sides]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=timeout, check=False)
        if done.returncode != 0:
            raise CommandFailedError(f"scp {source} {target}: {done.stderr}")

    def answers(self) -> bool:
        """Tell whether the guest runs commands."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            return self.run("true", timeout=CONNECT_SECONDS + 5).returncode == 0
        self.close()
        return False

    def close(self) -> None:
        """Drop the connection, if there is one."""
        argv = ["ssh", *self._options, "-p", str(self._port), "-O", "exit", "root@127.0.0.1"]
        with contextlib.suppress(subprocess.TimeoutExpired):
            subprocess.run(argv, capture_output=True, timeout=5, check=False)
