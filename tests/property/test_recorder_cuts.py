"""Runs that are cut between any two writes: nobody believes a mirror complete that is not.

The files are real ones. A run is played as the engine plays it; before the k-th operation that
would change a disk the power goes, and from then on nothing is written any more. A file that was
replaced is durable, since its folder is synced next: a cut before that leaves the old one or the
new one, and both are among the cuts.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from shutil import rmtree
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rescue.apply.marker import expect_marker, write_marker
from rescue.errors import RescueError
from rescue.grants import WriteGrant, grant_disk
from rescue.model.mirror.plan import MirrorRequest, Plan
from rescue.model.mirror.record import MirrorRecord, MirrorState, RunSummary
from rescue.model.mirror.secret import Secret
from rescue.model.mirror.transition import begun, completed
from rescue.plan.mirror import plan_mirror
from rescue.run.recorder import Recorder
from rescue.run.state_store import Store
from rescue.store.records import find_marker, load_boots, load_record, save_marker, save_record
from rescue.text.grub_env import parse_environment
from tests.builders import enrolled

THERE = enrolled()
NAME = THERE.record.name
SUMMARY = RunSummary(
    started=5.0, seconds=2.0, checksum=False, files_total=3, files_changed=1, bytes_changed=9,
    deletions=0,
)  # fmt: skip
START = replace(
    THERE.record, state=MirrorState.COMPLETE, generation=3, last_complete=1.0, secret=Secret.draw()
)


@pytest.fixture(autouse=True, scope="module")
def no_waiting_() -> Iterator[None]:
    """No disk of ours loses its power: what is counted as synced need not be."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda fd: None)
        yield


class PowerCutError(BaseException):
    """Nothing catches it for long: the machine is off."""


@dataclass
class Power:
    """Goes before the operation of that number; None: it stays. `full` fails one disk for good."""

    until: int | None = None
    full: Path | None = None
    done: int = 0

    @contextmanager
    def on(self) -> Iterator[None]:
        """Let every operation by which a file or a name changes ask for power."""
        with pytest.MonkeyPatch.context() as patch:
            for name in ("fsync", "replace", "unlink", "rmdir", "mkdir"):
                patch.setattr(os, name, self._asking(getattr(os, name)))
            yield

    def _asking(self, real: Callable[..., object]) -> Callable[..., object]:
        def operation(*args: object, **options: object) -> object:
            if self.until is not None and self.done >= self.until:
                raise PowerCutError
            if self.full and str(args[0]).startswith(str(self.full)):
                raise OSError(28, "No space left on device")
            self.done += 1
            return real(*args, **options)

        return operation


@dataclass
class Disks:
    """A source and its mirror in a folder, and how whole the mirror's content is in truth."""

    top: Path
    power: Power = field(default_factory=Power)

    @property
    def source(self) -> Path:
        return self.top / "source"

    @property
    def unsaved(self) -> Path:
        """What a source that cannot be written knows, until the machine starts again."""
        return self.top / "run"

    @property
    def root(self) -> Path:
        return self.top / "mirror"

    @property
    def store(self) -> Store:
        @contextmanager
        def mount(record: MirrorRecord, grant: WriteGrant, site: object) -> Iterator[Path]:
            yield self.root

        return Store(records=self.source, unsaved=self.unsaved, mount=mount)

    @property
    def content(self) -> str:
        return (self.root / "content").read_text()

    def write_content(self, text: str) -> None:
        if self.power.until is not None and self.power.done >= self.power.until:
            raise PowerCutError
        self.power.done += 1
        (self.root / "content").write_text(text)

    def lay_out(self, start: MirrorRecord) -> None:
        self.root.mkdir()
        save_record(start, self.source)
        save_marker(self.root, start)
        whole = start.state is MirrorState.COMPLETE
        self.write_content(f"whole {start.generation}" if whole else "half")

    def believers(self) -> dict[str, tuple[str, int]]:
        """Everybody who can be asked: what each believes of the mirror, and its generation.

        Each copy of the marker is asked alone, as when the other one is damaged.
        """
        told = {}
        own = self.root / ".rescue"
        record = load_record(NAME, self.source, self.unsaved)
        told["source"] = (str(record.state), record.generation)
        for copy in ("mirror.json", "mirror.copy.json"):
            alone = self.top / f"alone-{copy}"
            (alone / ".rescue").mkdir(parents=True, exist_ok=True)
            (alone / ".rescue/mirror.json").write_bytes((own / copy).read_bytes())
            found = find_marker(alone)
            assert found is not None
            told[copy] = (str(found.record.state), found.record.generation)
        note = parse_environment((own / "mirror.env").read_text())
        told["boot note"] = (note["mirror_state"], int(note["mirror_generation"]))
        return told


