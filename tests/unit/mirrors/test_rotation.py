"""Whose turn it is among several mirrors, from dates and records."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from rescue.mirrors.rotation import HOUR, Turn, Wait, age, next_turn, whole, whose_day
from rescue.model.mirror.record import MirrorRecord, MirrorState, RunSummary
from rescue.model.mirror.rotation import Order, interval_hours
from tests.builders import enrolled

BASE = enrolled().record
TONIGHT = datetime(2026, 11, 24, 3, 15).timestamp()


def mirror(
    name: str,
    *,
    days: float | None,
    tried: float | None = None,
    state: MirrorState = MirrorState.COMPLETE,
) -> MirrorRecord:
    """Return a mirror whose last complete run was so many days ago, None: never."""
    done = TONIGHT - days * 24 * HOUR if days is not None else 0.0
    last = TONIGHT - tried * 24 * HOUR if tried is not None else done
    return replace(BASE, name=name, state=state, last_complete=done, last_tried=last)


def turn(
    *records: MirrorRecord,
    attached: str = "",
    order: Order = Order.ALTERNATE,
    now: float = TONIGHT,
    interval: float = 60,
) -> Turn | Wait | None:
    there = attached.split() or [record.name for record in records]
    return next_turn(
        records,
        there,
        order=order,
        now=now,
        overdue_hours=36,
        intervals={record.name: interval for record in records},
    )


def name_of(found: Turn | Wait | None) -> str:
    assert isinstance(found, Turn)
    return found.record.name


@pytest.mark.parametrize("order", list(Order))
def test_the_one_that_waited_longest_has_its_turn(order: Order) -> None:
    assert name_of(turn(mirror("a", days=1), mirror("b", days=2), order=order)) == "b"
    assert name_of(turn(mirror("a", days=2), mirror("b", days=1), order=order)) == "a"
    assert name_of(turn(mirror("a", days=1), mirror("b", days=None), order=order)) == "b"


@pytest.mark.parametrize("order", list(Order))
def test_a_mirror_whose_runs_fail_does_not_keep_the_other_from_its_own(order: Order) -> None:
    broken = mirror("a", days=9, tried=1, state=MirrorState.FAILED)
    assert name_of(turn(broken, mirror("b", days=2), order=order)) == "b"


def test_a_second_run_on_one_day_goes_to_the_mirror_of_the_first() -> None:
    noon = TONIGHT + 9 * HOUR
    assert name_of(turn(mirror("a", days=0), mirror("b", days=1), now=noon)) == "a"
    failed = mirror("a", days=9, tried=0, state=MirrorState.FAILED)
    assert name_of(turn(failed, mirror("b", days=1), now=noon)) == "a"


def test_nights_around_midnight_are_two_days_though_they_share_a_date() -> None:
    first = datetime(2026, 11, 24, 0, 4).timestamp()
    second = datetime(2026, 11, 24, 23, 52).timestamp()
    a = replace(BASE, name="a", last_complete=first + 600, last_tried=first)
    b = replace(BASE, name="b", last_complete=first - 86400, last_tried=first - 86400)
    assert name_of(turn(a, b, now=second)) == "b"


def test_a_run_that_ends_on_the_next_day_counts_for_the_day_it_began() -> None:
    began = datetime(2026, 11, 23, 23, 50).timestamp()
    ran = RunSummary(
        started=began,
        seconds=3600,
        checksum=False,
        files_total=1,
        files_changed=0,
        bytes_changed=0,
        deletions=0,
    )
    a = replace(BASE, name="a", last_complete=began + 3600, last_run=ran)
    b = replace(BASE, name="b", last_complete=began - 86400)
    later = datetime(2026, 11, 24, 17, 0).timestamp()
    assert name_of(turn(a, b, now=later)) == "b"


def test_on_the_day_of_one_that_is_away_the_young_one_waits() -> None:
    found = turn(mirror("a", days=1), mirror("b", days=2), attached="a")
    assert isinstance(found, Wait)
    assert (found.due.name, [each.name for each in found.attached]) == ("b", ["a"])


def test_whichever_is_plugged_in_never_waits() -> None:
    found = turn(mirror("a", days=1), mirror("b", days=2), attached="a", order=Order.ATTACHED)
    assert name_of(found) == "a"


@pytest.mark.parametrize(
    ("there", "why"),
    [
        (mirror("a", days=2), "recent enough"),
        (mirror("a", days=1, state=MirrorState.RUNNING), "not complete"),
    ],
)
def test_what_is_too_old_or_not_whole_does_not_wait(there: MirrorRecord, why: str) -> None:
    found = turn(there, mirror("b", days=3), attached="a")
    assert name_of(found) == "a"
    assert isinstance(found, Turn)
    assert why in found.note
    assert "'b'" in found.note


def test_an_overdue_mirror_does_not_wait_though_the_other_is_young() -> None:
    c = mirror("c", days=1)
    found = turn(mirror("a", days=3), mirror("b", days=4), c, attached="a c", interval=60)
    assert name_of(found) == "a"
    assert isinstance(found, Turn)
    assert "overdue" in found.note


def test_a_mirror_whose_run_failed_lets_no_other_wait_for_it() -> None:
    """It is the turn of c; b is younger, and half-written."""
    a, b, c = mirror("a", days=2), mirror("b", days=0.5), mirror("c", days=3)
    assert isinstance(turn(a, b, c, attached="a"), Wait)
    found = turn(a, replace(b, state=MirrorState.FAILED), c, attached="a")
    assert name_of(found) == "a"
    assert isinstance(found, Turn)
    assert "no mirror is recent enough" in found.note


def test_only_a_run_that_is_active_keeps_a_half_written_mirror_among_the_whole_ones() -> None:
    running = mirror("a", days=1, state=MirrorState.RUNNING)
    failed, good = mirror("b", days=1, state=MirrorState.FAILED), mirror("c", days=2)
    assert whole([running, failed, good]) == (good,)
    assert whole([running, failed, good], in_work=["a", "b"]) == (running, good)


def test_without_any_attached_there_is_no_turn() -> None:
    assert turn(mirror("a", days=1), attached="somebody-else") is None


def test_a_time_that_is_yet_to_come_is_not_believed() -> None:
    wrong = mirror("a", days=-900)
    assert name_of(turn(wrong, mirror("b", days=1))) == "a"
    assert age([wrong], now=TONIGHT) == float("inf")
    assert whose_day([mirror("b", days=1), wrong], now=TONIGHT).name == "a"


@pytest.mark.parametrize(("own", "mirrors", "hours"), [(0, 1, 36), (0, 2, 60), (200, 2, 200)])
def test_an_interval_nobody_chose_leaves_a_day_for_each_other(
    own: float, mirrors: int, hours: float
) -> None:
    assert interval_hours(own, overdue_hours=36, mirrors=mirrors) == hours


def test_a_fortnight_of_two_mirrors_without_a_missed_day() -> None:
    two = {"a": mirror("a", days=1), "b": mirror("b", days=2)}
    used = []
    for day in range(14):
        now = (datetime(2026, 11, 24, 3, 15) + timedelta(days=day)).timestamp()
        name = name_of(turn(*two.values(), now=now))
        two[name] = replace(two[name], last_complete=now + 600, last_tried=now)
        used.append(name)
    assert "".join(used) == "ba" * 7
