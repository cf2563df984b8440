"""A mirror that was cut while its source could not be written is not called complete again."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from rescue.discover.marker import Marker
from rescue.errors import DamagedError
from rescue.mirrors import belief as module
from rescue.mirrors.belief import as_the_mirror_says
from rescue.model.mirror.record import MirrorRecord, MirrorState
from rescue.model.mirror.secret import Secret
from rescue.model.storage.disk import Disk, Use, UseKind
from rescue.model.storage.machine import Machine
from rescue.store.records import load_record, save_record
from tests.builders import enrolled

THERE = enrolled()
RECORD = replace(THERE.record, state=MirrorState.COMPLETE, generation=3, secret=Secret.draw())
CUT = replace(RECORD, state=MirrorState.RUNNING)

Says = MirrorRecord | None | DamagedError
Ask = Callable[..., MirrorRecord]


@pytest.fixture(name="asked")
def asked_() -> list[str]:
    """The disks that were asked, in their order."""
    return []


@pytest.fixture(name="ask")
def ask_(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, asked: list[str]) -> Ask:
    """Believe a record of a mirror that says something itself."""

    def ask(
        says: Says, record: MirrorRecord = RECORD, machine: Machine = THERE.machine
    ) -> MirrorRecord:
        def read(disk: Disk) -> Marker | None:
            asked.append(disk.path)
            if isinstance(says, DamagedError):
                raise says
            return Marker(record=says) if says is not None else None

        monkeypatch.setattr(module, "read_marker", read)
        return as_the_mirror_says(
            machine,
            record,
            asked=tmp_path / "asked",
            unsaved=tmp_path / "unsaved",
        )

    return ask


def test_a_mirror_that_says_that_it_is_half_written_is_believed(ask: Ask, tmp_path: Path) -> None:
    save_record(RECORD, tmp_path / "source")
    said = ask(CUT)
    assert said == replace(RECORD, state=MirrorState.RUNNING)
    assert load_record(RECORD.name, tmp_path / "source", tmp_path / "unsaved") == said


@pytest.mark.parametrize("state", [MirrorState.FAILED, MirrorState.RUNNING])
def test_it_is_asked_once_after_each_start(
    ask: Ask, asked: list[str], tmp_path: Path, state: MirrorState
) -> None:
    assert ask(RECORD) == RECORD
    assert ask(replace(RECORD, state=state)) == RECORD
    assert asked == ["/dev/vdb"]
    (tmp_path / "asked" / RECORD.name).unlink()
    assert ask(replace(RECORD, state=state, last_error="why")).last_error == "why"


@pytest.mark.parametrize(
    "says",
    [
        RECORD,
        None,
        DamagedError("it cannot be read"),
        replace(CUT, secret=Secret.draw()),
        replace(CUT, secret=Secret()),
    ],
    ids=["complete", "nothing", "damage", "another secret", "no secret"],
)
def test_what_does_not_contradict_the_record_leaves_it_as_it_is(
    ask: Ask, tmp_path: Path, says: Says
) -> None:
    assert ask(says) == RECORD
    assert not (tmp_path / "unsaved").exists()


def test_a_mirror_of_an_older_rescue_is_known_by_its_machine_and_name(ask: Ask) -> None:
    old = replace(RECORD, secret=Secret())
    assert ask(replace(old, state=MirrorState.RUNNING, name="attic"), old) == old


def test_a_record_that_claims_nothing_needs_no_question(ask: Ask, asked: list[str]) -> None:
    for state in set(MirrorState) - {MirrorState.COMPLETE}:
        record = replace(RECORD, state=state)
        assert ask(RECORD, record) == record
    assert asked == []


def test_a_disk_in_use_is_asked_later(ask: Ask, asked: list[str]) -> None:
    source, mirror = THERE.machine.disks
    used = replace(mirror, uses=(Use(kind=UseKind.MOUNTED, where="/mnt"),))
    assert ask(CUT, machine=replace(THERE.machine, disks=(source, used))) == RECORD
    assert asked == []
    assert ask(CUT).state is MirrorState.RUNNING
