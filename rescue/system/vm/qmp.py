"""QEMU's monitor protocol (docs/interop/qmp-spec): commands, answers, events.

Lines of JSON over a socket. The library `qemu.qmp` speaks it from an event loop of asyncio; nothing
here has one, and these few lines need no dependency.
"""

import contextlib
import json
import socket
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from rescue.errors import RescueError
from rescue.system.process.answer import count_of, rows_of, understood

_LONGEST = 16 * 1024 * 1024
"""Bytes of one message; what QEMU says of itself is far shorter."""


class QmpError(RescueError):
    """QEMU refused a command, or went away."""


class Qmp:
    """One connection to a QEMU process."""

    def __init__(
        self, path: Path, timeout: float = 20.0, *, alive: Callable[[], bool] = lambda: True
    ) -> None:
        """Connect and negotiate; wait for the socket to appear, while QEMU is `alive`."""
        self._socket = _connect(path, timeout, alive)
        self._socket.settimeout(120.0)
        self._stream = self._socket.makefile("rwb")
        self._events: list[dict[str, Any]] = []
        self._read()  # the greeting
        self.execute("qmp_capabilities")

    def close(self) -> None:
        """Close the connection; QEMU keeps running."""
        # What was not said to a QEMU that is gone cannot be flushed.
        with contextlib.suppress(OSError):
            self._stream.close()
        self._socket.close()

    def _read(self) -> dict[str, Any]:
        line = self._stream.readline(_LONGEST + 1)
        if not line:
            raise QmpError("QEMU closed the monitor connection")
        try:
            message = json.loads(line) if len(line) <= _LONGEST else None
        except (ValueError, RecursionError):
            message = None
        if not isinstance(message, dict):
            raise QmpError("QEMU's monitor said what is no message of its protocol")
        return message

    def execute(self, command: str, **arguments: object) -> Any:  # noqa: ANN401
        """Run a command, return its `return` value; underscores in names stand for dashes."""
        return self._ask(
            command, {name.replace("_", "-"): value for name, value in arguments.items()}
        )

    def add_device(self, properties: Mapping[str, object]) -> None:
        """Plug in a device; its properties have QEMU's names, with dashes or underscores."""
        self._ask("device_add", properties)

    def _ask(self, command: str, arguments: Mapping[str, object]) -> Any:  # noqa: ANN401
        request = {"execute": command, "arguments": dict(arguments)}
        self._stream.write(json.dumps(request).encode() + b"\n")
        self._stream.flush()
        while True:
            message = self._read()
            if "event" in message:
                self._events.append(message)
            elif "return" in message:
                return message["return"]
            else:
                raise QmpError(f"{command}: {_description(message.get('error'))}")

    def human(self, line: str) -> str:
        """Run a command of the human monitor, return what it printed."""
        answer: str = self.execute("human-monitor-command", command_line=line)
        return answer

    def events(self) -> tuple[dict[str, Any], ...]:
        """Return the events that came until now and were not waited for."""
        with contextlib.suppress(QmpError, OSError):
            self.execute("query-status")  # collects what came meanwhile
        return tuple(self._events)

    def transferred(self) -> int:
        """Return how many bytes the guest has read from its disks and written to them.

        0 where QEMU has gone meanwhile.
        """
        with (
            contextlib.suppress(RescueError, OSError),
            understood("QEMU did not answer with a list of disks"),
        ):
            stats = [each["stats"] for each in rows_of(self.execute("query-blockstats"))]
            return sum(count_of(each, "rd_bytes") + count_of(each, "wr_bytes") for each in stats)
        return 0

    def wait_event(self, name: str, timeout: float, **data: object) -> dict[str, Any]:
        """Wait for an event with these data, also if it came before; raise after `timeout` s."""
        deadline = time.monotonic() + timeout
        while True:
            for event in self._events:
                found = event.get("data", {})
                if event["event"] == name and data.items() <= found.items():
                    self._events.remove(event)
                    return event
            if time.monotonic() > deadline:
                raise QmpError(f"no event {name} {data} within {timeout} s")
            self.execute("query-status")  # collects the events that came meanwhile
            time.sleep(0.05)

    def run_job(self, command: str, job: str, timeout: float, **arguments: object) -> None:
        """Run a command that is a background job, wait for its end, raise if it failed."""
        self.execute(command, job_id=job, **arguments)
        deadline = time.monotonic() + timeout
        while True:
            state = next(each for each in self.execute("query-jobs") if each["id"] == job)
            if state["status"] == "concluded":
                break
            if time.monotonic() > deadline:
                raise QmpError(f"{command} takes longer than {timeout} s")
            time.sleep(0.05)
        self.execute("job-dismiss", id=job)
        if "error" in state:
            raise QmpError(f"{command}: {state['error']}")


def _description(error: object) -> str:
    """Return why QEMU refused a command."""
    return str(error.get("desc", error)) if isinstance(error, dict) else "no answer"


def _connect(path: Path, timeout: float, alive: Callable[[], bool]) -> socket.socket:
    deadline = time.monotonic() + timeout
    while True:
        connection = socket.socket(socket.AF_UNIX)
        try:
            connection.connect(str(path))
        except OSError:
            connection.close()
            if time.monotonic() > deadline or not alive():
                raise QmpError(f"nothing answers at {path}") from None
            time.sleep(0.05)
        else:
            return connection
