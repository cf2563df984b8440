"""What a run would do, looked at before it does it: the brake, and every content on its day."""

from dataclasses import dataclass

from rescue.apply.content import compare
from rescue.apply.estimate import Estimate, estimate
from rescue.config import Config
from rescue.confirm import GuardRefusedError
from rescue.model.plan import Plan
from rescue.plan.brake import check_brake
from rescue.plan.content import check_suspects, judge, with_comparison
from rescue.plan.room import check_room, with_room
from rescue.system.digests import opened
from rescue.ui.screen import Screen


@dataclass(frozen=True, kw_only=True)
class Trust:
    """What a person asked for, or takes the responsibility for; paths are on the whole tree."""

    checksum: bool = False
    accept_changes: bool = False
    accept_content: tuple[str, ...] = ()


def looked_ahead(plan: Plan, settings: Config, screen: Screen, trust: Trust) -> Plan:
    """Return the plan of what may be done. Raises GuardRefusedError (13) where it is too much.

    Where every content is compared it is done here: each file is read once for both.
    """
    if trust.checksum:
        plan, ahead = _compared(plan, screen, trust)
    elif trust.accept_changes:
        return plan
    else:
        with screen.busy("looking at what would change"):
            ahead = estimate(plan)
    if not trust.accept_changes:
        _brake(ahead, settings)
    if refusal := check_room(ahead.lacking):
        raise GuardRefusedError((refusal,))
    roomy = with_room(plan, ahead.short)
    for note in roomy.notes[len(plan.notes) :]:
        screen.say(f"note: {note}")
    return roomy


def _compared(plan: Plan, screen: Screen, trust: Trust) -> tuple[Plan, Estimate]:
    with opened() as digests:
        if digests.begun_anew:
            screen.say("note: the digests of last time were damaged, and are recorded anew")
        try:
            seen = compare(plan, digests=digests, emit=screen.emit)
        finally:
            screen.close()
    suspects = judge(seen.doubts, accepted=trust.accept_content)
    if refusal := check_suspects(suspects):
        raise GuardRefusedError((refusal,))
    return with_comparison(plan, suspects), seen.ahead


def _brake(ahead: Estimate, settings: Config) -> None:
    refusal = check_brake(
        files_total=ahead.files_total,
        changes=ahead.changes,
        deletions=ahead.deletions,
        share=settings.run.brake_share,
        count=settings.run.brake_count,
    )
    if refusal is not None:
        raise GuardRefusedError((refusal,))
