"""The machines that people described: each is made as it was told, and gets a plan or a reason."""

from pathlib import Path

import pytest

from rescue.model.storage.device import DeviceKind
from rescue.model.storage.machine import MACHINE_VERSION, Machine
from rescue.store.codec import from_json, to_json
from scripts.coverage import answer_for, summary
from tests.layouts.described import Described, described, machine_of

ROOT = Path(__file__).parents[3]
PLANNED = {
    *("L01", "L03", "L05", "L07"),
    *("L09", "L11", "L13", "L15", "L17", "L19", "L21", "L23"),  # data on other disks
    "L25",  # homes on another disk
}
"""Those that get a plan. None may be lost; what is won is added here and in docs/limits.md."""

KIND_OF = {
    "partition": DeviceKind.PARTITION,
    "luks": DeviceKind.CRYPT,
    "lvm": DeviceKind.VOLUME,
    "md": DeviceKind.ARRAY,
}
NAMED_AS = {
    "luks": "encrypted device",
    "lvm": "LVM volume",
    "md": "RAID array",
    "btrfs": "subvolume",
    "zfs": "ZFS pool",
    "disk": "not on a plain partition",
}
"""What a refusal calls a layer by the first word of its name in the facts."""

EVERY = [pytest.param(each, id=each.id) for each in described()]


@pytest.mark.parametrize("told", EVERY)
def test_each_mount_lies_on_the_layers_that_were_told(told: Described) -> None:
    machine = machine_of(told)
    for mount in told.mounts:
        found = machine.mount_at(mount["mount"])
        assert found is not None
        assert found.fstype == mount["fs"]
        if mount["fs"] == "zfs":
            continue
        kinds = {each.kind for each in machine.chain(found)}
        words = {each.split()[0] for each in mount["chain"]}
        told_kinds = {kind for word, kind in KIND_OF.items() if word in words}
        assert told_kinds == kinds & {*KIND_OF.values()}


@pytest.mark.parametrize("told", EVERY)
def test_partitions_lie_on_their_disk_one_behind_the_other(told: Described) -> None:
    for disk in machine_of(told).disks:
        inside = [each for each in disk.partitions if each.kind != "extended"]
        ends = 0
        for part in inside:
            assert part.start >= ends
            ends = part.start + part.length
        assert ends <= disk.sectors


@pytest.mark.parametrize("told", EVERY)
def test_the_machine_comes_back_from_json(told: Described) -> None:
    machine = machine_of(told)
    text = to_json(machine)
    assert from_json(text, Machine, known_version=MACHINE_VERSION, where="a test") == machine


def test_these_machines_get_a_plan() -> None:
    assert {each.id for each in described() if not answer_for(each).refusals} == PLANNED


def test_the_chapter_on_limits_has_the_share_of_today() -> None:
    said = " ".join((ROOT / "docs/limits.md").read_text("utf-8").split())
    assert summary(tuple(answer_for(each) for each in described())) in said


@pytest.mark.parametrize("told", EVERY)
def test_a_refusal_names_what_stands_in_the_way(told: Described) -> None:
    said = answer_for(told).refusals
    if not said:
        return
    if told.architecture != "amd64":
        assert any("not a PC" in each for each in said)
        return
    layers = {word.split()[0] for word in told.root_chain} & {*NAMED_AS}
    assert layers, "nothing that is known stands in the way of this machine"
    assert any(NAMED_AS[layer] in each for layer in layers for each in said), said
