"""What an older rescue stored is read as what it is now."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from rescue.errors import DamagedError
from rescue.model.mirror.plan import MirrorRequest, Plan
from rescue.model.mirror.record import (
    HANDOVER_VERSION,
    RECORD_VERSION,
    Handover,
    MirrorRecord,
    MirrorState,
)
from rescue.model.storage.layer import Container
from rescue.model.storage.machine import MACHINE_VERSION, Machine
from rescue.model.storage.place import OnPartition, node_of
from rescue.plan.mirror import plan_mirror
from rescue.store.codec import from_json, to_json, to_stored_json
from rescue.store.records import find_marker, load_record
from rescue.ui.disks import disk_rows
from tests.builders import bare_disk, enrolled, layered, server, volume, with_disk

OLD = Path(__file__).parents[2] / "data/0.1.0"
"""What rescue 0.1.0 wrote in guests: a server's record of its mirror, that mirror's own files, and
machines saved by `rescue disks --json`."""


def as_before_the_graph(machine: Machine) -> dict[str, Any]:
    """Return a machine's JSON as version 1 had it: layers without keys, containers with theirs."""
    data: dict[str, Any] = json.loads(to_json(machine))
    data["version"] = 1
    data["devices"] = [
        {name: value for name, value in device.items() if name in ("path", "kind", "made_of")}
        for device in data["devices"]
    ]
    for disk in data["disks"]:
        if disk["content"]["layer"] == "Container":
            disk["content"]["holds"] = [{"layer": "Foreign", "kind": "zfs_member"}]
    return data


def on_lvm() -> Machine:
    member = Container(kind="LVM2_member", uuid="l")
    disk = replace(bare_disk("/dev/vdc", "DATA0001"), content=member)
    return layered(with_disk(server(), disk), volume("/dev/mapper/vg-data", "/dev/vdc"))


def read(data: object) -> Machine:
    return from_json(json.dumps(data), Machine, known_version=MACHINE_VERSION, where="a test")


def test_layers_had_no_keys_and_containers_held_what_is_a_device_now() -> None:
    again = read(as_before_the_graph(on_lvm()))
    assert again == on_lvm()
    assert [each.path for each in again.graph.chain("/dev/mapper/vg-data")] == [
        "/dev/mapper/vg-data",
        "/dev/vdc",
    ]


@pytest.mark.parametrize("devices", [None, 1, "x", [1], [{}], [{"path": 1}], {"path": "/dev/x"}])
def test_what_was_no_machine_then_is_none_now(devices: object) -> None:
    with pytest.raises(DamagedError):
        read({**as_before_the_graph(on_lvm()), "devices": devices})


def as_before_places(record: MirrorRecord) -> dict[str, Any]:
    """Return a record's JSON as version 1 had it: a partition's number where a place is now."""
    data: dict[str, Any] = json.loads(to_stored_json(record))
    data["version"] = 1
    for pair in (*data["filesystems"], *data["swaps"]):
        pair["partition"] = pair.pop("place")["number"]
    return data


RECORD = enrolled().record


def test_partitions_were_numbers_and_are_places() -> None:
    old = json.dumps(as_before_places(RECORD))
    again = from_json(old, MirrorRecord, known_version=RECORD_VERSION, where="a test")
    assert again == RECORD
    assert again.root.place == OnPartition(number=4)
    assert again.version == RECORD_VERSION


def test_a_record_within_something_else_is_migrated_too() -> None:
    handover = Handover(record=RECORD, boot_id="b", at=1.0)
    data = json.loads(to_stored_json(handover))
    data |= {"version": 1, "record": as_before_places(RECORD)}
    again = from_json(json.dumps(data), Handover, known_version=HANDOVER_VERSION, where="a test")
    assert again == handover
    running = json.loads(to_stored_json(replace(server(), running_mirror=RECORD)))
    running["running_mirror"] = as_before_places(RECORD)
    assert read(running).running_mirror == RECORD


