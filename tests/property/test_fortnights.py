"""Any fortnight of several mirrors: missed days, absent disks, failed runs."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from rescue.mirrors.rotation import HOUR, Turn, Wait, next_turn
from rescue.model.mirror.record import MirrorRecord, MirrorState
from rescue.model.mirror.rotation import Order, interval_hours
from tests.builders import enrolled

BASE = enrolled().record
OVERDUE = 36.0
FIRST = datetime(2026, 10, 20, 3, 15)  # with the end of summer time in it, where there is one


@dataclass(frozen=True)
class Night:
    """One night: whether the machine was on, which disks were there, how late, how it ended."""

    on: bool
    attached: frozenset[str]
    late: float
    well: bool


@st.composite
def fortnights(draw: st.DrawFn) -> tuple[tuple[str, ...], list[Night]]:
    names = tuple("abcd"[: draw(st.integers(2, 4))])
    nights = st.builds(
        Night,
        on=st.integers(0, 4).map(bool),
        attached=st.frozensets(st.sampled_from(names)),
        late=st.floats(0, 15 * 60),
        well=st.integers(0, 4).map(bool),
    )
    return names, draw(st.lists(nights, min_size=14, max_size=14))


@dataclass
class Told:
    """What became of one night."""

    now: float
    night: Night
    before: dict[str, MirrorRecord]
    found: Turn | Wait | None


def live(names: tuple[str, ...], nights: list[Night], *, order: Order) -> list[Told]:
    """Let the nights pass; a run that ends well leaves a complete mirror, another a failed one."""
    start = FIRST.timestamp()
    mirrors = {
        name: replace(
            BASE, name=name, state=MirrorState.COMPLETE, last_complete=start - (9 - n) * 24 * HOUR
        )
        for n, name in enumerate(names)
    }
    limit = interval_hours(0, overdue_hours=OVERDUE, mirrors=len(names))
    told = []
    for day, night in enumerate(nights):
        if not night.on:
            continue
        now = (FIRST + timedelta(days=day)).timestamp() + night.late
        found = next_turn(
            list(mirrors.values()),
            night.attached,
            order=order,
            now=now,
            overdue_hours=OVERDUE,
            intervals=dict.fromkeys(names, limit),
        )
        told.append(Told(now=now, night=night, before=dict(mirrors), found=found))
        if isinstance(found, Turn):
            was = mirrors[found.record.name]
            mirrors[was.name] = replace(
                was,
                last_tried=now,
                state=MirrorState.COMPLETE if night.well else MirrorState.FAILED,
                last_complete=now + 600 if night.well else was.last_complete,
            )
    return told


@given(fortnights(), st.sampled_from(Order))
def test_a_run_goes_to_an_attached_mirror_or_nowhere(
    given_: tuple[tuple[str, ...], list[Night]], order: Order
) -> None:
    for each in live(*given_, order=order):
        if isinstance(each.found, Turn):
            assert each.found.record.name in each.night.attached
        elif isinstance(each.found, Wait):
            assert each.found.due.name not in each.night.attached
        else:
            assert not each.night.attached


@given(fortnights(), st.sampled_from(Order))
def test_with_all_attached_each_has_its_turn_whatever_was_missed(
    given_: tuple[tuple[str, ...], list[Night]], order: Order
) -> None:
    names, nights = given_
    everyone = [replace(night, attached=frozenset(names)) for night in nights]
    used = [
        each.found.record.name
        for each in live(names, everyone, order=order)
        if isinstance(each.found, Turn)
    ]
    assert len(used) == sum(night.on for night in nights)
    for begin in range(len(used) - len(names) + 1):
        assert set(used[begin : begin + len(names)]) == set(names)


@given(fortnights())
def test_nobody_waits_for_one_that_is_away_until_it_is_too_late(
    given_: tuple[tuple[str, ...], list[Night]],
) -> None:
    for each in live(*given_, order=Order.ALTERNATE):
        if isinstance(each.found, Wait):
            youngest = max(record.last_complete for record in each.before.values())
            assert each.now - youngest <= OVERDUE * HOUR
            for record in each.found.attached:
                assert record.state is MirrorState.COMPLETE


@given(fortnights())
def test_two_nights_in_a_row_never_take_one_mirror_while_another_is_there(
    given_: tuple[tuple[str, ...], list[Night]],
) -> None:
    names, nights = given_
    for order in Order:
        told = live(names, nights, order=order)
        turns = [each for each in told if isinstance(each.found, Turn)]
        for one, two in pairwise(turns):
            assert isinstance(one.found, Turn)
            assert isinstance(two.found, Turn)
            if one.found.record.name == two.found.record.name and not two.found.note:
                assert two.night.attached == {one.found.record.name}
