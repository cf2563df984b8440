"""A run that takes too long is stopped as by SIGTERM, and a short one is left alone."""

import signal

import pytest

from rescue.errors import TerminatedError
from rescue.system.process.deadline import deadline


def test_what_takes_too_long_is_stopped() -> None:
    with pytest.raises(TerminatedError, match="the time limit of a run"), deadline(0.01 / 3600):
        signal.pause()


def test_what_is_done_in_time_is_left_alone() -> None:
    before = signal.getsignal(signal.SIGALRM)
    with deadline(1.0):
        pass
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)
    assert signal.getsignal(signal.SIGALRM) is before
