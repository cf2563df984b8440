"""Waiting for apt and dpkg before a run, within a limit."""

import time
from collections.abc import Callable
from pathlib import Path

from rescue.model.event import Event, Notice
from rescue.system.boot.dpkg import FRONTEND_LOCK, lock_holder, program

_PAUSE = 2.0  # seconds between two looks
_MINUTE = 60.0


def wait_for_packages(
    minutes: float,
    emit: Callable[[Event], None],
    *,
    lock: Path = FRONTEND_LOCK,
    pause: float = _PAUSE,
) -> str:
    """Wait at most this many minutes for package installations to end; return the result.

    Returns '', and prints nothing, if none is in progress. What is copied is a consistent set
    in any case: a menu is written only where what it starts is there.
    """
    holder = lock_holder(lock)
    if holder is None or minutes <= 0:
        return ""
    name = f"{program(holder) or 'a program'} (process {holder})"
    emit(Notice(message=f"{name} is installing packages: waiting for it, {minutes:g} min at most"))
    begun = time.monotonic()
    end = begun + minutes * _MINUTE
    while lock_holder(lock) is not None:
        if (left := end - time.monotonic()) <= 0:
            said = f"{name} was still at work after {minutes:g} min: the system is copied as it is"
            break
        time.sleep(min(pause, left))
    else:
        said = f"{name} was waited for, {time.monotonic() - begun:.0f} s"
    emit(Notice(message=said))
    return said
