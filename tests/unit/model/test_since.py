"""From when on a change may not be on the mirror, whatever clocks and unread places do."""

from dataclasses import replace

from rescue.model.mirror.record import Behind, RunSummary
from rescue.model.mirror.since import MARGIN_NS, behind_after, since
from rescue.model.run.rot import Known, is_written
from tests.builders import enrolled

NOW = 1_000_000.0
RUN = RunSummary(
    started=NOW - 5000,
    seconds=1.0,
    checksum=False,
    files_total=0,
    files_changed=0,
    bytes_changed=0,
    deletions=0,
)
RECORD = replace(enrolled().record, last_run=RUN)
START_NS = int((NOW - 5000) * 1e9)


def test_it_is_the_start_of_the_last_complete_run_and_a_margin_for_clocks() -> None:
    assert since(RECORD, now=NOW).of("/home/anna") == START_NS - MARGIN_NS


def test_where_no_run_was_complete_nothing_is_known_to_be_there() -> None:
    assert since(replace(RECORD, last_run=None), now=NOW).of("/x") == 0


def test_a_start_that_is_yet_to_come_says_nothing() -> None:
    ahead = replace(RECORD, last_run=replace(RUN, started=NOW + 1))
    assert since(ahead, now=NOW).of("/x") == 0


def test_a_place_that_was_not_seen_is_as_old_as_it_was() -> None:
    behind = behind_after(RECORD, ["/home/anna"], now=NOW)
    assert behind == (Behind(path="/home/anna", since=NOW - 5000),)
    later = replace(RECORD, last_run=replace(RUN, started=NOW - 10), behind=behind)
    limits = since(later, now=NOW, margin_ns=0)
    assert limits.of("/home/anna/a") == START_NS
    assert limits.of("/home/annabel") == int((NOW - 10) * 1e9)
    assert limits.earliest_ns == START_NS
    # Another night, and it is still not seen; what was not seen before is.
    again = behind_after(later, ["/home/anna", "/srv"], now=NOW)
    assert again == (*behind, Behind(path="/srv", since=NOW - 10))


def test_many_places_are_one() -> None:
    many = [f"/x/{number}" for number in range(2000)]
    old = replace(RECORD, behind=(Behind(path="/x/7", since=5.0),))
    assert behind_after(old, many, now=NOW) == (Behind(path="/", since=5.0),)


def test_a_program_is_told_from_rot_by_the_inode_alone() -> None:
    known = Known(size=1, mtime_ns=1, ctime_ns=5, digest=b"a")
    other = replace(known, digest=b"b")
    assert not is_written(other, known, since_ns=1)
    assert is_written(replace(other, ctime_ns=9), known, since_ns=1)
    # Set back by a clock, but another one.
    assert is_written(replace(other, ctime_ns=2), known, since_ns=100)
    # The source holds what was recorded: the mirror has rotted.
    assert not is_written(replace(known, ctime_ns=9), known, since_ns=1)
    assert is_written(other, None, since_ns=5)
    assert not is_written(other, None, since_ns=6)
    assert not is_written(other, None, since_ns=0)
