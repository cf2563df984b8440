"""The page of `rescue status --html`: whole, safe, and of nothing but itself."""

import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rescue.model.mirror.plan import PlanKind
from rescue.model.mirror.record import MirrorState
from rescue.model.mirror.role import Role
from rescue.model.run.history import RunEnd, RunEntry
from rescue.model.run.next_step import Next, NextStep
from rescue.model.run.status import Health, Status
from rescue.ui.status.page import report
from tests.property.test_metrics import MIRROR, NOW, STATUS

_VOID = {"meta", "br"}


class Page(HTMLParser):
    """Reads a page: every tag is closed, and what is shown is kept."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.shown = ""
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        assert not {name for name, _ in attrs} & {"src", "href", "onclick", "style"}
        if tag not in _VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] != "style":
            self.shown += data


def run(hours: float, end: RunEnd, **more: object) -> RunEntry:
    entry = RunEntry(kind=PlanKind.MIRROR, mirror="MIRROR01", started=NOW - hours * 3600, end=end)
    return replace(entry, **more)  # type: ignore[arg-type]


RUNS = (
    run(55, RunEnd.COMPLETE, seconds=700, generation=6),
    run(31, RunEnd.FAILED, exit_code=1, said="the cable"),
    run(7.4, RunEnd.COMPLETE, seconds=800, generation=7),
)
GIVEN = replace(STATUS, mirrors=(replace(MIRROR, recent=RUNS, ill_runs=RUNS[1:2]),))


def words(status: Status) -> str:
    return " ".join(Page(report(status)).shown.split())


def test_it_shows_the_figures() -> None:
    shown = words(GIVEN)
    assert "GOOD: server runs from its first disk (SRC0001, /dev/vda)" in shown
    assert "7 h 12 min since the last complete run, onto mirror 'MIRROR01'" in shown
    assert "changes lost, if SRC0001 dies now 7 h 13 min" in shown
    assert "proven to boot in unknown" in shown
    assert "failback takes about 52 min" in shown
    assert "mirror failed (1): the cable" in shown
    listed = shown.partition("in words")[2]
    assert listed.index("generation 7, 13 min") < listed.index("the cable")
    assert "What to do next" not in shown


def test_it_needs_nothing_from_elsewhere_and_is_for_phones() -> None:
    page = report(GIVEN)
    assert '<meta name="viewport" content="width=device-width, initial-scale=1">' in page
    assert not re.search(r"https?:|url\(|@import|<script|<link|<img", page)
    assert "$" not in page


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (replace(GIVEN, mirrors=(), exposure=None, health=Health.CRITICAL), "no complete mirror"),
        (
            replace(GIVEN, next_steps=(NextStep(what=Next.MIRROR_ANY, hours=36),)),
            "What to do next rescue mirror # no mirror is younger",
        ),
        (
            replace(GIVEN, mirrors=(), own=MIRROR, runs_from=Role.MIRROR, disk_health=None),
            "runs from its MIRROR",
        ),
        (
            replace(GIVEN, mirrors=(replace(MIRROR, state=MirrorState.FAILED, last_error="x"),)),
            "last error x",
        ),
    ],
)
def test_whatever_the_state_it_is_a_whole_page(status: Status, said: str) -> None:
    assert said in words(status)


EVIL = st.text() | st.sampled_from(
    ["<script>alert(1)</script>", "\"'><img src=x>", "$host", "&lt;"]
)


@given(name=EVIL, said=EVIL)
def test_no_text_becomes_markup(name: str, said: str) -> None:
    ill = run(3, RunEnd.REFUSED, exit_code=13, said=said)
    mirror = replace(MIRROR, name=name, disk=said, last_error=said, recent=(ill,), ill_runs=(ill,))
    evil = replace(
        GIVEN,
        host=name,
        disk=said,
        mirrors=(mirror,),
        next_steps=(NextStep(what=Next.FAILBACK, disk=said),),
    )
    # What was said is empty or not: as many things are wrong with both.
    plain = replace(mirror, name="n", disk="d", last_error="e" if said else "", recent=(RUNS[1],))
    tame = replace(
        evil,
        host="h",
        disk="d",
        mirrors=(plain,),
        next_steps=(NextStep(what=Next.FAILBACK, disk="s"),),
    )
    assert Page(report(evil)).tags == Page(report(tame)).tags
