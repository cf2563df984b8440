"""Exposure: what would be lost if the first disk died now, from records alone."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rescue.model.mirror.plan import PlanKind
from rescue.model.mirror.record import MirrorRecord, MirrorState
from rescue.model.run.exposure import Exposure, Proven
from rescue.model.run.history import RunEntry, last_whole

PREPARING = "the preparing"
REHEARSAL = "a rehearsal"


@dataclass(frozen=True, kw_only=True)
class Known:
    """What is known of a mirror beside its record.

    `runs` are its history, `rehearsed` is how long a failback took when it was rehearsed, in
    seconds, None where it never was. With `active` a run of rescue is at work now.
    """

    runs: tuple[RunEntry, ...] = ()
    proof: Proven | None = None
    rehearsed: float | None = None
    active: bool = False


def exposure_of(
    records: Sequence[MirrorRecord], known: Mapping[str, Known], *, now: float
) -> Exposure:
    """Return the figures for the mirror that holds the newest complete state, at `now`."""
    whole = [each for each in records if each.state is MirrorState.COMPLETE and each.last_complete]
    if not whole:
        return Exposure()
    newest = max(whole, key=lambda each: each.last_complete)
    about = known.get(newest.name, Known())
    # What an older generation did says nothing of this one.
    proof = about.proof if about.proof and about.proof.generation == newest.generation else None
    boots = proof.times.total if proof and proof.passed and proof.times.total else None
    failback, basis = _failback(known)
    return Exposure(
        mirror=newest.name,
        lost=max(0.0, now - _begun(newest)),
        boots=boots,
        failback=failback,
        failback_from=basis,
    )


def _begun(record: MirrorRecord) -> float:
    """Return when the last complete run began: what changed while it copied may be missing."""
    run = record.last_run
    return min(run.started, record.last_complete) if run else record.last_complete


def _failback(known: Mapping[str, Known]) -> tuple[float | None, str]:
    """Return how long a failback takes, by the best record of any mirror, and which that is."""
    rehearsed = [each.rehearsed for each in known.values() if each.rehearsed]
    if rehearsed:
        return max(rehearsed), REHEARSAL
    prepared = [
        run.seconds
        for each in known.values()
        if (run := last_whole([run for run in each.runs if run.kind is PlanKind.PREPARE]))
    ]
    return (max(prepared), PREPARING) if prepared else (None, "")
