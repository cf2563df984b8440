"""Several mirror disks: in which order the runs go to them, as the configuration says it."""

from dataclasses import dataclass
from enum import StrEnum


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
