"""A plan: what would be done to a disk, complete before the first byte, shown, stored, compared."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Self

from rescue.model.mirror.record import MirrorRecord
from rescue.model.mirror.secret import Secret
from rescue.model.mirror.step import CarryFlags, PruneTree, Step, SyncTree, TakeContent
from rescue.model.run.rot import Rewritten, Suspect
from rescue.model.storage.disk import Disk
from rescue.model.storage.identity import DiskId, spelled

PLAN_VERSION = 2


class PlanKind(StrEnum):
    """Which command the plan is of."""

    PREPARE = "prepare"
    MIRROR = "mirror"
    FAILBACK = "failback"


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Steps on one disk. `record` names the disk, the identifiers and the state after the steps.

    `target_path` is where the disk was seen, `target_id` what it showed there: the grant checks
    it again when the disk is opened (None: as recorded). `target_table` is the id of the table
    that was on it, '' for none. `names` are the inputs that identify this disk among all
    attached ones, best first. `loses` are sentences on what is on the disk now and will be
    gone; `notes` are sentences worth reading before confirming. `compared` is true where every
    content was compared before; `suspects` are the files that differ in content alone.
    `failing_source` is why the source's disk is not trusted to show all that it holds: nothing is
    deleted then. `rewritten` are the files found with changed content but unchanged size and
    time.
    """

    version: int = PLAN_VERSION
    kind: PlanKind
    target_path: str
    target_model: str = ""
    target_size: int = 0
    logical_sector: int = 512
    target_id: DiskId | None = None
    target_table: str = ""
    names: tuple[str, ...] = ()
    record: MirrorRecord
    steps: tuple[Step, ...]
    loses: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    compared: bool = False
    suspects: tuple[Suspect, ...] = ()
    failing_source: tuple[str, ...] = ()
    rewritten: Rewritten = field(default_factory=Rewritten)

    @property
    def shown(self) -> DiskId:
        """The identity that the target showed at planning time."""
        return self.record.mirror.id if self.target_id is None else self.target_id

    @property
    def name(self) -> str:
        """The name by which a person identifies the target uniquely."""
        return self.names[0] if self.names else self.shown.name

    def is_named_by(self, text: str) -> bool:
        """Whether the input names the target, and no other attached disk."""
        return spelled(text) in self.names if self.names else self.shown.is_named_by(text)

    @property
    def copied(self) -> frozenset[str]:
        """Where the source's file systems are mounted that are copied; an absent one is not."""
        kinds = SyncTree | TakeContent | PruneTree | CarryFlags
        copying = (each for each in self.steps if isinstance(each, kinds))
        return frozenset(each.mount_point for each in copying)

    @classmethod
    def on(
        cls,
        disk: Disk,
        *,
        kind: PlanKind,
        record: MirrorRecord,
        steps: tuple[Step, ...],
        names: tuple[str, ...] = (),
        loses: tuple[str, ...] = (),
        notes: tuple[str, ...] = (),
    ) -> Self:
        """Return the plan of these steps on a disk as it is seen now, which has these `names`."""
        return cls(
            kind=kind,
            target_path=disk.path,
            target_model=disk.model,
            target_size=disk.size,
            logical_sector=disk.logical_sector,
            target_id=disk.id,
            target_table=disk.table.uuid if disk.table and disk.table.has_id else "",
            names=names,
            record=record,
            steps=steps,
            loses=loses,
            notes=notes,
        )


@dataclass(frozen=True, kw_only=True)
class PrepareRequest:
    """What a person asked for: the target by any name, and random UUIDs to draw from.

    `new_ids` are random UUIDs in canonical lower-case text, drawn before planning so that the
    planner stays a pure function; there are more than any plan needs. `give_up_content_of` is
    the identity of the one disk whose old content the person gave up by name. `enrolled` are
    the records of all mirrors in the configuration; `leave_out` are mount points on other
    disks, and swap as fstab names it, that the person agreed to omit from the mirror. `secret`
    is random as well: it will be shared by both disks only.
    """

    target: str
    new_ids: tuple[str, ...]
    secret: Secret = field(default_factory=Secret)
    name: str = ""
    give_up_content_of: str = ""
    enrolled: tuple[MirrorRecord, ...] = ()
    leave_out: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class FailbackRequest:
    """What a person asked for: the disk that becomes the first one, by any name.

    `new_ids`, `secret` and `give_up_content_of` as for prepare; `enrolled` are the names of all
    mirrors that the configuration knows.
    """

    target: str
    new_ids: tuple[str, ...]
    secret: Secret = field(default_factory=Secret)
    give_up_content_of: str = ""
    enrolled: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class MirrorRequest:
    """What a run was asked for.

    `accept_booted` lets it overwrite a mirror that was started as the running system;
    `bandwidth_kib` limits the copying (KiB a second, 0: no limit). With `hotplug` a disk
    started it by itself: nobody has looked whose it is. `partial` is what it calls the folders in
    which new content waits for its end ('': none waits).
    """

    checksum: bool = False
    accept_booted: bool = False
    bandwidth_kib: int = 0
    paths: tuple[str, ...] | None = None
    hotplug: bool = False
    partial: str = ""
