"""The system's log, where an unattended run must be heard."""

import syslog

from rescue.errors import ExitCode
from rescue.system.run import CommandError, run


def report_end(message: str, *, code: ExitCode) -> None:
    """Write to the system's log that a run did not come to its end (man 3 syslog).

    A run that was skipped because nothing was due is worth a notice; anything else is an error.
    """
    syslog.openlog("rescue", syslog.LOG_PID, syslog.LOG_DAEMON)
    if code is ExitCode.SKIPPED:
        syslog.syslog(syslog.LOG_NOTICE, f"skipped: {message}")
    else:
        syslog.syslog(syslog.LOG_ERR, f"failed with exit code {int(code)}: {message}")


def report_success(message: str) -> None:
    """Write to the system's log what a run did."""
    syslog.openlog("rescue", syslog.LOG_PID, syslog.LOG_DAEMON)
    syslog.syslog(syslog.LOG_NOTICE, message)


def report_alarm(message: str) -> None:
    """Write to the system's log, as an error, what people have to look at."""
    syslog.openlog("rescue", syslog.LOG_PID, syslog.LOG_DAEMON)
    syslog.syslog(syslog.LOG_ERR, message)


def report_output(who: str, line: str) -> None:
    """Write to the system's log one line that a program printed which is not ours."""
    syslog.openlog("rescue", syslog.LOG_PID, syslog.LOG_DAEMON)
    # A zero byte ends a line for syslog, and what is not text is none.
    text = line.replace("\0", "").encode("utf-8", "backslashreplace").decode("utf-8")
    syslog.syslog(syslog.LOG_INFO, f"{who}: {text}")


def last_lines_argv(unit: str, count: int) -> list[str]:
    """Return the command that prints the end of a unit's journal (man 1 journalctl)."""
    return [
        "journalctl",
        f"--unit={unit}",
        f"--lines={count}",
        "--output=short-iso",
        "--no-pager",
        "--quiet",
    ]


def last_lines(unit: str, *, count: int) -> tuple[str, ...]:
    """Return the end of a unit's journal; nothing where there is no journal to be read."""
    try:
        return tuple(run(last_lines_argv(unit, count)).stdout.splitlines())
    except CommandError:
        return ()
