"""The status of a machine: which disk it runs from, and how old each mirror is."""

from dataclasses import dataclass
from enum import IntEnum

from rescue.model.mirror.record import FreeSpace, MirrorState
from rescue.model.mirror.role import Role
from rescue.model.run.exposure import Exposure, Proven
from rescue.model.run.history import RunEntry, RunFigures
from rescue.model.run.next_step import NextStep
from rescue.model.run.rot import Suspect
from rescue.model.storage.disk_health import DiskHealth

STATUS_VERSION = 2


class Health(IntEnum):
    """A status as monitoring expects it: a plugin's exit code (Monitoring Plugins guidelines).

    UNKNOWN is not a state of the machine: it could not be found out.
    """

    GOOD = 0
    WARNING = 1
    CRITICAL = 2
    UNKNOWN = 3


@dataclass(frozen=True, kw_only=True)
class RunTroubles:
    """What was not as it should be in the last run, though it came to its end.

    `hooks_failed` say which hooks failed and how, `failing_source` why the source's disk is
    failing, and then `kept` are paths that stay as they were on the mirror. `unreadable` are files
    of the source that could not be read. `suspects` are what the last comparison of every content
    found.
    """

    hooks_failed: tuple[str, ...] = ()
    failing_source: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    unreadable: tuple[str, ...] = ()
    suspects: tuple[Suspect, ...] = ()

    @property
    def are_there(self) -> bool:
        """Whether there is anything that a person has to look at."""
        return bool(self.hooks_failed or self.failing_source or self.unreadable or self.suspects)


@dataclass(frozen=True, kw_only=True)
class MirrorStatus:
    """One enrolled mirror. Times are seconds since the epoch (UTC); `age` is in seconds.

    `overdue_after` is the interval in seconds that a mirror has exceeded, 0 where it has not.
    `vanished` is how many files vanished while the last run copied them; `troubles` are what else
    was not as it should be in that run, `notes` say what was merely not as on other nights.

    `took` is how long the last complete run took, in seconds, `figures` what it did, `free` the
    room on the mirror after it. `last_checksum` is when the last one began that compared every
    content, 0 where none did. `ill_runs` are those of the last 30 days that did not leave a
    complete mirror, oldest first; `recent` are the last runs, whatever became of them.
    `disk_health` is None where the disk is not attached now; `proof` is None where the mirror was
    never proven to boot.
    """

    name: str
    disk: str
    health: Health
    state: MirrorState
    generation: int
    last_complete: float
    age: float
    last_error: str
    attached: bool
    overdue_after: float = 0.0
    vanished: int = 0
    troubles: RunTroubles = RunTroubles()
    notes: tuple[str, ...] = ()
    took: float = 0.0
    figures: RunFigures | None = None
    free: tuple[FreeSpace, ...] = ()
    last_checksum: float = 0.0
    ill_runs: tuple[RunEntry, ...] = ()
    recent: tuple[RunEntry, ...] = ()
    disk_health: DiskHealth | None = None
    proof: Proven | None = None

    @property
    def failed_its_proof(self) -> bool:
        """Whether the mirror's present state failed its proof.

        A later complete run has rebuilt the boot files: that state has not been booted yet.
        """
        proof = self.proof
        return proof is not None and not proof.passed and proof.generation == self.generation


@dataclass(frozen=True, kw_only=True)
class Status:
    """The machine as a whole.

    `runs_from` is SOURCE or MIRROR, or NONE where the running disk plays no recorded part.
    `own` is the running mirror, `since` are the times of its starts since its last run (UTC);
    `handed_over_to` is the disk that took over in this session. `next_steps` are what to do,
    with the names of this machine filled in. `turn` is the mirror whose day it is, where the
    mirrors alternate. `at` is when this was true, in seconds since the epoch (UTC);
    `disk_health` is of the running disk; `exposure` is what a death of the first disk would cost
    now. `overdue_after` and `critical_after` are the ages of the youngest complete state, in
    seconds, at which the status becomes a warning and critical; 0 where there is no such limit.
    `damage` are sentences on state files that cannot be read.
    """

    version: int = STATUS_VERSION
    host: str
    health: Health
    runs_from: Role
    device: str
    disk: str
    source: str = ""
    own: MirrorStatus | None = None
    since: tuple[str, ...] = ()
    handed_over_to: str = ""
    mirrors: tuple[MirrorStatus, ...] = ()
    turn: str = ""
    at: float = 0.0
    overdue_after: float = 0.0
    critical_after: float = 0.0
    disk_health: DiskHealth | None = None
    exposure: Exposure | None = None
    next_steps: tuple[NextStep, ...] = ()
    damage: tuple[str, ...] = ()
