"""A timed step: reported when it begins, and with its seconds when it has ended well."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from rescue.model.event import Event, StepDone, StepStarted


@dataclass(kw_only=True)
class Outcome:
    """What a step says of itself when it is done: `detail` in a few words, '' for nothing."""

    detail: str = ""


@contextmanager
def timed_step(
    title: str, emit: Callable[[Event], None], *, number: int = 1, total: int = 1
) -> Iterator[Outcome]:
    """Report a step before and after the block; `number` counts from 1.

    The block may fill in the outcome. What it raises goes on, and no end is reported then.
    """
    outcome, begun = Outcome(), time.monotonic()
    emit(StepStarted(number=number, total=total, title=title))
    yield outcome
    emit(
        StepDone(
            number=number,
            total=total,
            title=title,
            seconds=time.monotonic() - begun,
            detail=outcome.detail,
        )
    )
