"""Records that a disk let rot: they are named, and what to do is said."""

from pathlib import Path

import pytest

from rescue.errors import UsageError
from rescue.state import (
    OWN_FOLDER,
    load_handover,
    load_marker,
    load_record,
    note_record,
    save_marker,
    save_record,
)
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


def test_a_marker_that_rotted_is_named(tmp_path: Path) -> None:
    save_marker(tmp_path, RECORD)
    assert load_marker(tmp_path) == RECORD
    marker = tmp_path / OWN_FOLDER / "mirror.json"
    rot(marker)
    with pytest.raises(UsageError, match=r"mirror\.json is not a state file"):
        load_marker(tmp_path)
    marker.rename(marker.with_name("failback.json"))
    with pytest.raises(UsageError, match=r"failback\.json is not a state file"):
        load_handover(tmp_path)


def test_a_source_that_cannot_be_written_takes_no_errors_place(tmp_path: Path) -> None:
    note_record(RECORD, tmp_path)
    assert load_record(RECORD.name, tmp_path) == RECORD
    in_the_way = tmp_path / f"{RECORD.name}.json"
    note_record(RECORD, in_the_way)
    with pytest.raises(OSError, match="File exists"):
        save_record(RECORD, in_the_way)
