"""Write grants, made only from a shown plan, a person's confirmation and the guard's checks."""

from dataclasses import dataclass
from typing import TypeVar

from rescue.errors import RefusedError
from rescue.model.finding import Refusal, Refused
from rescue.model.medium import MediumPlan
from rescue.model.mirror.plan import Plan, PlanKind
from rescue.model.mirror.record import MirrorRecord
from rescue.model.proof import ProofPlan
from rescue.model.restore.way_back import RestorePlan
from rescue.model.storage.identity import DiskId

_MINT = object()


class GuardRefusedError(RefusedError):
    """All of the guard's reasons; the exit code is that of the first."""

    def __init__(self, refusals: tuple[Refusal, ...]) -> None:
        super().__init__(refusals[0].reason, hint=refusals[0].hint)
        self.refusals = refusals
        self.code = refusals[0].code


T = TypeVar("T")


def unless_refused(planned: T | Refused) -> T:
    """Return the plan from a planner's answer. Raises GuardRefusedError with its reasons."""
    if isinstance(planned, Refused):
        raise GuardRefusedError(planned.findings)
    return planned


@dataclass(frozen=True, kw_only=True)
class DiskGrant:
    """Permission to write to one disk.

    Only this module creates one: every function that writes requires it in its signature, so
    that writing without a grant does not type-check, and a forged one fails when it is made.
    """

    disk: DiskId
    _mint: object

    def __post_init__(self) -> None:
        if self._mint is not _MINT:
            raise AssertionError("a grant is made by rescue.grants alone")

    @property
    def is_known_by_content(self) -> bool:
        """Whether the disk's content identifies it, so that it need not report an identity."""
        return False

    def check(self, seen: DiskId, *, path: str) -> None:
        """Raise RefusedError unless the disk now seen at `path` is the one that was granted."""
        if not self.disk.is_unchanged(seen) or not (seen.is_stable or self.is_known_by_content):
            raise RefusedError(
                f"{path} is not the disk that was confirmed: expected {self.disk.name or '?'}, "
                f"found {seen.name or 'a disk without serial'}",
                hint="run 'rescue disks' and start again",
            )


@dataclass(frozen=True, kw_only=True)
class WriteGrant(DiskGrant):
    """Permission to write to a mirror, for one plan."""

    plan: Plan

    @property
    def is_known_by_content(self) -> bool:
        """Table, file systems and marker are looked for before a run writes to its mirror."""
        return self.plan.kind is PlanKind.MIRROR

    @property
    def path(self) -> str:
        """Where the disk was seen."""
        return self.plan.target_path

    def covers(self, record: MirrorRecord) -> bool:
        """Whether a record is of the disk that may be written to."""
        return record.mirror.table_uuid == self.plan.record.mirror.table_uuid


@dataclass(frozen=True, kw_only=True)
class MarkerGrant(DiskGrant):
    """Leave to note in a mirror's marker what its proof came to, and to write nothing else."""

    plan: ProofPlan

    @property
    def is_known_by_content(self) -> bool:
        """The marker is looked for, and must be this mirror's, before it is written."""
        return True

    @property
    def path(self) -> str:
        """Where the disk was seen."""
        return self.plan.disk


@dataclass(frozen=True, kw_only=True)
class MediumGrant(DiskGrant):
    """Permission to overwrite a stick with a medium, for one plan."""

    plan: MediumPlan


def grant_disk(plan: Plan, *, named: str) -> WriteGrant:
    """Given a plan that was shown and the name a person (or --expect-serial) gave, return a grant.

    A planner's refusals never get here: they are answered instead of a plan. For a nightly run
    the name is the id of the enrolled table, which was made when a person named the disk.
    Raises RefusedError where the name is not this disk's, or not its alone.
    """
    _expect_name(plan, named)
    return WriteGrant(plan=plan, disk=plan.shown, _mint=_MINT)


def grant_marker(plan: ProofPlan) -> MarkerGrant:
    """Given the plan of a proof, which the guard let pass, give leave to note its verdict.

    Nobody is asked: the disk was named when it was made a mirror, and nothing of it is lost.
    """
    return MarkerGrant(plan=plan, disk=plan.shown, _mint=_MINT)


def grant_medium(plan: MediumPlan, *, named: str) -> MediumGrant:
    """Given a medium's plan and the name a person gave, return a grant to overwrite that stick.

    Raises RefusedError where the name is not this disk's.
    """
    _expect_name(plan, named)
    return MediumGrant(plan=plan, disk=plan.disk, _mint=_MINT)


def _expect_name(plan: Plan | MediumPlan, named: str) -> None:
    if not plan.is_named_by(named):
        raise RefusedError(
            f"'{named}' is not the identity of {plan.target_path}, which is '{plan.name}'",
            hint=(
                f"nothing was written; type exactly the name that only this disk has: {plan.name}"
            ),
        )


@dataclass(frozen=True, kw_only=True)
class ReturnGrant:
    """Permission to bring files back into the running system's file systems, for one plan.

    It allows no disk to be written to: what is written are the mounted file systems that the
    plan's pieces name, and nothing on them is deleted. Only this module makes one.
    """

    plan: RestorePlan
    _mint: object

    def __post_init__(self) -> None:
        if self._mint is not _MINT:
            raise AssertionError("a ReturnGrant is made by rescue.grants alone")

    def check(self, *, mount_point: str, uuid: str) -> None:
        """Raise RefusedError unless the file system seen there now is one that was granted."""
        granted = {(piece.mount_point, piece.mirror_uuid.lower()) for piece in self.plan.pieces}
        if (mount_point, uuid.lower()) not in granted:
            raise RefusedError(
                f"{mount_point} holds the file system {uuid or '?'}, which is not the one that "
                "files were to be brought back to",
                hint="nothing was written there; see 'findmnt', and start again",
            )


def grant_return(plan: RestorePlan, *, named: str) -> ReturnGrant:
    """Given a plan that was shown and the name of the files' origin, return a grant.

    The name is that of the dead disk (serial, WWN, by-id), or the image's path. Raises
    RefusedError for another one.
    """
    origin = plan.origin
    if not named or not (named == origin.name or origin.id.is_named_by(named)):
        raise RefusedError(
            f"'{named}' is not the identity of {origin.path}, which is '{origin.name}'",
            hint="nothing was written; name the disk exactly as 'rescue restore --dry-run' does",
        )
    return ReturnGrant(plan=plan, _mint=_MINT)
