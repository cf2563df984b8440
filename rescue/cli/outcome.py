"""The outcome of a command: an error in a sentence, an exit code, and nothing left mounted."""

import contextlib
import errno
import os
import signal
import traceback
from collections.abc import Callable
from enum import IntEnum
from pathlib import PurePath
from types import FrameType

import click

from rescue.errors import RescueError, TerminatedError
from rescue.grants import GuardRefusedError
from rescue.model.fault import FaultsError
from rescue.system.notify import journal
from rescue.ui.screen import Screen

_AGAIN = "run the same command again; a mirror that was being written is incomplete until then"
_WHERE = "--debug shows where"
_HINTS = {
    errno.EIO: f"see 'dmesg' for errors of its disk; {_WHERE}",
    errno.EUCLEAN: f"its file system is damaged: see 'dmesg'; {_WHERE}",
    errno.EROFS: "its file system is read-only: see 'findmnt', and 'dmesg' for the reason",
    errno.ENOSPC: "make room there ('df'), and run the same command again",
    errno.EDQUOT: "a quota is exceeded there: make room, and run the same command again",
    errno.ENOMEM: f"see 'free': the machine has too little memory; {_WHERE}",
}
"""What to do about an error of the operating system; only some can be a disk's (man 3 errno)."""


_STOPS = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)


def carry_out(command: Callable[[Screen], IntEnum], *, loud: bool) -> int:
    """Run a command and return its exit code, reporting every error on standard error.

    `loud` commands run unattended: their failures go to the system's log as well.
    """
    screen = Screen()
    hear_signals()
    try:
        return int(command(screen))
    except (click.ClickException, click.Abort, click.exceptions.Exit):
        raise  # click's own, which says them itself
    except (Exception, KeyboardInterrupt) as caught:
        debug = bool(click.get_current_context().obj)
        return tell(caught, screen, loud=loud, debug=debug)


def hear_signals() -> None:
    """Make the signals that stop a program end the command with everything unwound.

    A signal that is ignored (nohup) stays ignored.
    """
    for number in _STOPS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _stop)


def tell(caught: BaseException, screen: Screen, *, debug: bool, loud: bool = False) -> int:
    """Report what ended a command, on standard error, and return its exit code.

    With `loud` it goes to the system's log, too. So does, for any command, an unforeseen error:
    it is a fault of this program, and its traceback is kept there. `debug` shows the traceback.
    """
    error = _as_told(caught)
    where = "".join(traceback.format_exception(caught)).splitlines()
    screen.close()
    if isinstance(error, GuardRefusedError):
        screen.refuse(error.refusals)
    elif isinstance(error, FaultsError):
        screen.blame(error)
    else:
        screen.fail(error)
    unforeseen = isinstance(error, _UnforeseenError)
    if unforeseen:
        for line in where:
            journal.report_output("traceback", line)
    if loud or unforeseen:
        journal.report_end(
            error.message, code=error.code, mirror=error.mirror, generation=error.generation
        )
    if debug:
        screen.trace(where)
    return int(error.code)


class _UnforeseenError(RescueError):
    """Something that no part of this program expects: a fault of its own."""


def _as_told(caught: BaseException) -> RescueError:
    """Return what ended a command as a sentence with a hint: people get no traceback."""
    match caught:
        case RescueError():
            return caught
        case KeyboardInterrupt():
            return TerminatedError(
                "interrupted with Ctrl-C; everything has been unmounted", hint=_AGAIN
            )
        case OSError():
            return _of_the_system(caught)
        case _:
            return _unforeseen(caught)


def _of_the_system(error: OSError) -> RescueError:
    """Return an error of the operating system with the file that it was met at, where it has one.

    A disk is suspected only where such an error can be one's.
    """
    files = [str(each) for each in (error.filename, error.filename2) if each is not None]
    said = error.strerror or str(error) or repr(error)
    message = f"{' and '.join(files)}: {said}" if files else said
    return RescueError(message, hint=_HINTS.get(error.errno or 0, _WHERE))


def _unforeseen(error: BaseException) -> RescueError:
    last = traceback.extract_tb(error.__traceback__)[-1]
    where = f"{PurePath(last.filename).name}, line {last.lineno}"
    return _UnforeseenError(
        f"unforeseen: {type(error).__name__}: {error} ({where})",
        hint="this is a bug in rescue: report it with the output of the same command after "
        "'rescue --debug', or of 'journalctl -t rescue'",
    )


def _stop(number: int, _frame: FrameType | None) -> None:
    """End the command; any further stop signal waits until everything is unwound.

    A cleanup that is cut in its middle leaves mounted and half written what it was there for.
    """
    for each in _STOPS:
        signal.signal(each, _wait)
    if number == signal.SIGINT:
        raise KeyboardInterrupt
    raise TerminatedError(
        f"stopped by {signal.Signals(number).name}; everything has been unmounted",
        hint=_AGAIN,
    )


def _wait(_number: int, _frame: FrameType | None) -> None:
    """Report that the signal was received. SIG_IGN is not used, as children would inherit it."""
    with contextlib.suppress(OSError):
        os.write(2, b"rescue: it is stopping; what is cleaned up comes to its end first\n")
