"""What is at stake if the first disk dies now: figures from records, None where none was taken."""

from dataclasses import dataclass

from rescue.model.boot.firmware import BootTimes


@dataclass(frozen=True, kw_only=True)
class Proven:
    """The last proof of a mirror: `at` in seconds since the epoch (UTC), `times` of its boot.

    `generation` is the one that was booted; `cause` is why it did not pass, '' where it did.
    """

    at: float
    times: BootTimes
    generation: int
    cause: str = ""

    @property
    def passed(self) -> bool:
        """Whether the mirror booted and everything was there."""
        return not self.cause


@dataclass(frozen=True, kw_only=True)
class Stake:
    """The figures, in seconds.

    `mirror` is the one that the machine would go on with, '' where there is none. `lost` is how far
    back its state lies: to where its last complete run began. `boots` is the boot of the proof of
    this very state, which passed. `failback` is how long the copy to a new first disk took when it
    was rehearsed, else how long the first copy onto the mirror took, which is the same work;
    `failback_from` says which.
    """

    mirror: str = ""
    lost: float | None = None
    boots: float | None = None
    failback: float | None = None
    failback_from: str = ""
