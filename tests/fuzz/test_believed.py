"""A record or a history that was believed: it is planned with and shown, whatever is in it."""

import io
from contextlib import suppress
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from rescue.errors import RescueError, UsageError
from rescue.model.mirror.plan import FailbackRequest, MirrorRequest
from rescue.model.mirror.record import RECORD_VERSION, MirrorRecord
from rescue.model.restore.way_back import RestoreRequest
from rescue.model.run.history import HISTORY_VERSION, RunEntry
from rescue.model.run.status import Status
from rescue.plan.failback import plan_failback
from rescue.plan.mirror import plan_mirror
from rescue.restore.plan import begin_restore
from rescue.status.assess import on_mirror, on_source
from rescue.status.exposure import Known
from rescue.status.metrics import exposition
from rescue.store.codec import from_json, to_line, to_stored_json
from rescue.text.grub_env import boot_note
from rescue.ui.recovery_page import recovery_page
from rescue.ui.status.frames import status_view
from rescue.ui.status.lines import status_lines
from rescue.ui.status.monitor import monitor_line
from rescue.ui.status.page import report
from tests import builders
from tests.fuzz.damage import odd_json
from tests.fuzz.effort import TRIES
from tests.fuzz.state import ENTRY, RECORD

THERE = builders.enrolled()
AFTER = builders.on_mirror()
JSON = to_stored_json(replace(THERE.record, last_run=RECORD.last_run, fstab=RECORD.fstab))
NOW = 1_800_000_000.0


@st.composite
def records(draw: st.DrawFn) -> MirrorRecord:
    """Draw a record that is not what was written, and that is believed all the same."""
    text = draw(odd_json((JSON,)))
    try:
        record = from_json(text, MirrorRecord, known_version=RECORD_VERSION, where="a test")
    except UsageError:
        return THERE.record
    return record if record.is_sound else THERE.record


@st.composite
def entries(draw: st.DrawFn) -> RunEntry:
    """Draw a line of the history, likewise."""
    text = draw(odd_json((to_line(ENTRY),)))
    try:
        return from_json(text, RunEntry, known_version=HISTORY_VERSION, where="a test")
    except UsageError:
        return ENTRY


@TRIES
@given(records())
def test_it_is_planned_with(record: MirrorRecord) -> None:
    machine, known = THERE.machine, THERE.record
    for ours, theirs in ((known, record), (record, known), (record, record)):
        with suppress(RescueError):
            plan_mirror(machine, ours, theirs, MirrorRequest())
    after = replace(AFTER, running_mirror=record)
    with suppress(RescueError):
        begin_restore(after, RestoreRequest(), now=NOW)
    with suppress(RescueError):
        plan_failback(after, FailbackRequest(target="NEW0001", new_ids=builders.NEW_IDS))


@TRIES
@given(record=records(), runs=st.lists(entries(), max_size=2))
def test_it_is_shown(record: MirrorRecord, runs: list[RunEntry]) -> None:
    known = {record.name: Known(runs=tuple(runs))}
    source = on_source(THERE.machine, (record,), now=NOW, overdue_hours=36.0, known=known)
    mirror = on_mirror(AFTER, record, now=NOW, boots=(), runs=tuple(runs))
    for status in (source, mirror):
        _show(status)
    boot_note(record)
    recovery_page(THERE.machine, record, others=())


def _show(status: Status) -> None:
    screen = Console(file=io.StringIO(), width=80)
    for part in (*status_lines(status), *status_view(status)):
        screen.print(part)
    monitor_line(status)
    exposition(status).encode()
    report(status).encode()
