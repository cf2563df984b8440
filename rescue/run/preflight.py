"""The look ahead of a run: the brake, and the comparison of contents when it is due."""

from dataclasses import dataclass

from rescue.apply.workspace import Workspace
from rescue.errors import BrakeError
from rescue.grants import GuardRefusedError
from rescue.measure.compare import compare
from rescue.measure.estimate import Estimate, estimate, find_rewritten
from rescue.model.mirror.plan import Plan
from rescue.model.run.rot import Suspect
from rescue.plan.checks.brake import check_brake
from rescue.plan.checks.room import check_room, with_room
from rescue.plan.mirror import with_differences
from rescue.plan.rot import (
    check_suspects,
    judge,
    refused_comparison,
    with_comparison,
    with_rewritten,
)
from rescue.store.config import Config
from rescue.system.files.digests import opened
from rescue.system.notify import journal
from rescue.ui.screen import Screen


@dataclass(frozen=True, kw_only=True)
class Overrides:
    """What a person asked for, or takes responsibility for; paths are on the whole tree."""

    checksum: bool = False
    accept_changes: bool = False
    accept_content: tuple[str, ...] = ()


def preflight(plan: Plan, settings: Config, screen: Screen, overrides: Overrides) -> Plan:
    """Return the plan as far as it is allowed. Raises GuardRefusedError (13) if it exceeds limits.

    Where every content is compared it is done here: each file is read once for both.
    """
    if overrides.checksum:
        plan, estimated = _compared(plan, settings, screen, overrides)
    elif overrides.accept_changes:
        return carrying_rewritten(plan, screen)
    else:
        plan, estimated = _estimated(plan, settings, screen)
    if not overrides.accept_changes:
        _brake(estimated, settings)
    if refusal := check_room(estimated.lacking):
        raise GuardRefusedError((refusal,))
    roomy = with_room(plan, estimated.short)
    for note in roomy.notes[len(plan.notes) :]:
        screen.show(f"note: {note}")
    return roomy


def carrying_rewritten(plan: Plan, screen: Screen) -> Plan:
    """Return the plan extended by files that changed without a change of size or time."""
    with screen.busy("looking at what changed"), Workspace.comparing(plan) as sides:
        found = find_rewritten(plan, sides)
    return with_rewritten(plan, found)


def _estimated(plan: Plan, settings: Config, screen: Screen) -> tuple[Plan, Estimate]:
    with screen.busy("looking at what would change"), Workspace.comparing(plan) as sides:
        estimated = estimate(plan, sides)
    carrying = with_rewritten(plan, estimated.rewritten)
    return with_differences(carrying, estimated.differences, settings.hook), estimated


def _compared(
    plan: Plan, settings: Config, screen: Screen, overrides: Overrides
) -> tuple[Plan, Estimate]:
    with opened() as digests:
        if digests.begun_anew:
            screen.show(
                "note: the digests of the last comparison were damaged, and are recorded again"
            )
        try:
            with Workspace.comparing(plan) as sides:
                seen = compare(plan, sides, digests=digests, emit=screen.emit)
        except BrakeError as error:
            return _not_believed(plan, (), error.message, settings, screen)
        finally:
            screen.close()
    suspects = judge(seen.doubts, accepted=overrides.accept_content)
    if refusal := check_suspects(suspects):
        return _not_believed(plan, suspects, refusal.reason, settings, screen)
    carried = with_rewritten(plan, seen.estimated.rewritten)
    return with_comparison(carried, suspects), seen.estimated


def _not_believed(
    plan: Plan, suspects: tuple[Suspect, ...], reason: str, settings: Config, screen: Screen
) -> tuple[Plan, Estimate]:
    """Continue without the comparison, as on any other night, and raise the alarm.

    Its findings show that a disk is failing; stopping the mirror would help nobody then.
    """
    screen.warn(reason)
    journal.report_alarm(reason, mirror=plan.record.name)
    return _estimated(refused_comparison(plan, suspects, reason), settings, screen)


def _brake(estimated: Estimate, settings: Config) -> None:
    refusal = check_brake(
        files_total=estimated.files_total,
        changes=estimated.changes,
        deletions=estimated.deletions,
        share=settings.run.brake_share,
        count=settings.run.brake_count,
    )
    if refusal is not None:
        raise GuardRefusedError((refusal,))
