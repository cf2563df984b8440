"""The graph of devices: nothing is made of itself, and every chain ends in disks."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from rescue.model.mirror.elsewhere import stack_of
from rescue.model.storage.device import Device, DeviceKind
from rescue.model.storage.graph import Graph
from rescue.model.storage.machine import MACHINE_VERSION, Machine
from rescue.store.codec import from_json, to_json
from tests.builders import prepared, request
from tests.layers import layered_machines

NAMED = 5
"""Of more, a note names only the first."""

KEYS = st.sampled_from("abcdef")


@given(layered_machines())
def test_no_device_is_made_of_itself_and_all_have_one_key(machine: Machine) -> None:
    graph = machine.graph
    assert len({device.key for device in graph.devices}) == len(graph.devices)
    for device in graph.devices:
        assert device not in graph.over(device)
        assert device.key not in {each.key for each in graph.chain(*device.made_of)}


@given(layered_machines())
def test_what_is_below_is_what_the_other_is_over(machine: Machine) -> None:
    graph = machine.graph
    below = {(top.key, each.key) for top in graph.devices for each in graph.chain(*top.made_of)}
    over = {(each.key, low.key) for low in graph.devices for each in graph.over(low)}
    assert below == over


@given(layered_machines())
def test_the_chain_of_a_mount_goes_from_it_down_to_its_disks(machine: Machine) -> None:
    for mount in machine.mounts:
        chain = machine.chain(mount)
        if not mount.is_block:
            assert chain == ()
            continue
        assert mount.device in (chain[0].key, *chain[0].made_of)
        ends = [device for device in chain if not device.made_of]
        assert ends
        assert all(device.kind is DeviceKind.DISK for device in ends)
        assert {device.path for device in ends} == set(stack_of(machine, mount).disks)
        whole = machine.graph.chain(mount.device)
        assert set(whole) <= set(chain)


@given(layered_machines())
def test_a_machine_with_layers_comes_back_from_json(machine: Machine) -> None:
    text = to_json(machine)
    assert from_json(text, Machine, known_version=MACHINE_VERSION, where="a test") == machine


@given(layered_machines())
def test_layers_on_other_disks_stand_in_no_mirror_s_way(machine: Machine) -> None:
    points = tuple(mount.target for mount in machine.mounts if mount.target.startswith("/srv/"))
    plan = prepared(machine, request(leave_out=points))
    whole = "\n".join((*plan.notes, *plan.loses))
    for mount in machine.mounts:
        if mount.target in points and len(points) <= NAMED:
            assert mount.target in whole
    assert {pair.mount_point for pair in plan.record.filesystems}.isdisjoint(points)
    assert set(plan.record.left_out) <= set(points)


@given(layered_machines(), st.data())
def test_a_subvolume_is_what_its_folders_are_mounted_from(
    machine: Machine, data: st.DataObject
) -> None:
    found = [each for each in machine.devices if each.kind is DeviceKind.SUBVOLUME]
    if not found:
        return
    subvolume = data.draw(st.sampled_from(found))
    mount = next(m for m in machine.mounts if m.root == f"/{subvolume.name}")
    assert machine.chain(replace(mount, root=f"{mount.root}/anna"))[0] == subvolume
    assert machine.chain(replace(mount, root=f"{mount.root}anna"))[0] != subvolume


@given(st.dictionaries(KEYS, st.lists(KEYS, max_size=3)))
def test_a_graph_that_cannot_be_ends_all_the_same(made_of: dict[str, list[str]]) -> None:
    """A saved machine may be anybody's: one device may name itself, and ones that are not there."""
    graph = Graph(
        tuple(
            Device(key=key, kind=DeviceKind.OTHER, made_of=tuple(below))
            for key, below in made_of.items()
        )
    )
    for device in graph.devices:
        chain = graph.chain(device.key)
        assert len(set(chain)) == len(chain) <= len(made_of)
        assert len(graph.over(device)) <= len(made_of)
