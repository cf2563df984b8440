"""What apply reports while it works; terminal, journal and tests listen to the same."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class StepStarted:
    """A step begins: its place in the plan (from 1), how many there are, and a sentence."""

    number: int
    total: int
    title: str


@dataclass(frozen=True, kw_only=True)
class StepDone:
    """The step ended well after so many seconds; `detail` says what it did, in a few words."""

    number: int
    total: int
    title: str
    seconds: float
    detail: str = ""


@dataclass(frozen=True, kw_only=True)
class Progress:
    """Where a long step stands: bytes sent, files looked at, share of the whole (0 to 1).

    `files_total` is 0 where nobody knows how many there are; `seconds_left` is None where it
    would be a guess.
    """

    bytes_done: int
    share: float
    rate: str = ""
    files_done: int = 0
    files_total: int = 0
    seconds_left: float | None = None


@dataclass(frozen=True, kw_only=True)
class Notice:
    """Something a person should read that is no failure."""

    message: str


Event = StepStarted | StepDone | Progress | Notice
