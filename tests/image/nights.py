"""A run onto the mirror of `loopdisks`, to its end, and what it came to."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from rescue.apply.engine import Outcome, apply_plan
from rescue.apply.marker import store_marker
from rescue.model.event import Event, Notice
from rescue.model.mirror.plan import Plan, PlanKind
from rescue.model.mirror.record import MirrorState
from rescue.plan.mirror import with_differences
from tests.image.loopdisks import DiskPair, in_child
from tests.image.measured import estimate


@dataclass(frozen=True, kw_only=True)
class Told:
    """What the summary of a run names, and what was noted meanwhile."""

    unreadable: list[str]
    failing_source: list[str]
    kept: list[str]
    notes: list[str]
    deletions: int
    digests: list[list[str]]


def carried_out(
    pair: DiskPair,
    plan: Plan,
    *,
    emit: Callable[[Event], None] = lambda _: None,
    between: Callable[[], None] = lambda: None,
) -> Outcome:
    """Apply a plan and complete the mirror, in this process, as after a good audit.

    A nightly one goes by what a look before it found, as `rescue mirror` does; `between` happens
    after that look.
    """
    if plan.kind is PlanKind.MIRROR:
        plan = with_differences(plan, estimate(plan, site=pair.site).differences)
    between()
    outcome = apply_plan(plan, pair.grant(plan), emit=emit, site=pair.site)
    complete = replace(outcome.record, state=MirrorState.COMPLETE)
    store_marker(complete, pair.grant(plan), site=pair.site)
    return outcome


def night(
    pair: DiskPair,
    plan: Plan,
    *,
    emit: Callable[[Event], None] = lambda _: None,
    between: Callable[[], None] = lambda: None,
) -> Told:
    """Do the same in a child, which has mounts of its own."""

    def action() -> object:
        notes: list[str] = []

        def heard(event: Event) -> None:
            emit(event)
            if isinstance(event, Notice):
                notes.append(event.message)

        outcome = carried_out(pair, plan, emit=heard, between=between)
        said = outcome.summary
        assert said.is_degraded == bool(said.unreadable or said.failing_source or said.kept)
        return {
            "unreadable": list(said.unreadable),
            "failing_source": list(said.failing_source),
            "kept": list(said.kept),
            "notes": notes,
            "deletions": said.deletions,
            "digests": [list(pair) for pair in outcome.record.initramfs_digests],
        }

    told = in_child(action)
    assert isinstance(told, dict)
    return Told(**told)
