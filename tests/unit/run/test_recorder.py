"""What is written of a run, by its kind and by what cannot be written; cuts are in property/."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from rescue.errors import RefusedError, RescueError, UsageError
from rescue.grants import WriteGrant, grant_disk
from rescue.model.boot.firmware import BootTimes
from rescue.model.mirror.plan import Plan, PlanKind
from rescue.model.mirror.record import MirrorRecord, MirrorState, RunSummary
from rescue.model.mirror.transition import completed
from rescue.model.run.exposure import Proven
from rescue.run.recorder import Recorder, comparison_noted, proven, tried
from rescue.run.state_store import Store
from rescue.store.records import load_marker, save_marker, save_record
from tests.builders import enrolled

BEFORE = replace(enrolled().record, state=MirrorState.COMPLETE, generation=3, last_complete=1.0)
SUMMARY = RunSummary(
    started=5.0, seconds=2.0, checksum=False, files_total=3, files_changed=1, bytes_changed=9,
    deletions=0,
)  # fmt: skip


@dataclass
class Place:
    """A folder for the source's records and one for the mirror's root, which may be gone."""

    top: Path
    is_there: bool = True

    @property
    def store(self) -> Store:
        @contextmanager
        def mount(record: MirrorRecord, grant: WriteGrant, site: object) -> Iterator[Path]:
            if not self.is_there:
                raise RefusedError("it was pulled out")
            yield self.root

        return Store(records=self.top / "source", unsaved=self.top / "run", mount=mount)

    @property
    def root(self) -> Path:
        return self.top / "mirror"

    def recorder(self, kind: PlanKind, *others: MirrorRecord, table: str = "") -> Recorder:
        plan = Plan(
            kind=kind, target_path="/dev/vdb", target_table=table, record=BEFORE, steps=(),
            names=("this",),
        )  # fmt: skip
        return Recorder(grant_disk(plan, named="this"), others=others, store=self.store)

    @property
    def source(self) -> MirrorRecord:
        return self.store.load(BEFORE.name)

    @property
    def marker(self) -> MirrorRecord:
        found = load_marker(self.root)
        assert found is not None
        return found


@pytest.fixture(name="place")
def place_(tmp_path: Path) -> Place:
    made = Place(tmp_path)
    made.root.mkdir()
    save_record(BEFORE, made.top / "source")
    save_marker(made.root, BEFORE)
    return made


def done(recorder: Recorder) -> MirrorRecord:
    return completed(recorder.record, SUMMARY, generation=4, unseen=(), now=9.0)


def test_a_mirror_that_lay_on_the_disk_is_no_more(place: Place) -> None:
    lay_here = replace(BEFORE, name="attic", mirror=replace(BEFORE.mirror, table_uuid="a77"))
    elsewhere = replace(lay_here, name="cellar", mirror=replace(BEFORE.mirror, table_uuid="ce1"))
    place.store.save(elsewhere)
    recorder = place.recorder(PlanKind.PREPARE, lay_here, elsewhere, table="a77")
    recorder.begin()
    recorder.begin()
    assert place.source.state is MirrorState.RUNNING
    assert place.store.load("attic").state is MirrorState.FAILED
    assert "its disk was written anew" in place.store.load("attic").last_error
    assert place.store.load("cellar") == elsewhere


def test_what_a_run_is_refused_for_is_noted_and_nothing_else(place: Place) -> None:
    place.recorder(PlanKind.MIRROR).fail("another mirror is there")
    assert place.source == replace(BEFORE, last_error="another mirror is there")
    assert place.marker == BEFORE


@pytest.mark.parametrize("kind", [PlanKind.PREPARE, PlanKind.FAILBACK])
def test_a_disk_that_is_to_become_something_is_nothing_yet_when_it_is_refused(
    place: Place, kind: PlanKind
) -> None:
    place.recorder(kind).fail("no")
    assert (place.source, place.marker) == (BEFORE, BEFORE)


def test_an_error_before_the_mirror_is_complete_is_what_the_run_failed_of(place: Place) -> None:
    """Between audit and completion, too: such a run was not cut, and its reason is told."""
    recorder = place.recorder(PlanKind.MIRROR)
    recorder.begin()
    with pytest.raises(ZeroDivisionError), recorder.failed_by_errors():
        raise ZeroDivisionError("the recovery page")
    for record in (place.source, place.marker):
        assert record.state is MirrorState.FAILED
        assert "the recovery page" in record.last_error


def test_a_failback_leaves_no_record_of_the_new_disk_on_the_old_one(place: Place) -> None:
    (place.top / "source" / f"{BEFORE.name}.json").unlink()
    recorder = place.recorder(PlanKind.FAILBACK)
    recorder.begin()
    recorder.fail("cut")
    assert place.marker.state is MirrorState.FAILED
    recorder.warn("a hook failed")
    with pytest.raises(UsageError):
        place.store.load(BEFORE.name)


def test_a_source_that_cannot_note_it_leaves_a_mirror_that_is_whole(place: Place) -> None:
    """Under the generation that the source knows, which nobody has proven in this state."""
    proof = Proven(generation=3, at=1.0, times=BootTimes(total=41.0))
    recorder = place.recorder(PlanKind.MIRROR)
    recorder.begin()
    (place.top / "source").rename(place.top / "away")
    (place.top / "source").write_text("in the way")
    complete = replace(done(recorder), last_proof=proof)
    with pytest.raises(RescueError, match="the system cannot record it"):
        recorder.complete(complete, recovery_files={})
    assert (place.marker.state, place.marker.generation) == (MirrorState.COMPLETE, 3)
    assert (place.marker.last_complete, place.marker.proof) == (9.0, None)
    assert place.source == place.marker


def test_a_source_that_cannot_be_written_from_the_beginning_believes_no_half_mirror(
    place: Place,
) -> None:
    """It is mirrored all the same; until the next start its state is known beside the source."""
    (place.top / "source").rename(place.top / "away")
    (place.top / "source").write_text("read-only")
    recorder = place.recorder(PlanKind.MIRROR)
    recorder.begin()
    assert str(place.source.state) == "running"
    recorder.fail("no room")
    assert (str(place.source.state), place.source.last_error) == ("failed", "no room")
    (place.top / "source").unlink()
    (place.top / "away").rename(place.top / "source")
    assert str(place.source.state) == "failed"
    place.store.save(replace(BEFORE, last_tried=7.0))
    assert place.source == replace(BEFORE, last_tried=7.0)
    assert not list((place.top / "run").iterdir())


def test_a_mirror_that_cannot_say_that_it_is_complete_is_not(place: Place) -> None:
    recorder = place.recorder(PlanKind.MIRROR)
    recorder.begin()
    place.is_there = False
    with pytest.raises(RefusedError):
        recorder.complete(done(recorder), recovery_files={})
    assert (place.source.state, place.source.generation) == (MirrorState.FAILED, 4)
    assert place.source.last_error == "marker not written"
    assert place.source.last_complete == BEFORE.last_complete, "nobody has that generation"


def test_a_run_that_fails_without_its_mirror_is_known_to_the_source(place: Place) -> None:
    recorder = place.recorder(PlanKind.MIRROR)
    recorder.begin()
    place.is_there = False
    recorder.fail("it was pulled out")
    assert (place.source.state, place.source.last_error) == (
        MirrorState.FAILED,
        "it was pulled out",
    )


def test_what_is_noted_beside_a_run_changes_no_state(place: Place) -> None:
    known = tried(BEFORE, now=7.0, store=place.store)
    assert place.source == replace(BEFORE, last_tried=7.0)
    with pytest.raises(KeyboardInterrupt), comparison_noted(known, store=place.store):
        raise KeyboardInterrupt
    assert place.source.comparison_cut
    with comparison_noted(known, store=place.store):
        pass
    assert place.source == known
    failed = Proven(generation=3, at=1.0, times=BootTimes(total=9.0), cause="GRUB: no kernel")
    said = proven(replace(known, grub_digest="i386-pc=1"), failed, store=place.store)
    assert said.grub_digest == "i386-pc=1"
    assert (place.source.grub_digest, place.source.last_proof) == ("", failed)
    assert place.source.state is MirrorState.COMPLETE
