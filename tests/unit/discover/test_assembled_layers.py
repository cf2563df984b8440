"""Layers that tests put together have the shape that was recorded of real ones."""

from rescue.model.boot.firmware import Firmware
from rescue.model.storage.machine import MACHINE_VERSION, Machine
from rescue.store.codec import from_json
from tests.lab.machines import RECORDED
from tests.layouts.assembly import Assembly

Shape = dict[str, tuple[str, str, tuple[str, ...]]]
BIOS = Firmware.BIOS


def shape(kind: str, group: str) -> Shape:
    """Return name, detail and what is below of a group's devices, as a machine recorded them."""
    text = (RECORDED / f"{kind}.json").read_text("utf-8")
    machine = from_json(text, Machine, known_version=MACHINE_VERSION, where=kind)
    return shape_of(machine, group)


def shape_of(machine: Machine, group: str) -> Shape:
    return {
        each.key: (each.name, each.detail, each.made_of)
        for each in machine.devices
        if each.name.startswith(f"{group}/") and "twice" not in each.name
    }


def on(disk: str, recorded: Shape) -> Shape:
    """Return a shape with that disk below it in place of the recorded one."""
    return {
        key: (name, detail, tuple(disk if each == "/dev/vdb" else each for each in below))
        for key, (name, detail, below) in recorded.items()
    }


def test_a_snapshot() -> None:
    made = Assembly()
    disk = made.disk(mib=1024)
    made.snapshot(made.volume("vg0", "data", 100, *made.physical(disk)), "before", 32)
    assert shape_of(made.machine(BIOS), "vg0") == on(disk, shape("lvm-snapshot", "vg0"))


def test_a_thin_pool() -> None:
    made = Assembly()
    disk = made.disk(mib=1024)
    pool = made.thin_pool("vg0", "pool", 400, *made.physical(disk))
    made.volume("vg0", "data", 2048, pool)
    recorded = shape("thin-pool", "vg0")
    seen = shape_of(made.machine(BIOS), "vg0")
    assert seen == {key: value for key, value in on(disk, recorded).items() if key in seen}
    assert set(recorded) - set(seen) <= {"/dev/mapper/vg0-before"}
