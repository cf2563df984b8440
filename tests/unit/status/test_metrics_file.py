"""The metrics file is there whole for everybody to read, or the old one stays."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from rescue.model.mirror.record import MirrorState
from rescue.status.assess import on_source
from rescue.status.metrics_file import write
from tests.builders import enrolled

THERE = enrolled()
STATUS = on_source(
    THERE.machine,
    (replace(THERE.record, state=MirrorState.COMPLETE, last_complete=1000.0),),
    now=4600.0,
    overdue_hours=36,
)


def test_it_is_replaced_whole_and_readable_by_node_exporter(tmp_path: Path) -> None:
    write(STATUS, tmp_path)
    write(replace(STATUS, at=5000.0), tmp_path)
    assert os.listdir(tmp_path) == ["rescue.prom"]
    file = tmp_path / "rescue.prom"
    assert file.stat().st_mode & 0o777 == 0o644
    text = file.read_text()
    assert 'rescue_mirror_last_complete_timestamp_seconds{mirror="MIR0001"} 1000.0\n' in text
    assert "rescue_checked_timestamp_seconds 5000.0\n" in text
    assert text.endswith("\n")


def test_a_folder_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        write(STATUS, tmp_path / "nobody-collects")
    assert list(tmp_path.iterdir()) == []