def night(disks: Disks, *, end: str = "complete", accept_booted: bool = False) -> None:
    """One run, as verbs and engine play it; it ends as it is told."""
    record = load_record(NAME, disks.source, disks.unsaved)
    marker = find_marker(disks.root)
    plan = plan_mirror(
        THERE.machine, record, marker.record if marker else None,
        MirrorRequest(accept_booted=accept_booted, partial=".rescue~1"),
        boots=load_boots(disks.root),
    )  # fmt: skip
    assert isinstance(plan, Plan), [each.reason for each in plan.findings]
    grant = grant_disk(plan, named=plan.names[0])
    recorder = Recorder(grant, store=disks.store)
    with disks.power.on():
        try:
            found = steps(disks, grant, recorder, end=end)
        except BaseException as error:
            recorder.fail(repr(error))
            raise
        recorder.written(found)
        if end == "audit":
            recorder.audit_failed("no kernel")
            return
        disks.write_content(f"whole {plan.record.generation + 1}")
        done = completed(
            recorder.record, SUMMARY, generation=plan.record.generation + 1, unseen=(), now=9.0
        )
        recorder.complete(done, recovery_files={"recovery.txt": b"how to start from here"})


def steps(disks: Disks, grant: WriteGrant, recorder: Recorder, *, end: str) -> MirrorRecord:
    """What `apply_plan` does on a mirror: its marker first, then files."""
    planned = grant.plan.record
    expect_marker(disks.root, planned)
    running = begun(planned)
    write_marker(disks.root, running, grant)
    recorder.begin()
    disks.write_content("half")
    if end == "fail":
        raise RescueError("no room")
    disks.write_content("nobody has looked at it")
    return replace(running, grub_digest="i386-pc=1")


def expect_no_false_belief(disks: Disks) -> None:
    """Whoever says that the mirror is complete says it of a whole one, of that generation."""
    for who, (state, generation) in disks.believers().items():
        if state == MirrorState.COMPLETE:
            assert disks.content == f"whole {generation}", f"{who} believes it"


def writes_of(start: MirrorRecord, *, end: str) -> int:
    """How many operations such a night has, when nothing cuts it."""
    with TemporaryDirectory() as folder:
        disks = Disks(Path(folder))
        disks.lay_out(start)
        disks.power = Power()
        if end == "fail":
            with pytest.raises(RescueError, match="no room"):
                night(disks, end=end)
        else:
            night(disks, end=end)
        expect_no_false_belief(disks)
        return disks.power.done


@pytest.mark.parametrize("end", ["complete", "fail", "audit"])
@pytest.mark.parametrize("state", [MirrorState.COMPLETE, MirrorState.RUNNING])
def test_cut_before_any_write_nobody_believes_too_much_and_the_next_run_heals(
    tmp_path: Path, state: MirrorState, end: str
) -> None:
    start = replace(START, state=state)
    count = writes_of(start, end=end)
    assert count > 20
    for number in range(count):
        disks = Disks(tmp_path / str(number))
        disks.top.mkdir()
        disks.lay_out(start)
        disks.power = Power(until=number)
        with pytest.raises(PowerCutError):
            night(disks, end=end)
        expect_no_false_belief(disks)
        expect_the_next_run_to_heal(disks)


