"""Rotation of several mirrors: whose turn it is, and which one is overdue.

The turn follows from the records alone, never from the parity of a date: a day that was missed, a
disk that was away or a run that failed shifts the days, and confuses nothing.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from rescue.model.mirror.record import MirrorRecord, MirrorState
from rescue.model.mirror.rotation import Order

HOUR = 3600.0
# Clocks differ by this much: a time later than that was written by a clock that was wrong.
_SLACK = 1 * HOUR
# Two runs of a schedule around midnight can begin on one date; they are a day apart all the same.
_ONE_DAY = 18 * HOUR


@dataclass(frozen=True, kw_only=True)
class Turn:
    """The mirror that a run goes to; `note` explains an unexpected choice."""

    record: MirrorRecord
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class Wait:
    """It is the turn of `due`, which is away; `attached` are there, and none of them is overdue."""

    due: MirrorRecord
    attached: tuple[MirrorRecord, ...]


def next_turn(
    records: Sequence[MirrorRecord],
    attached: Collection[str],
    *,
    order: Order,
    now: float,
    overdue_hours: float,
    intervals: Mapping[str, float],
) -> Turn | Wait | None:
    """Return which mirror a run goes to, or None where no mirror is attached.

    `attached` are names; `intervals` are hours by name; `now` is seconds since the epoch. With
    ALTERNATE another mirror than the one whose turn it is gets the run only where waiting would
    make it worse: no mirror is younger than `overdue_hours`, or the attached one is overdue or
    not complete.
    """
    there = tuple(record for record in records if record.name in attached)
    if not there:
        return None
    longest = min(there, key=lambda record: waited_since(record, now=now))
    if order is Order.ATTACHED:
        return Turn(record=longest)
    due = whose_day(records, now=now)
    if due.name in attached:
        return Turn(record=due)
    if age(whole(records), now=now) > overdue_hours * HOUR:
        is_complete = longest.state is MirrorState.COMPLETE
        why = "no mirror is recent enough" if is_complete else "it is not complete"
        return Turn(record=longest, note=_instead(due, longest, why))
    for record in there:
        if record.state is not MirrorState.COMPLETE:
            return Turn(record=record, note=_instead(due, record, "it is not complete"))
        if age([record], now=now) > intervals[record.name] * HOUR:
            return Turn(record=record, note=_instead(due, record, "it is overdue"))
    return Wait(due=due, attached=there)


def whose_day(records: Sequence[MirrorRecord], *, now: float) -> MirrorRecord:
    """Return the mirror whose day it is: the one that has waited longest.

    A second run on one day goes to the same mirror as the first: only one mirror is written
    each day, so that the other one keeps the state of the day before. Ties go to the first.
    """
    latest = max(records, key=lambda record: _began(record, now=now))
    if _same_day(_began(latest, now=now), now):
        return latest
    return min(records, key=lambda record: waited_since(record, now=now))


def waited_since(record: MirrorRecord, *, now: float) -> float:
    """Return since when a mirror has waited: the start of its last run, successful or not.

    A mirror whose runs fail each night does not keep the others from theirs.
    """
    return max(_believed(record.last_complete, now=now), _believed(record.last_tried, now=now))


def whole(
    records: Iterable[MirrorRecord], *, in_work: Collection[str] = ()
) -> tuple[MirrorRecord, ...]:
    """Return the records of complete mirrors, and of those (by name) that a run is writing now.

    Every night a mirror is not complete for a while; one whose run failed or was cut is not until
    the next one.
    """
    return tuple(
        record
        for record in records
        if record.state is MirrorState.COMPLETE
        or (record.state is MirrorState.RUNNING and record.name in in_work)
    )


def age(records: Sequence[MirrorRecord], *, now: float) -> float:
    """Return the time since the newest complete run in seconds; infinite if there was none.

    What a mirror holds is that old only if it is `whole`.
    """
    newest = max((_believed(record.last_complete, now=now) for record in records), default=0.0)
    return max(0.0, now - newest) if newest else float("inf")


def _began(record: MirrorRecord, *, now: float) -> float:
    """Return when the last run onto a mirror began. A run may end on the next day."""
    if record.last_tried:
        return _believed(record.last_tried, now=now)
    started = record.last_run.started if record.last_run else record.last_complete
    return _believed(started, now=now)


def _believed(time: float, *, now: float) -> float:
    """Return a recorded time, or 0 (never) if it is in the future, from a wrong clock.

    Believed, it would let the other mirrors wait until that day, and silence every alarm.
    """
    return time if time <= now + _SLACK else 0.0


def _same_day(began: float, now: float) -> bool:
    return date.fromtimestamp(began) == date.fromtimestamp(now) and abs(now - began) < _ONE_DAY


def _instead(due: MirrorRecord, record: MirrorRecord, why: str) -> str:
    return (
        f"it is the turn of mirror '{due.name}' ({due.mirror.id.name}), which is not attached; "
        f"this run goes to '{record.name}': {why}"
    )
