"""Exposure: what would be lost if the first disk died now; None where no figure is known."""

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
class Exposure:
    """What the death of the first disk would cost now, in seconds.

    `mirror` is the one that the machine would continue with, '' where there is none. `lost` is
    the age of its state: the time since its last complete run began. `boots` is the boot time
    from the proof of this very state, which passed. `failback` is how long the copy to a new
    first disk took in a rehearsal, otherwise how long the first copy onto the mirror took,
    which is the same work; `failback_from` says which.
    """

    mirror: str = ""
    lost: float | None = None
    boots: float | None = None
    failback: float | None = None
    failback_from: str = ""