def test_why_the_source_was_failing_had_another_key() -> None:
    """0.1.0 wrote the key of the record below; the alarm that it raises must not be lost."""
    data = json.loads((OLD / "mirrors/MIRROR01.json").read_text())
    assert data["last_run"].pop("distrust") == []
    data["last_run"]["distrust"] = ["SMART says so"]
    again = from_json(json.dumps(data), MirrorRecord, known_version=RECORD_VERSION, where="a test")
    assert again.last_run is not None
    assert again.last_run.failing_source == ("SMART says so",)
    assert again.last_run.is_degraded
    written = json.loads(to_stored_json(again))["last_run"]
    assert written["failing_source"] == ["SMART says so"]
    assert "distrust" not in written


@pytest.mark.parametrize("pair", [1, {}, {"partition": "4"}, {"partition": None}])
def test_a_pair_that_was_none_then_is_none_now(pair: object) -> None:
    data = {**as_before_places(RECORD), "swaps": [pair]}
    with pytest.raises(DamagedError):
        from_json(json.dumps(data), MirrorRecord, known_version=RECORD_VERSION, where="a test")


def test_a_record_that_an_older_rescue_left_on_both_disks_is_read(tmp_path: Path) -> None:
    state, root = tmp_path / "state", tmp_path / "root"
    state.mkdir()
    (root / ".rescue").mkdir(parents=True)
    old = json.dumps(as_before_places(RECORD))
    (state / f"{RECORD.name}.json").write_text(old)
    (root / ".rescue/mirror.json").write_text(old)
    assert load_record(RECORD.name, state) == RECORD
    marker = find_marker(root)
    assert marker is not None
    assert marker.record == RECORD


@pytest.mark.parametrize("kind", sorted(path.stem for path in (OLD / "machines").glob("*.json")))
def test_a_machine_that_0_1_0_saved_is_read_and_shown(kind: str) -> None:
    text = (OLD / f"machines/{kind}.json").read_text()
    assert json.loads(text)["version"] == 1
    machine = from_json(text, Machine, known_version=MACHINE_VERSION, where=kind)
    again = from_json(to_json(machine), Machine, known_version=MACHINE_VERSION, where=kind)
    assert again == machine
    for device in machine.devices:
        assert machine.graph.disks(device.key), device.key
    for mount in machine.mounts:
        assert bool(machine.chain(mount)) is mount.is_block, mount
    shown = [line for row in disk_rows(machine) for line in row.holds]
    assert sum(": " in line and " on /" in line for line in shown) >= 4


def test_a_record_that_0_1_0_wrote_is_the_same_on_both_disks() -> None:
    record = load_record("MIRROR01", OLD / "mirrors")
    marker = find_marker(OLD / "mirror")
    assert marker is not None
    assert marker.damage == ()
    assert marker.record.filesystems == record.filesystems
    assert [(pair.mount_point, pair.place) for pair in record.filesystems] == [
        ("/", OnPartition(number=4)),
        ("/boot", OnPartition(number=3)),
        ("/home", OnPartition(number=5)),
        ("/boot/efi", OnPartition(number=2)),
    ]
    assert [swap.place for swap in record.swaps] == [OnPartition(number=6)]
    assert (record.state, record.generation) == (MirrorState.COMPLETE, 2)


def test_the_next_night_of_a_mirror_of_0_1_0_is_planned_and_its_record_is_of_now() -> None:
    text = (OLD / "machines/with-its-mirror.json").read_text()
    machine = from_json(text, Machine, known_version=MACHINE_VERSION, where="a test")
    record = load_record("MIRROR01", OLD / "mirrors")
    marker = find_marker(OLD / "mirror")
    assert marker is not None
    plan = plan_mirror(machine, record, marker.record, MirrorRequest())
    assert isinstance(plan, Plan), plan
    assert plan.target_path == "/dev/vdb"
    assert json.loads(to_stored_json(plan.record))["version"] == RECORD_VERSION
    for pair in plan.record.filesystems:
        part = node_of(pair.place, machine.disks[1])
        assert part is not None
        assert part.uuid == pair.mirror_partuuid
