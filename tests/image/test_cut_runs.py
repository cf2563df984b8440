"""Real runs between real file systems, whose process is ended at one write after another."""

import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest

from rescue.apply.engine import apply_plan
from rescue.model.mirror.record import MirrorRecord, MirrorState
from rescue.model.mirror.transition import completed
from rescue.run.recorder import Recorder
from rescue.run.state_store import Store
from rescue.store.records import find_marker, load_record, save_record
from tests.image.loopdisks import ChildError, DiskPair, disk_pair, in_child, tree_of
from tests.image.test_apply_run import OWN, wait_until_free

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root: loop devices and mounts"),
]

EVERY = 13
"""Each so many-th operation of a run is one before which it is ended."""


@pytest.fixture(name="pair")
def pair_(tmp_path: Path) -> Iterator[DiskPair]:
    with disk_pair(tmp_path) as made:
        yield made


def records(pair: DiskPair) -> Path:
    return pair.folder / "records"


def run(pair: DiskPair, *, first: bool = False, ended_before: int | None = None) -> None:
    """Play a run in a process of its own, up to the operation of that number."""
    plan = pair.plan(first=first)
    known = plan.record if first else load_record(plan.record.name, records(pair))
    plan = replace(plan, record=known)

    def action() -> object:
        if ended_before is not None:
            end_before(ended_before)
        grant = pair.grant(plan)
        recorder = Recorder(
            grant, store=Store(records=records(pair), unsaved=pair.folder / "run", site=pair.site)
        )
        outcome = apply_plan(
            plan, grant, emit=lambda event: None, begin=recorder.begin, site=pair.site
        )
        recorder.written(outcome.record)
        generation = plan.record.generation + 1
        done = completed(
            recorder.record,
            outcome.summary,
            generation=generation,
            unseen=(),
            now=float(generation),
        )
        recorder.complete(done, recovery_files={"recovery.txt": b"how to start"})
        return "to its end"

    in_child(action)


def end_before(number: int) -> None:
    """End this process before its operation of that number that changes a name or syncs a file."""
    numbers = count()

    def asking(real: Callable[..., object]) -> Callable[..., object]:
        def operation(*args: object, **options: object) -> object:
            if next(numbers) >= number:
                os._exit(9)
            return real(*args, **options)

        return operation

    for name in ("fsync", "replace", "unlink", "rmdir", "mkdir"):
        setattr(os, name, asking(getattr(os, name)))


def told(pair: DiskPair) -> tuple[MirrorRecord, MirrorRecord, dict[str, object]]:
    """Return what the source says of the mirror, what the mirror says, and what is on it."""
    with pair.mirror_seen() as mirror:
        found = find_marker(mirror)
        assert found is not None
        return (
            load_record(pair.record.name, records(pair)),
            found.record,
            tree_of(mirror, OWN),
        )


def test_wherever_a_run_ends_a_mirror_that_is_called_complete_is(pair: DiskPair) -> None:
    save_record(pair.record, records(pair))
    run(pair, first=True)
    cuts = 0
    for number in count(0, EVERY):
        _, _, before = told(pair)
        (pair.root / "home/ann/letter").write_text(f"of night {number}")
        (pair.root / f"home/ann/more-{number}").write_text("and more")
        (pair.root / f"home/ann/more-{number - EVERY}").unlink(missing_ok=True)
        wanted = tree_of(pair.root, OWN)
        generation = load_record(pair.record.name, records(pair)).generation
        try:
            run(pair, ended_before=number)
        except ChildError:
            cuts += 1
        else:
            break
        for device in pair.devices.values():
            wait_until_free(device)
        for said in told(pair)[:2]:
            if said.state is MirrorState.COMPLETE:
                assert told(pair)[2] == (before if said.generation == generation else wanted)
        run(pair)
        source, marker, seen = told(pair)
        assert source == marker
        assert source.state is MirrorState.COMPLETE
        assert seen == wanted
    assert cuts > 3
