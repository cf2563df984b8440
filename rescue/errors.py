"""Errors, one class for each exit code; each says what, why and what next."""

import signal
from contextlib import suppress
from enum import IntEnum


class ExitCode(IntEnum):
    """The exit codes of every command; docs/troubleshooting.md says what to do about each."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    REFUSED = 10
    UNSUPPORTED = 11
    DRIFTED = 12
    BRAKE = 13
    DEGRADED = 14
    AUDIT_FAILED = 15
    PROOF_FAILED = 16
    BUSY = 17
    SKIPPED = 75


class RescueError(Exception):
    """Anything that ends a command: a sentence with what and why, and a hint on what to do.

    `mirror` and its `generation` are of the run that it ended, where there was one.
    """

    code: ExitCode = ExitCode.FAILED
    mirror: str = ""
    generation: int = 0

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


def in_words(error: BaseException) -> str:
    """Return an error's text for a record: the sentence of one of ours, otherwise Python's."""
    return error.message if isinstance(error, RescueError) else str(error) or repr(error)


def ending_in_words(code: int) -> str:
    """Return how a process ended: its exit code, or (negative) the signal that ended it."""
    if code >= 0:
        return f"ended with exit code {code}"
    name = f"signal {-code}"
    with suppress(ValueError):
        name = signal.Signals(-code).name
    return f"was ended by {name}"


class UsageError(RescueError):
    """The command line or the configuration says something invalid."""

    code = ExitCode.USAGE


class DamagedError(UsageError):
    """A state file does not hold what it should: a disk rotted, or something else wrote it."""


class RefusedError(RescueError):
    """The guard says no: wrong direction, wrong disk, or a disk in use."""

    code = ExitCode.REFUSED


class BrakeError(RescueError):
    """The run would delete or change more than a nightly run may."""

    code = ExitCode.BRAKE


class FullError(RescueError):
    """A file system of the mirror has no room for what should be written to it."""


class AuditError(RescueError):
    """The mirror was written, and its boot chain has a broken link."""

    code = ExitCode.AUDIT_FAILED


class ProofError(RescueError):
    """The mirror was booted in a virtual machine, and did not do what it should."""

    code = ExitCode.PROOF_FAILED


class BusyError(RescueError):
    """Another run is active."""

    code = ExitCode.BUSY


class SkippedError(RescueError):
    """No mirror is attached, and none is due."""

    code = ExitCode.SKIPPED


class TerminatedError(RescueError):
    """SIGTERM or Ctrl-C arrived: everything is unwound, nothing stays mounted."""
