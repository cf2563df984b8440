"""A mirror's states and what leads from one to the other."""

import ast
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import rescue
from rescue.model.mirror.record import MirrorRecord, MirrorState, RunSummary
from rescue.model.mirror.transition import (
    TRANSITIONS,
    MirrorEvent,
    TransitionError,
    after,
    announced,
    audit_failed,
    begun,
    completed,
    failed,
    overwritten,
    written,
)
from tests.builders import enrolled

RECORD = enrolled().record
SUMMARY = RunSummary(
    started=5.0, seconds=2.0, checksum=True, files_total=3, files_changed=1, bytes_changed=9,
    deletions=0,
)  # fmt: skip

EVENTS = st.lists(st.sampled_from(MirrorEvent), max_size=30)


@given(start=st.sampled_from(MirrorState), events=EVENTS)
def test_complete_is_only_what_came_to_its_end_and_was_not_touched_since(
    start: MirrorState, events: list[MirrorEvent]
) -> None:
    """Whatever is asked for in whatever order: what must not be is an error, and no change."""
    state, whole = start, start is MirrorState.COMPLETE
    for event in events:
        try:
            state = after(state, event)
        except TransitionError:
            continue
        if event is MirrorEvent.COMPLETE:
            whole = True
        elif event in (MirrorEvent.BEGIN, MirrorEvent.OVERWRITE):
            whole = False
        assert (state is MirrorState.COMPLETE) is whole


@given(state=st.sampled_from(MirrorState))
def test_from_every_state_a_run_can_begin_and_come_to_its_end(state: MirrorState) -> None:
    for last, end in (
        (MirrorEvent.COMPLETE, MirrorState.COMPLETE),
        (MirrorEvent.AUDIT_FAIL, MirrorState.FAILED),
    ):
        now = after(state, MirrorEvent.BEGIN)
        for event in (MirrorEvent.WRITTEN, MirrorEvent.ANNOUNCE, last):
            now = after(now, event)
        assert now is end


@pytest.mark.parametrize("state", [MirrorState.NEW, MirrorState.FAILED, MirrorState.COMPLETE])
def test_nothing_ends_that_was_not_begun(state: MirrorState) -> None:
    record = replace(RECORD, state=state)
    asked: tuple[Callable[[], MirrorRecord], ...] = (
        lambda: failed(record, "why"),
        lambda: audit_failed(record, "why"),
        lambda: announced(record, 4),
        lambda: written(begun(record), record),
        lambda: completed(record, SUMMARY, generation=4, unseen=(), now=9.0),
    )
    for ends in asked:
        with pytest.raises(TransitionError, match=f"a mirror that is {state} cannot"):
            ends()


def test_every_event_has_a_row() -> None:
    assert set(TRANSITIONS) == set(MirrorEvent)


def test_what_each_transition_writes_into_the_record() -> None:
    before = replace(RECORD, state=MirrorState.COMPLETE, last_error="of last night")
    at_work = begun(before)
    assert at_work == replace(before, state=MirrorState.RUNNING)
    assert failed(at_work, "no room").last_error == "no room"
    seen = replace(at_work, grub_digest="i386-pc=1", initramfs_digests=(("6.1", "1"),))
    broken = audit_failed(written(at_work, seen), "no kernel")
    assert (broken.grub_digest, broken.initramfs_digests) == ("", ())
    assert broken.last_error == "audit: no kernel"
    assert announced(at_work, 4) == replace(at_work, generation=4)
    done = completed(at_work, SUMMARY, generation=4, unseen=("/home/a",), now=9.0)
    assert (done.state, done.generation, done.last_complete) == (MirrorState.COMPLETE, 4, 9.0)
    assert (done.last_run, done.last_error, done.last_checksum) == (SUMMARY, "", 5.0)
    assert [each.path for each in done.behind] == ["/home/a"]
    assert "as 'attic'" in overwritten(before, "attic").last_error


def test_no_other_place_sets_the_state_of_a_mirror() -> None:
    """Who wants another state asks for a transition."""
    places = []
    root = Path(rescue.__file__).parent
    for path in root.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.keyword) and node.arg == "state":
                said = ast.unparse(node.value)
                if said.startswith("MirrorState.") or "MirrorRecord" in said:
                    places.append(f"{path.relative_to(root)}:{node.value.lineno}")
    assert places == []
