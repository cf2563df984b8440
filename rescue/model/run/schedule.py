"""The schedule: its settings, its files, and what systemd says of it."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from rescue.model.fault import Fault, unmet

_TIME_OF_DAY = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]")
_ADDRESS = re.compile(r"[A-Za-z0-9._+=-]+(@[A-Za-z0-9.-]+)?")
_LONGEST_DELAY = 12 * 60

MIRROR_TIMER = "rescue-mirror.timer"
MIRROR_SERVICE = "rescue-mirror.service"
OVERDUE_TIMER = "rescue-overdue.timer"
OVERDUE_SERVICE = "rescue-overdue.service"
FAILED_SERVICE = "rescue-failed@.service"
PLUGGED_SERVICE = "rescue-plugged@.service"
PROVE_SERVICE = "rescue-prove.service"

TIMERS = (MIRROR_TIMER, OVERDUE_TIMER)
SERVICES = (MIRROR_SERVICE, PROVE_SERVICE, OVERDUE_SERVICE)


class ChecksumDay(StrEnum):
    """The day of the week whose run compares every content, or NEVER."""

    MONDAY = "monday"
    TUESDAY = "tuesday"
    WEDNESDAY = "wednesday"
    THURSDAY = "thursday"
    FRIDAY = "friday"
    SATURDAY = "saturday"
    SUNDAY = "sunday"
    NEVER = "never"


class Starter(StrEnum):
    """What starts the runs of a machine."""

    SYSTEMD = "systemd"
    CRON = "cron"


@dataclass(frozen=True)
class ScheduleSettings:
    """When the runs are; `rescue schedule install` puts it into force.

    `at` is the local time of the day, 'HH:MM'; a run begins up to `random_delay_minutes` (0 to 720)
    later, so that many machines do not begin as one. On `checksum_day` every content is compared.
    `notify` is the address that failures are mailed to. With `when_plugged` a mirror's disk that is
    plugged in gets a run at once, and people are told when it can be pulled. With `prove` each
    complete run of the timer is followed by a proof, which needs QEMU.
    """

    at: str = "03:15"
    random_delay_minutes: int = 15
    checksum_day: ChecksumDay = ChecksumDay.SUNDAY
    notify: str = "root"
    when_plugged: bool = False
    prove: bool = False

    def faults(self) -> Iterator[Fault]:
        """Return what cannot be meant."""
        delay = self.random_delay_minutes
        return unmet(
            self,
            ("at", is_time_of_day(self.at), "a time from 00:00 to 23:59"),
            ("random_delay_minutes", 0 <= delay <= _LONGEST_DELAY, "from 0 to 720"),
            ("notify", _ADDRESS.fullmatch(self.notify), "one mail address"),
        )


def is_time_of_day(text: str) -> bool:
    """Whether a text is a time as the schedule takes it: '03:15'."""
    return _TIME_OF_DAY.fullmatch(text) is not None


@dataclass(frozen=True, kw_only=True)
class PluggedDisk:
    """What udev knows a mirror's disk by: the PARTUUID of the partition that holds its root."""

    name: str
    partuuid: str


@dataclass(frozen=True, kw_only=True)
class ScheduleFile:
    """One file: its absolute path, its text, its mode."""

    path: str
    text: str
    mode: int = 0o644


@dataclass(frozen=True, kw_only=True)
class SchedulePlan:
    """What an installation writes and a removal deletes.

    `stale` are files of ours that belong to the other way of starting, or to an older rescue.
    """

    starter: Starter
    files: tuple[ScheduleFile, ...] = ()
    stale: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class TimerState:
    """A timer as the system knows it; times in seconds since the epoch (UTC), 0 where none."""

    unit: str
    next: float = 0.0
    last: float = 0.0


@dataclass(frozen=True, kw_only=True)
class ServiceState:
    """How a service ended the last time: systemd's word for it (man 5 systemd.service, RESULT).

    `ended` is in seconds since the epoch (UTC), 0 where it never ran since the machine started.
    """

    unit: str
    result: str
    exit_code: int
    ended: float = 0.0


class Installed(StrEnum):
    """Whether the installation matches the configuration."""

    NO = "no"
    YES = "yes"
    OUTDATED = "outdated"


@dataclass(frozen=True, kw_only=True)
class ScheduleState:
    """What `rescue schedule show` reports."""

    starter: Starter
    installed: Installed
    settings: ScheduleSettings
    timers: tuple[TimerState, ...] = ()
    services: tuple[ServiceState, ...] = ()
