"""The history of the runs: nothing that a figure is taken from is lost, and nothing invented."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given
from hypothesis import strategies as st

from rescue.errors import ExitCode
from rescue.model.mirror.plan import PlanKind
from rescue.model.mirror.record import FreeSpace
from rescue.model.run.history import (
    DiskNote,
    RunEnd,
    RunEntry,
    RunFigures,
    begun,
    end_of,
    ended,
    last_whole,
    pruned,
    seen,
)
from rescue.model.storage.disk_health import SmartState, SmartVerdict
from rescue.store.history import load_runs, save_runs

COUNT = st.integers(0, 10**12)
FIGURES = st.builds(
    RunFigures,
    files_total=COUNT,
    files_changed=COUNT,
    bytes_changed=COUNT,
    deletions=COUNT,
    vanished=COUNT,
    unreadable=COUNT,
)
DISKS = st.builds(
    DiskNote,
    disk=st.text(max_size=8),
    smart=st.builds(
        SmartVerdict,
        state=st.sampled_from(SmartState),
        said=st.lists(st.text(max_size=8), max_size=2).map(tuple),
    ),
    read_errors=COUNT,
)
ENTRIES = st.builds(
    RunEntry,
    kind=st.sampled_from([PlanKind.PREPARE, PlanKind.MIRROR]),
    mirror=st.just("MIRROR01"),
    started=st.integers(0, 2**32).map(float),
    seconds=st.floats(0, 10**6),
    end=st.sampled_from(RunEnd),
    exit_code=st.sampled_from([int(code) for code in ExitCode]),
    generation=st.integers(0, 10**6),
    said=st.text(),
    figures=st.none() | FIGURES,
    free=st.lists(
        st.builds(FreeSpace, mount_point=st.text(max_size=8), size=COUNT, free=COUNT), max_size=2
    ).map(tuple),
    source_disk=st.none() | DISKS,
)
HISTORIES = st.lists(ENTRIES, max_size=30, unique_by=lambda entry: entry.started).map(
    lambda entries: tuple(sorted(entries, key=lambda entry: entry.started))
)


@given(runs=HISTORIES, keep=st.integers(1, 40))
def test_pruning_keeps_the_newest_and_what_figures_are_taken_from(
    runs: tuple[RunEntry, ...], keep: int
) -> None:
    left = pruned(runs, keep=keep)
    assert left[-keep:] == runs[-keep:] or len(runs) < keep
    assert len(left) <= keep + 2
    assert sorted(left, key=runs.index) == list(left)
    assert last_whole(left) == last_whole(runs)
    assert last_prepared(left) == last_prepared(runs)
    assert pruned(left, keep=keep) == left


@given(runs=HISTORIES)
def test_what_is_written_is_read_again(runs: tuple[RunEntry, ...]) -> None:
    with TemporaryDirectory() as folder:
        assert load_runs("MIRROR01", Path(folder)) == ()
        save_runs("MIRROR01", runs, Path(folder))
        assert load_runs("MIRROR01", Path(folder)) == runs
        (file,) = Path(folder).iterdir()
        assert file.stat().st_mode & 0o777 == 0o600


@given(runs=HISTORIES, entry=ENTRIES)
def test_a_run_that_never_ended_was_cut(runs: tuple[RunEntry, ...], entry: RunEntry) -> None:
    now = replace(entry, started=2.0**33, end=RunEnd.RUNNING)
    started = begun(runs, now, whole=now.generation)
    assert [run for run in started if run.end is RunEnd.RUNNING] == [now]
    same = now.generation
    assert seen(started, generation=same, active=True)[-1] == now
    assert seen(started, generation=same, active=False)[-1] == replace(now, end=RunEnd.CUT)
    again = begun(started, replace(now, started=2.0**34), whole=now.generation)
    assert again[-2] == replace(now, end=RunEnd.CUT)

    done = ended(started, replace(now, end=RunEnd.COMPLETE, seconds=3.0))
    assert len(done) == len(started)
    assert last_whole(done) == done[-1]
    assert not [run for run in done if run.end is RunEnd.RUNNING]


@given(runs=HISTORIES, entry=ENTRIES)
def test_a_history_that_its_own_run_has_copied_tells_of_no_cut(
    runs: tuple[RunEntry, ...], entry: RunEntry
) -> None:
    """As it is found on a first disk that was made from the mirror."""
    now = replace(entry, started=2.0**33, end=RunEnd.RUNNING)
    copied = begun(runs, now, whole=now.generation)
    last = seen(copied, generation=now.generation + 1, active=False)[-1]
    assert last.is_whole
    assert last.generation == now.generation + 1
    later = replace(now, started=2.0**34, generation=now.generation + 1)
    assert begun(copied, later, whole=later.generation)[-2] == last


@given(code=st.sampled_from(ExitCode))
def test_only_a_run_that_was_done_leaves_a_whole_mirror(code: ExitCode) -> None:
    entry = RunEntry(kind=PlanKind.MIRROR, mirror="m", started=1.0, end=end_of(code))
    assert entry.is_closed
    assert entry.is_whole == (code in (ExitCode.DONE, ExitCode.DEGRADED))


def last_prepared(runs: Sequence[RunEntry]) -> RunEntry | None:
    return last_whole([run for run in runs if run.kind is PlanKind.PREPARE])
