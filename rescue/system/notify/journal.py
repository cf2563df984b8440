"""The system's log, where an unattended run must be heard."""

import os
import syslog
from enum import StrEnum

from rescue.errors import ExitCode
from rescue.printable import printable
from rescue.system.notify import journald
from rescue.system.process.run import CommandError, run


class MessageId(StrEnum):
    """What a journal entry is about: its field MESSAGE_ID (man 7 systemd.journal-fields).

    A run that completed, a command that did not, a run that was skipped, and something that
    needs attention.
    """

    DONE = "329d74eadfa64a01a0c12269d272c19a"
    FAILED = "3f9705bcb73145e9b6a4c0a4ea0826fa"
    SKIPPED = "3b0b418fa72c4a018b0ff1e8cefbf109"
    ALARM = "74ba69bda9ba4dc1a5492d2d734ce1a5"


def report_end(message: str, *, code: ExitCode, mirror: str = "", generation: int = 0) -> None:
    """Write to the system's log that a run did not complete.

    A run that was skipped because nothing was due is logged as a notice; anything else as an
    error. `mirror` and its `generation` are given where it is known which one it was about.
    """
    fields = {"EXIT_CODE": str(int(code)), **_about(mirror, generation)}
    if code is ExitCode.SKIPPED:
        _write(syslog.LOG_NOTICE, f"skipped: {message}", MessageId.SKIPPED, fields)
    else:
        said = f"failed with exit code {int(code)}: {message}"
        _write(syslog.LOG_ERR, said, MessageId.FAILED, fields)


def report_success(
    message: str,
    *,
    code: ExitCode = ExitCode.DONE,
    mirror: str = "",
    generation: int = 0,
) -> None:
    """Write to the system's log what a run did; one that is DEGRADED is a warning there."""
    fields = {"EXIT_CODE": str(int(code)), **_about(mirror, generation)}
    priority = syslog.LOG_WARNING if code is ExitCode.DEGRADED else syslog.LOG_NOTICE
    _write(priority, message, MessageId.DONE, fields)


def report_alarm(message: str, *, mirror: str = "") -> None:
    """Write to the system's log, as an error, what people have to look at."""
    _write(syslog.LOG_ERR, message, MessageId.ALARM, _about(mirror, 0))


def report_output(who: str, line: str) -> None:
    """Write to the system's log one line that a program printed which is not ours."""
    _write(syslog.LOG_INFO, f"{who}: {line}", None, {})


def _about(mirror: str, generation: int) -> dict[str, str]:
    return {
        **({"MIRROR": mirror} if mirror else {}),
        **({"GENERATION": str(generation)} if generation else {}),
    }


def _write(priority: int, message: str, what: MessageId | None, fields: dict[str, str]) -> None:
    """Write one entry to systemd's journal, or where there is none to syslog (man 3 syslog)."""
    # One line: an entry of several could be taken for several entries, most easily in syslog.
    text = printable(message)
    known = {
        "MESSAGE": text,
        "PRIORITY": str(priority),
        "SYSLOG_IDENTIFIER": "rescue",
        "SYSLOG_FACILITY": str(syslog.LOG_DAEMON >> 3),
        "SYSLOG_PID": str(os.getpid()),
        **({"MESSAGE_ID": what.value} if what else {}),
        **{name: printable(value) for name, value in fields.items()},
    }
    if not journald.send(known):
        syslog.openlog("rescue", syslog.LOG_PID, syslog.LOG_DAEMON)
        syslog.syslog(priority, text)


def last_lines_argv(unit: str, count: int) -> list[str]:
    """Return the command that prints the end of a unit's journal (man 1 journalctl).

    From root's processes only: that field is the journal's own, and nobody can forge it (man 7
    systemd.journal-fields). An entry by systemd about a unit is root's, too.
    """
    return [
        "journalctl",
        "_UID=0",
        f"--unit={unit}",
        f"--lines={count}",
        "--output=short-iso",
        "--no-pager",
        "--quiet",
    ]


def last_lines(unit: str, *, count: int) -> tuple[str, ...]:
    """Return the end of a unit's journal; nothing if no journal is readable."""
    try:
        return tuple(run(last_lines_argv(unit, count)).stdout.splitlines())
    except CommandError:
        return ()
