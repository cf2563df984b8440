"""What an older rescue stored is read as what it is now."""

import json
from dataclasses import replace
from typing import Any

import pytest

from rescue.codec import from_json, to_json
from rescue.errors import DamagedError
from rescue.model.layer import Container
from rescue.model.machine import MACHINE_VERSION, Machine
from tests.builders import bare_disk, layered, server, volume, with_disk


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
