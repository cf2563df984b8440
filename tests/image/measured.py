"""What a run would do, measured as `rescue mirror` does: both sides opened to be compared."""

from collections.abc import Callable

from rescue.apply.workspace import Site, Workspace
from rescue.measure import compare as comparing
from rescue.measure import estimate as estimating
from rescue.model.event import Event
from rescue.model.mirror.plan import Plan
from rescue.system.files.digests import Digests


def estimate(plan: Plan, *, site: Site | None = None) -> estimating.Estimate:
    with Workspace.comparing(plan, site=site) as sides:
        return estimating.estimate(plan, sides)


def compare(
    plan: Plan,
    *,
    digests: Digests,
    emit: Callable[[Event], None],
    site: Site | None = None,
    **more: Callable[[], int],
) -> comparing.Comparison:
    with Workspace.comparing(plan, site=site) as sides:
        return comparing.compare(plan, sides, digests=digests, emit=emit, **more)
