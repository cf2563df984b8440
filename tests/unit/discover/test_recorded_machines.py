"""Machines recorded in guests (tests/lab/machines.py): what we see is what lsblk sees."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rescue.model.storage.device import Device, DeviceKind
from rescue.model.storage.graph import Graph
from rescue.model.storage.machine import MACHINE_VERSION, Machine
from rescue.store.codec import from_json, to_json
from rescue.system.block.block_tree import (
    DiskNode,
    RawDevice,
    disks_of,
    others_of,
    parse_block_drivers,
)
from rescue.ui.disks import disk_rows
from rescue.ui.layers import loose_lines
from rescue.units import to_bytes

RECORDED = Path(__file__).parents[2] / "data/machines"
KINDS = sorted(path.name.split(".")[0] for path in RECORDED.glob("*.lsblk.json"))
WHOLE = [kind for kind in KINDS if (RECORDED / f"{kind}.json").exists()]
"""Those whose machine is recorded, too."""


def seen(kind: str) -> Graph:
    """Return the graph of what udev and sysfs said, contents and uses left out."""
    first, *lines = (RECORDED / f"{kind}.devices.jsonl").read_text().splitlines()
    words = json.loads(first)
    pairs = zip(words[::2], words[1::2], strict=True)
    text = "\n".join(f"{major} {name}" for major, name in pairs)
    drivers = parse_block_drivers(f"Block devices:\n{text}")
    raw = [raw_device(json.loads(line)) for line in lines]
    disks = [device for node in disks_of(raw, drivers) for device in with_partitions(node)]
    return Graph((*disks, *(other.device for other in others_of(raw, drivers))))


def raw_device(said: dict[str, Any]) -> RawDevice:
    lists = {key: tuple(value) for key, value in said.items() if isinstance(value, list)}
    return RawDevice(**{**said, **lists})


def with_partitions(node: DiskNode) -> Iterator[Device]:
    yield Device(key=node.path, kind=DeviceKind.DISK, path=node.path, size=node.size)
    for part in node.partitions:
        yield Device(
            key=part.path,
            kind=DeviceKind.PARTITION,
            path=part.path,
            size=to_bytes(part.length, logical_sector=node.logical_sector),
            made_of=(node.path,),
        )


def machine(kind: str) -> Machine:
    text = (RECORDED / f"{kind}.json").read_text()
    return from_json(text, Machine, known_version=MACHINE_VERSION, where=kind)


def rows(tree: list[dict[str, Any]], parent: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each device of lsblk's tree with what it lies on; one with two parents comes twice."""
    for row in tree:
        if row["size"]:
            yield parent, row
        yield from rows(row.get("children", []), row["path"])


def lsblk(kind: str) -> list[tuple[str, dict[str, Any]]]:
    said = json.loads((RECORDED / f"{kind}.lsblk.json").read_text())["blockdevices"]
    return list(rows(said))


def expect_as_lsblk(graph: Graph, kind: str) -> None:
    theirs = {row["path"]: row["size"] for _, row in lsblk(kind)}
    ours = {each.path: each.size for each in graph.devices if each.path and each.size}
    assert ours == theirs
    below = {(parent, row["path"]) for parent, row in lsblk(kind) if parent}
    assert {(k, each.path) for each in graph.devices if each.path for k in each.made_of} == below


def test_a_dozen_kinds_are_recorded() -> None:
    assert len(KINDS) >= 12


@pytest.mark.parametrize("kind", KINDS)
def test_what_udev_says_makes_the_devices_that_lsblk_knows(kind: str) -> None:
    expect_as_lsblk(seen(kind), kind)


@pytest.mark.parametrize("kind", KINDS)
def test_every_chain_ends_in_disks_or_in_what_lies_on_none(kind: str) -> None:
    graph = seen(kind)
    for device in graph.devices:
        ends = {each.kind for each in graph.chain(device.key) if not each.made_of}
        assert ends <= {DeviceKind.DISK, DeviceKind.LOOP, DeviceKind.MEMORY}, device.key


@pytest.mark.parametrize("kind", WHOLE)
def test_a_recorded_machine_has_the_devices_that_lsblk_knows(kind: str) -> None:
    expect_as_lsblk(machine(kind).graph, kind)


@pytest.mark.parametrize("kind", WHOLE)
def test_what_is_mounted_is_found_by_its_chain(kind: str) -> None:
    there = machine(kind)
    for _, row in lsblk(kind):
        for target in filter(None, row["mountpoints"]):
            mount = there.mount_at(target)
            if mount is None:
                assert target == "[SWAP]"
                continue
            chain = there.chain(mount)
            assert row["path"] in [each.path for each in chain]
            ends = {each.kind for each in chain if not each.made_of}
            assert ends <= {DeviceKind.DISK, DeviceKind.LOOP}, chain


@pytest.mark.parametrize("kind", WHOLE)
def test_it_is_saved_as_it_is_and_every_layer_is_shown(kind: str) -> None:
    there = machine(kind)
    again = from_json(to_json(there), Machine, known_version=MACHINE_VERSION, where=kind)
    assert again == there
    shown = [line for row in disk_rows(there) for line in row.holds] + [*loose_lines(there.graph)]
    for device in there.devices:
        if device.kind not in (DeviceKind.OPTICAL, DeviceKind.FLOPPY):
            assert any(words(device) in line for line in shown), device.key


def words(device: Device) -> str:
    called = device.kind in (DeviceKind.VOLUME, DeviceKind.SUBVOLUME, DeviceKind.LOOP)
    return device.name if called else device.path.rpartition("/")[2]
