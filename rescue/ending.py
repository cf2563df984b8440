"""How a command ends: what went wrong in a sentence, and an exit code; nothing stays mounted."""

import signal
from collections.abc import Callable
from enum import IntEnum
from types import FrameType

import click
from rich.console import Console

from rescue.confirm import GuardRefusedError
from rescue.errors import RescueError, TerminatedError
from rescue.system import journal
from rescue.ui.screen import Screen

_AGAIN = "run the same command again; a mirror that was being written is incomplete until then"


def carry_out(command: Callable[[Screen], IntEnum], *, loud: bool) -> int:
    """Run a command and return its exit code, with every error said on standard error.

    `loud` commands run unattended: how they failed goes to the system's log as well.
    """
    screen = Screen()
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _terminate)
    code: IntEnum
    try:
        code = command(screen)
    except (RescueError, OSError, KeyboardInterrupt) as caught:
        error = _as_told(caught)
        screen.close()
        if isinstance(error, GuardRefusedError):
            screen.refuse(error.refusals)
        else:
            screen.fail(error)
        code = error.code
        if loud:
            journal.report_end(
                error.message, code=error.code, mirror=error.mirror, generation=error.generation
            )
        if click.get_current_context().obj:
            Console(stderr=True).print_exception()
    return int(code)


def _as_told(caught: BaseException) -> RescueError:
    """Return what ended a command as a sentence with a hint: people get no traceback."""
    if isinstance(caught, RescueError):
        return caught
    if isinstance(caught, KeyboardInterrupt):
        return TerminatedError(
            "left with Ctrl-C; nothing is mounted any more",
            hint=_AGAIN,
        )
    return RescueError(f"{caught}", hint="see 'dmesg' for errors of a disk; --debug shows where")


def _terminate(number: int, _frame: FrameType | None) -> None:
    raise TerminatedError(
        f"stopped by {signal.Signals(number).name}; nothing is mounted any more",
        hint=_AGAIN,
    )
