"""What lies below /.rescue on a disk that anybody may have made, or that rots."""

import contextlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rescue.discover.marker import read_running
from rescue.errors import UsageError
from rescue.model.mirror.record import Handover
from rescue.paths import OWN_FOLDER
from rescue.store.codec import to_line, to_stored_json
from rescue.store.history import ON_MIRROR, known_runs_on_mirror
from rescue.store.records import load_boots, save_marker
from tests.fuzz.damage import any_json, texts
from tests.fuzz.declared import expect_declared
from tests.fuzz.effort import FEW_TRIES
from tests.fuzz.state import ENTRY, RECORD

RECORD_JSON = to_stored_json(RECORD)
FILES = {
    "mirror.json": any_json(RECORD_JSON),
    "mirror.copy.json": any_json(RECORD_JSON),
    "failback.json": any_json(to_stored_json(Handover(record=RECORD, boot_id="b", at=1.0))),
    "booted": texts("2026-11-27T05:00:00Z\n2026-11-27T06:00:00Z\n"),
    ON_MIRROR: texts(to_line(ENTRY) * 3),
}


@FEW_TRIES
@given(held=st.fixed_dictionaries({}, optional=FILES))
def test_it_is_read_or_said(tmp_path_factory: pytest.TempPathFactory, held: dict[str, str]) -> None:
    root = tmp_path_factory.mktemp("mirror")
    (root / OWN_FOLDER).mkdir()
    for name, text in held.items():
        (root / OWN_FOLDER / name).write_bytes(text.encode("utf-8", "surrogateescape"))
    with contextlib.suppress(UsageError):
        running = read_running(root)
        expect_declared(running)
        if running.record is not None:
            save_marker(root, running.record)
            assert read_running(root).record == running.record
    expect_declared(load_boots(root))
    expect_declared(known_runs_on_mirror(root))


def test_the_whole_one_is_read(tmp_path: Path) -> None:
    save_marker(tmp_path, RECORD)
    assert read_running(tmp_path).record == RECORD
