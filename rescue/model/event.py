"""Events of a running plan, for the terminal, the journal and the tests alike."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class StepStarted:
    """A step begins: its place in the plan (from 1), how many there are, and a sentence."""

    number: int
    total: int
    title: str


@dataclass(frozen=True, kw_only=True)
class StepDone:
    """The step succeeded after so many seconds; `detail` says in a few words what it did."""

    number: int
    total: int
    title: str
    seconds: float
    detail: str = ""


@dataclass(frozen=True, kw_only=True)
class Progress:
    """The progress of a long step: bytes sent, files checked, share of the whole (0 to 1).

    `files_total` is 0 where the number is not known; `seconds_left` is None where it would be a
    guess.
    """

    bytes_done: int
    share: float
    rate: str = ""
    files_done: int = 0
    files_total: int = 0
    seconds_left: float | None = None


@dataclass(frozen=True, kw_only=True)
class Notice:
    """A message that a person should read, although nothing failed."""

    message: str


Event = StepStarted | StepDone | Progress | Notice
