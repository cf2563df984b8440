"""A deadline for a whole run: on a dying disk every read can take seconds."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from rescue.errors import TerminatedError

_HOUR = 3600.0


@contextmanager
def deadline(hours: float) -> Iterator[None]:
    """Raise TerminatedError in the block once it has taken that many hours.

    As SIGTERM does: what is mounted is unmounted, and children are ended on the way out.
    """

    def stop(_number: int, _frame: FrameType | None) -> None:
        raise TerminatedError(
            f"stopped after {hours:g} h, the time limit of a run; everything has been unmounted",
            hint="see 'dmesg' and the disks' health; 'run.time_limit_hours' in the configuration",
        )

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, hours * _HOUR)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
