"""A run onto the mirror of `loopdisks`, to its end, and what it came to."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from rescue.apply.engine import Outcome, apply_plan
from rescue.apply.marker import store_marker
from rescue.model.event import Event, Notice
from rescue.model.mirror.plan import Plan
from rescue.model.mirror.record import MirrorState
from tests.image.loopdisks import DiskPair, in_child


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
    pair: DiskPair, plan: Plan, *, emit: Callable[[Event], None] = lambda _: None
) -> Outcome:
    """Apply a plan and complete the mirror, in this process, as after a good audit."""
    outcome = apply_plan(plan, pair.grant(plan), emit=emit, site=pair.site)
    complete = replace(outcome.record, state=MirrorState.COMPLETE)
    store_marker(complete, pair.grant(plan), site=pair.site)
    return outcome


def night(pair: DiskPair, plan: Plan, *, emit: Callable[[Event], None] = lambda _: None) -> Told:
    """Do the same in a child, which has mounts of its own."""

    def action() -> object:
        notes: list[str] = []

        def heard(event: Event) -> None:
            emit(event)
            if isinstance(event, Notice):
                notes.append(event.message)

        outcome = carried_out(pair, plan, emit=heard)
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
