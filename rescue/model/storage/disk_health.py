"""Disk health: the verdict of SMART, and read errors that the kernel met."""

from dataclasses import dataclass
from enum import StrEnum


class SmartState(StrEnum):
    """A disk's own verdict as far as known; only the first three are a verdict.

    SUSPECT has passed, and yet counts sectors that it could not read. The others say why there is
    no verdict: the disk has no SMART (virtual disks, many USB bridges), it sleeps and was not
    woken, smartctl is not installed, or smartctl could not read it.
    """

    PASSED = "passed"
    SUSPECT = "suspect"
    FAILING = "failing"
    UNSUPPORTED = "unsupported"
    ASLEEP = "asleep"
    NO_TOOL = "no tool"
    UNREAD = "unread"


@dataclass(frozen=True, kw_only=True)
class SmartVerdict:
    """What a disk reports about itself; `said` are the problems, or why there is no verdict."""

    state: SmartState
    said: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class DiskHealth:
    """Everything that was seen of a disk without reading its content.

    `read_errors` are lines of the kernel's log about this disk, not older than two days, oldest
    first; `unseen` says what could not be looked at, '' where everything could.
    """

    smart: SmartVerdict
    read_errors: tuple[str, ...] = ()
    unseen: str = ""

    @property
    def is_failing(self) -> bool:
        """Whether data read from this disk may be missing, as SMART or the kernel reported."""
        return self.smart.state is SmartState.FAILING or bool(self.read_errors)

    @property
    def reasons(self) -> tuple[str, ...]:
        """Signs of a failing disk, in sentences; empty if there are none."""
        bad = self.smart.state in (SmartState.FAILING, SmartState.SUSPECT)
        count = len(self.read_errors)
        errors = "1 read error" if count == 1 else f"{count} read errors"
        counted = f"{errors} in the kernel's log in the last two days"
        return (
            *(self.smart.said if bad else ()),
            *((f"{counted}, the last: {self.read_errors[-1]}",) if self.read_errors else ()),
        )
