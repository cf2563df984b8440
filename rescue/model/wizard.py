"""The wizard's values: what is offered, the candidate disks, the commands."""

from dataclasses import dataclass, field
from enum import StrEnum

from rescue.model.finding import Refusal
from rescue.model.mirror.record import MirrorRecord
from rescue.model.run.schedule import Installed, ScheduleSettings
from rescue.model.storage.disk import Disk
from rescue.model.storage.machine import Machine


class Task(StrEnum):
    """One thing that the wizard does; each is a command that can be run without it.

    AGAIN is failback once more: the new first disk is given what has changed since.
    """

    PREPARE = "prepare"
    MIRROR = "mirror"
    SCHEDULE = "schedule"
    MEDIUM = "medium"
    PROVE = "prove"
    HOMES = "homes"
    FAILBACK = "failback"
    AGAIN = "again"
    STATUS = "status"
    LEAVE = "leave"


@dataclass(frozen=True, kw_only=True)
class Here:
    """Everything the wizard knows when it decides what to offer.

    `verbs` are the commands that this rescue has; `did` are the tasks that succeeded since the
    wizard was started.
    """

    machine: Machine
    records: tuple[MirrorRecord, ...] = ()
    schedule: Installed = Installed.NO
    settings: ScheduleSettings = field(default_factory=ScheduleSettings)
    verbs: frozenset[str] = frozenset()
    did: frozenset[Task] = frozenset()


@dataclass(frozen=True, kw_only=True)
class Offer:
    """One line of the menu: what it does, why or its current state, and its command."""

    task: Task
    title: str
    why: str = ""
    command: str = ""
    done: bool = False


@dataclass(frozen=True, kw_only=True)
class Page:
    """The menu at one moment: what to know first, what can be done, and what comes next."""

    head: tuple[str, ...]
    offers: tuple[Offer, ...]
    suggested: Task


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A disk that could be written to, with everything known about it.

    `name` is what names it and no other disk. `against` are the refusals of the command itself.
    `choosable` is true where none is left once the person gives up what the disk holds now
    (`loses`); `notes` speak neither way.
    """

    disk: Disk
    name: str
    speaks_for: tuple[str, ...]
    notes: tuple[str, ...]
    against: tuple[Refusal, ...]
    loses: tuple[str, ...]
    choosable: bool


@dataclass(frozen=True, kw_only=True)
class Choice:
    """All disks of a machine for one task, and what prevents the task on any disk.

    `unknown` are sentences on what could not be asked of any disk.
    """

    task: Task
    candidates: tuple[Candidate, ...]
    against: tuple[Refusal, ...] = ()
    unknown: tuple[str, ...] = ()

    @property
    def choosable(self) -> tuple[Candidate, ...]:
        """The disks that can be chosen, those that hold nothing first."""
        good = [each for each in self.candidates if each.choosable]
        return tuple(sorted(good, key=lambda each: bool(each.loses)))


@dataclass(frozen=True, kw_only=True)
class Command:
    """What a step runs: the arguments of `rescue` for a person, and those for a script."""

    attended: tuple[str, ...]
    scripted: tuple[str, ...]
