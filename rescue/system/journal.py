"""The system's log, where an unattended run must be heard."""

import syslog


def report_failure(message: str, *, code: int) -> None:
    """Write to the system's log that a run failed, with its exit code (man 3 syslog)."""
    syslog.openlog("rescue", syslog.LOG_PID, syslog.LOG_DAEMON)
    syslog.syslog(syslog.LOG_ERR, f"failed with exit code {code}: {message}")


def report_success(message: str) -> None:
    """Write to the system's log what a run did."""
    syslog.openlog("rescue", syslog.LOG_PID, syslog.LOG_DAEMON)
    syslog.syslog(syslog.LOG_NOTICE, message)
