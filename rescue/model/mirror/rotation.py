"""The settings of rotation: the order in which runs go to several mirrors."""

from dataclasses import dataclass
from enum import StrEnum

_DAY_HOURS = 24.0


class Order(StrEnum):
    """Which of several mirrors a run without a name goes to.

    ATTACHED: whichever is plugged in, the one that waited longest first. ALTERNATE: a day for
    each mirror in turn, and nothing on the day of one that is away, unless that grows too old.
    """

    ATTACHED = "attached"
    ALTERNATE = "alternate"


@dataclass(frozen=True)
class RotationSettings:
    """How the mirrors take turns; it matters only where several are enrolled.

    `order` is `attached` (whichever is plugged in, the one that waited longest first) or
    `alternate` (a day for each mirror in turn).
    """

    order: Order = Order.ATTACHED


def interval_hours(own: float, *, overdue_hours: float, mirrors: int) -> float:
    """Return the age in hours after which a mirror's last complete run is overdue.

    `own` is the configured interval of this mirror. If it is not set (0), it is the machine's
    limit, plus a day for each other of its `mirrors`: they share the days.
    """
    return own or overdue_hours + _DAY_HOURS * (max(mirrors, 1) - 1)
