"""Records that a disk let rot: they are named, and what to do is said."""

import json
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from rescue.commands.restore import _boots
from rescue.discover.marker import read_running
from rescue.errors import DamagedError, UsageError
from rescue.model.mirror.record import RECORD_VERSION, MirrorState
from rescue.paths import OWN_FOLDER
from rescue.run.state_store import Store
from rescue.store import records as module
from rescue.store.records import (
    NO_TIME,
    find_marker,
    forget_marker,
    load_boots,
    load_handover,
    load_marker,
    load_record,
    save_marker,
    save_record,
)
from rescue.system.files.atomic import write_atomic
from tests.builders import enrolled

RECORD = enrolled().record


def rot(path: Path) -> None:
    """Flip the highest bit of one letter: what is left is no UTF-8."""
    data = bytearray(path.read_bytes())
    data[data.index(b"SRC0001")] |= 0x80
    path.write_bytes(data)


def test_a_record_that_rotted_is_named(tmp_path: Path) -> None:
    save_record(RECORD, tmp_path)
    assert load_record(RECORD.name, tmp_path) == RECORD
    rot(tmp_path / f"{RECORD.name}.json")
    with pytest.raises(UsageError, match=f"{RECORD.name}.json is not a state file") as caught:
        load_record(RECORD.name, tmp_path)
    assert "prepare the mirror again" in caught.value.hint


def test_a_marker_that_rotted_has_a_second_copy(tmp_path: Path) -> None:
    save_marker(tmp_path, RECORD)
    found = find_marker(tmp_path)
    assert (found.record, found.damage) == (RECORD, ()) if found else False
    marker = tmp_path / OWN_FOLDER / "mirror.json"
    rot(marker)
    found = find_marker(tmp_path)
    assert found is not None
    assert found.record == RECORD
    assert "mirror.json is not a state file" in found.damage[0]
    marker.unlink()
    found = find_marker(tmp_path)
    assert found is not None
    assert "is gone: its second copy counts" in found.damage[0]


def test_a_marker_whose_copies_rotted_is_named(tmp_path: Path) -> None:
    save_marker(tmp_path, RECORD)
    marker = tmp_path / OWN_FOLDER / "mirror.json"
    for each in (marker, marker.with_name("mirror.copy.json")):
        rot(each)
    with pytest.raises(DamagedError, match=r"mirror\.json is not a state file"):
        load_marker(tmp_path)
    marker.rename(marker.with_name("failback.json"))
    with pytest.raises(DamagedError, match=r"failback\.json is not a state file"):
        load_handover(tmp_path)
    (damaged,) = read_running(tmp_path).damage[1:]
    assert "failback.json" in damaged


def test_a_second_copy_of_a_newer_rescue_is_no_way_around_it(tmp_path: Path) -> None:
    save_marker(tmp_path, RECORD)
    marker = tmp_path / OWN_FOLDER / "mirror.json"
    marker.write_text(marker.read_text().replace(f'"version": {RECORD_VERSION}', '"version": 99'))
    with pytest.raises(UsageError, match="newer rescue") as caught:
        read_running(tmp_path)
    assert not isinstance(caught.value, DamagedError)


@pytest.mark.parametrize("state", list(MirrorState))
def test_cut_anywhere_neither_copy_claims_more_than_it_may(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, state: MirrorState
) -> None:
    """A file that is not written any more is what a power cut leaves."""
    before = MirrorState.RUNNING if state is MirrorState.COMPLETE else MirrorState.COMPLETE
    for files in range(3):
        save_marker(tmp_path, replace(RECORD, state=before))
        with monkeypatch.context() as patched:
            patched.setattr(module, "write_atomic", PowerCut(after=files))
            with pytest.raises(PowerCutError):
                save_marker(tmp_path, replace(RECORD, state=state))
        said = [load_own(tmp_path, name) for name in ("mirror.json", "mirror.copy.json")]
        assert "complete" not in said or said[0] == "complete"


class PowerCutError(Exception):
    pass


@dataclass
class PowerCut:
    """Writes so many files, and no more."""

    after: int

    def __call__(self, path: Path, data: bytes, *, mode: int) -> None:
        if not self.after:
            raise PowerCutError
        self.after -= 1
        write_atomic(path, data, mode=mode)


def load_own(root: Path, name: str) -> str:
    state: str = json.loads((root / OWN_FOLDER / name).read_text())["state"]
    return state


def test_the_marker_goes_before_what_lies_beside_it(tmp_path: Path) -> None:
    save_marker(tmp_path, RECORD)
    forget_marker(tmp_path)
    assert load_marker(tmp_path) is None
    assert not (tmp_path / OWN_FOLDER).exists()


def test_a_torn_line_is_a_start_all_the_same(tmp_path: Path) -> None:
    note = tmp_path / OWN_FOLDER / "booted"
    note.parent.mkdir()
    note.write_bytes(b"boot-id 2026-11-24T01:02:03Z\nboot-id 2026-11-2\n\0\0\0\n\xff\xfe")
    assert load_boots(tmp_path) == ("2026-11-24T01:02:03Z", NO_TIME, NO_TIME, NO_TIME)
    assert _boots(tmp_path) == ()
    note.write_text("boot-id 2026-11-24T01:02:03Z\n\n \u3000\n")
    assert _boots(tmp_path) == (datetime(2026, 11, 24, 1, 2, 3, tzinfo=UTC).timestamp(),)


def test_a_source_that_cannot_be_written_takes_no_errors_place(tmp_path: Path) -> None:
    Store(records=tmp_path, unsaved=tmp_path / "run").note(RECORD)
    assert load_record(RECORD.name, tmp_path) == RECORD
    in_the_way = tmp_path / f"{RECORD.name}.json"
    Store(records=in_the_way, unsaved=tmp_path / "run").note(RECORD)
    with pytest.raises(OSError, match="File exists"):
        save_record(RECORD, in_the_way)


def test_a_damaged_record_is_never_lost(tmp_path: Path) -> None:
    """It may hold what nobody has elsewhere."""
    path = tmp_path / f"{RECORD.name}.json"
    path.write_bytes(b'{"version": 1, "na')
    with pytest.raises(DamagedError) as caught:
        load_record(RECORD.name, tmp_path)
    assert f"copy /.rescue/mirror.json of the mirror to {path}" in caught.value.hint
    assert path.read_bytes() == b'{"version": 1, "na'
    save_record(RECORD, tmp_path)
    assert load_record(RECORD.name, tmp_path) == RECORD
    assert (tmp_path / f"{RECORD.name}.json.damaged").read_bytes() == b'{"version": 1, "na'
