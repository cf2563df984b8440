"""State files: what is written is read again; what cannot be read is said, not guessed."""

import os
from dataclasses import replace

import pytest

from rescue.errors import DamagedError, UsageError
from rescue.model.mirror.plan import PLAN_VERSION, Plan
from rescue.model.mirror.record import RECORD_VERSION, MirrorRecord
from rescue.model.mirror.step import MakeSwapFile, SyncTree, WipeSignatures, WriteTable
from rescue.model.storage.disk import Partition, PartitionTable, TableKind
from rescue.model.storage.filesystem import FileSystem, FsKind, SwapArea
from rescue.model.storage.layer import Container, Content, Foreign, Nothing
from rescue.store.codec import from_json, to_json
from rescue.units import Sectors
from tests.builders import enrolled
from tests.unit.test_grants import MIRROR, plan_for

RECORD = enrolled().record
CONTENTS: tuple[Content, ...] = (
    Nothing(),
    SwapArea(uuid="s"),
    Foreign(kind="ntfs"),
    FileSystem(kind=FsKind.XFS, uuid="x", label="data"),
    Container(kind="LVM2_member", uuid="l"),
)


def a_plan() -> Plan:
    partitions = tuple(
        Partition(
            number=number,
            start=Sectors(2048 * number),
            length=Sectors(2048),
            type="83",
            uuid=f"deadbeef-0{number}",
            content=content,
        )
        for number, content in enumerate(CONTENTS, start=1)
    )
    table = PartitionTable(kind=TableKind.MBR, uuid="deadbeef", partitions=partitions)
    bare = plan_for(MIRROR)
    return Plan(
        kind=bare.kind,
        target_path=bare.target_path,
        record=bare.record,
        steps=(
            WipeSignatures(),
            WriteTable(table=table),
            SyncTree(mount_point="/", protect=("/.rescue",), paths=("/etc",)),
            MakeSwapFile(path="/swapfile", size=4096),
        ),
    )


def test_a_plan_goes_to_json_and_comes_back_the_same() -> None:
    plan = a_plan()
    assert from_json(to_json(plan), Plan, known_version=PLAN_VERSION, where="a test") == plan


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"version": 1}',
        '{"version": "1"}',
        "\0",
        b'{"version": 1, "\xff": 1}',
        b"\xff\xfe",
    ],
)
def test_what_is_no_state_file_is_refused_by_name(text: str | bytes) -> None:
    with pytest.raises(UsageError, match="some-file"):
        from_json(text, Plan, known_version=PLAN_VERSION, where="some-file")


def test_a_newer_version_is_refused_with_a_clear_sentence() -> None:
    newer = to_json(a_plan()).replace(f'"version": {PLAN_VERSION}', '"version": 99')
    with pytest.raises(UsageError, match="newer rescue"):
        from_json(newer, Plan, known_version=PLAN_VERSION, where="a test")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"host": "server"', '"host": "\\ud800"'),
        ('"comparison_cut": false', '"comparison_cut": null'),
        ('"comparison_cut": false', '"comparison_cut": "no"'),
    ],
)
def test_what_could_not_be_written_again_or_is_no_flag_is_refused(old: str, new: str) -> None:
    text = to_json(RECORD)
    assert old in text
    with pytest.raises(DamagedError):
        from_json(
            text.replace(old, new), MirrorRecord, known_version=RECORD_VERSION, where="a test"
        )


def test_a_name_that_is_no_utf_8_is_kept() -> None:
    record = replace(RECORD, last_error=os.fsdecode(b"/home/\xff"))
    assert (
        from_json(to_json(record), MirrorRecord, known_version=RECORD_VERSION, where="a test")
        == record
    )