def expect_the_next_run_to_heal(disks: Disks, *, booted: bool = False) -> None:
    disks.power = Power()
    night(disks, accept_booted=booted)
    told = set(disks.believers().values())
    assert len(told) == 1, "they all agree"
    ((state, generation),) = told
    assert (state, disks.content) == (MirrorState.COMPLETE, f"whole {generation}")
    assert load_boots(disks.root) == ()
    assert load_record(NAME, disks.source).secret == START.secret


ENDS = st.sampled_from(["complete", "fail", "audit"])


@settings(max_examples=30)
@given(cuts=st.lists(st.tuples(st.integers(0, 90), ENDS), max_size=7))
def test_a_week_of_power_cuts(cuts: list[tuple[int, str]]) -> None:
    """Each night is cut somewhere, or comes to its end: whatever came before, it holds."""
    with TemporaryDirectory() as folder:
        disks = Disks(Path(folder))
        disks.lay_out(START)
        for number, end in cuts:
            disks.power = Power(until=number)
            with suppress(PowerCutError, RescueError):
                night(disks, end=end)
            expect_no_false_belief(disks)
        expect_the_next_run_to_heal(disks)


def test_a_start_that_was_accepted_is_not_held_against_the_mirror_once_more(tmp_path: Path) -> None:
    """Where the mirror says that it is complete, what was written on it by itself is gone."""
    for number in range(writes_of(START, end="complete") + 2):
        disks = Disks(tmp_path / str(number))
        disks.top.mkdir()
        disks.lay_out(START)
        (disks.root / ".rescue/booted").write_text("a-boot 2026-11-24T01:02:03Z\n")
        disks.power = Power(until=number)
        try:
            night(disks, accept_booted=True)
        except PowerCutError:
            said = disks.believers()
            boots = load_boots(disks.root)
            if disks.content == "whole 4" and said["mirror.json"][0] == MirrorState.COMPLETE:
                assert boots == ()
            expect_the_next_run_to_heal(disks, booted=bool(boots))
        else:
            assert load_boots(disks.root) == ()


@pytest.mark.parametrize("full", ["source", "mirror"])
@pytest.mark.parametrize("end", ["complete", "fail", "audit"])
def test_a_disk_that_cannot_be_written_any_more(tmp_path: Path, end: str, full: str) -> None:
    """The mirror itself claims nothing that is not true, nor does the source until it is started.

    After a power cut a source that could not be written says what it said before, until the next
    status asks the mirror itself (`mirrors.belief`).
    """
    for number in (None, *range(0, writes_of(START, end=end), 3)):
        disks = Disks(tmp_path / str(number))
        disks.top.mkdir()
        disks.lay_out(START)
        disks.power = Power(until=number, full=disks.top / full)
        cut = False
        try:
            night(disks, end=end)
        except PowerCutError:
            cut = True
            rmtree(disks.unsaved, ignore_errors=True)
        except (RescueError, OSError):
            pass
        if full == "source":
            told = disks.believers()
            if cut:
                del told["source"]
            whole = disks.content.startswith("whole")
            assert whole or MirrorState.COMPLETE not in {state for state, _ in told.values()}
        else:
            expect_no_false_belief(disks)
        expect_the_next_run_to_heal(disks)


def test_a_mirror_whose_marker_is_anothers_is_not_marked(tmp_path: Path) -> None:
    """Between the plan and the end of a run that disk may have been swapped for another one."""
    disks = Disks(tmp_path)
    disks.lay_out(START)
    plan = plan_mirror(THERE.machine, START, START, MirrorRequest())
    assert isinstance(plan, Plan)
    recorder = Recorder(grant_disk(plan, named=plan.names[0]), store=disks.store)
    recorder.begin()
    stranger = replace(START, machine_id="f" * 32, state=MirrorState.COMPLETE)
    save_marker(disks.root, stranger)
    recorder.fail("it was pulled out")
    found = find_marker(disks.root)
    assert found is not None
    assert found.record == stranger
    assert load_record(NAME, disks.source).state is MirrorState.FAILED
