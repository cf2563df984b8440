"""The next step that a machine's state asks for: what it is, and of which mirror or disk."""

from dataclasses import dataclass
from enum import StrEnum


class Next(StrEnum):
    """What is to be done.

    LOOK: which disks are there. LOOK_AGAIN: no mirror was made from this disk. PREPARE: make a
    second disk a mirror. MIRROR: make that mirror equal. MIRROR_ANY: no mirror is recent enough.
    PROVE: boot that mirror again, after its proof failed. START_OTHER: start the machine from its
    first disk, because this one is not whole. RESTORE: bring the homes back from the old first
    disk. FAILBACK: make a disk the first one. STOP_SERVICES, FAILBACK_AGAIN, POWER_OFF,
    MIRROR_THERE: move home, after a failback in this session.
    """

    LOOK = "look"
    LOOK_AGAIN = "look again"
    PREPARE = "prepare"
    MIRROR = "mirror"
    MIRROR_ANY = "mirror any"
    PROVE = "prove"
    START_OTHER = "start other"
    RESTORE = "restore"
    FAILBACK = "failback"
    STOP_SERVICES = "stop services"
    FAILBACK_AGAIN = "failback again"
    POWER_OFF = "power off"
    MIRROR_THERE = "mirror there"


@dataclass(frozen=True, kw_only=True)
class NextStep:
    """One step, with the names of this machine.

    `mirror` is a mirror's name. `disk` is the name of the disk that it is about, '' where it is not
    known or not attached, and `device` its node where that matters; `attach` says that the disk has
    to be attached first. `hours` is the limit that was exceeded.
    """

    what: Next
    mirror: str = ""
    disk: str = ""
    device: str = ""
    attach: bool = False
    hours: float = 0.0
