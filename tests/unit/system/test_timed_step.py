"""A step is reported when it begins and when it has ended well, and only then."""

import pytest

from rescue.model.event import Event, StepDone, StepStarted
from rescue.system.process.timed_step import timed_step


def test_a_step_is_told_before_and_after_with_what_it_says_of_itself() -> None:
    events: list[Event] = []
    with timed_step("copy /", events.append, number=2, total=3) as outcome:
        assert events == [StepStarted(number=2, total=3, title="copy /")]
        outcome.detail = "9 files"
    done = events[1]
    assert isinstance(done, StepDone)
    assert (done.number, done.total, done.title, done.detail) == (2, 3, "copy /", "9 files")
    assert done.seconds >= 0


def test_a_step_that_fails_has_no_end() -> None:
    events: list[Event] = []
    with pytest.raises(OSError, match="full"), timed_step("copy /", events.append):
        raise OSError("full")
    assert events == [StepStarted(number=1, total=1, title="copy /")]
