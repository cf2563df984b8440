"""Whatever layers a system lies in: a plan that is made for it is whole, and stays on its disk.

A stack of layers that no plan is made for yet is refused by a sentence; the day it gets one, all
that is below holds for it, too.
"""

import re
from collections.abc import Iterator
from dataclasses import asdict, replace
from functools import cache
from typing import Any

from hypothesis import Phase, assume, find, given, settings
from hypothesis import strategies as st

from rescue.model.finding import Refused
from rescue.model.mirror.plan import PLAN_VERSION, MirrorRequest, Plan, PrepareRequest
from rescue.model.mirror.record import FilesystemPair, MirrorState
from rescue.model.mirror.step import MakeFilesystem, MakeSwap, WipeSignatures, WriteTable
from rescue.model.storage.device import Device, DeviceKind
from rescue.model.storage.disk import PartitionKind, PartitionTable, TableKind
from rescue.model.storage.machine import Machine
from rescue.model.storage.mount import FstabEntry
from rescue.model.storage.partition_type import RAID
from rescue.model.storage.place import InVolume
from rescue.plan.layout.contents import names
from rescue.plan.mirror import plan_mirror
from rescue.plan.prepare import left_to_ask, plan_prepare
from rescue.store.codec import from_json, to_json
from tests.builders import NEW_IDS, with_disk, written
from tests.layouts.drawn import STACKS, TARGET, system_machines

LAYER_WORDS = ("LVM volume", "encrypted device", "RAID array", "subvolume")
VITAL = "no mirror would boot without it"


def asked(machine: Machine) -> PrepareRequest:
    """Return the request of somebody who agrees to leave out what lies on other disks."""
    request = PrepareRequest(target=TARGET, new_ids=NEW_IDS)
    return replace(request, leave_out=tuple(each.what for each in left_to_ask(machine, request)))


@cache
def planned_stacks() -> tuple[tuple[str, ...], ...]:
    """Return the stacks of layers whose simplest system gets a plan."""
    first = settings(max_examples=1, phases=[Phase.generate], database=None)
    simplest = {
        stack: find(system_machines(stacks=(stack,)), lambda _: True, settings=first)
        for stack in STACKS
    }
    return tuple(
        stack
        for stack, machine in simplest.items()
        if isinstance(plan_prepare(machine, asked(machine)), Plan)
    )


PLANNED = st.deferred(lambda: system_machines(stacks=planned_stacks()))


def planned(machine: Machine) -> Plan:
    """Return the plan for a machine; one that gets none is no example."""
    answer = plan_prepare(machine, asked(machine))
    assume(isinstance(answer, Plan))
    assert isinstance(answer, Plan)
    return answer


def system_devices(machine: Machine) -> tuple[Device, ...]:
    """Return everything that the mirrored file systems and swap areas lie on."""
    own = {disk.path for disk in machine.disks if disk.path == _own_disk(machine)}
    chains = [machine.chain(mount) for mount in machine.mounts if mount.is_block]
    chains += [machine.graph.chain(swap.path) for swap in machine.swaps if not swap.is_file]
    mine = (chain for chain in chains if own & {each.key for each in chain})
    return tuple({device.key: device for chain in mine for device in chain}.values())


def _own_disk(machine: Machine) -> str:
    root = machine.mount_at("/")
    assert root is not None
    return next(each.key for each in machine.chain(root) if each.kind is DeviceKind.DISK)


def strings(value: object) -> Iterator[str]:
    """Yield every text in a value, however deep."""
    match value:
        case str():
            yield value
        case dict():
            for each in value.values():
                yield from strings(each)
        case tuple() | list():
            for each in value:
                yield from strings(each)


def step_strings(plan: Plan) -> set[str]:
    return {each for step in plan.steps for each in strings(_as_dict(step))}


def _as_dict(step: Any) -> dict[str, Any]:
    return asdict(step)


def mirror_names(plan: Plan, pair: FilesystemPair) -> set[str]:
    """Return everything that names one of the mirror's file systems, and it alone."""
    label = next(
        step.filesystem.label
        for step in plan.steps
        if isinstance(step, MakeFilesystem) and step.filesystem.uuid == pair.mirror_uuid
    )
    found = {f"UUID={pair.mirror_uuid}", f"/dev/disk/by-uuid/{pair.mirror_uuid}"}
    if pair.mirror_partuuid:
        uuid = pair.mirror_partuuid
        found |= {f"PARTUUID={uuid}", f"/dev/disk/by-partuuid/{uuid}"}
    if label:
        found |= {f"LABEL={label}", f"/dev/disk/by-label/{label}"}
    if isinstance(pair.place, InVolume):
        group, volume = pair.place.group, pair.place.volume
        mapper = f"{group.replace('-', '--')}-{volume.replace('-', '--')}"
        found |= {f"/dev/mapper/{mapper}", f"/dev/{group}/{volume}"}
    return found


def lines(text: str) -> dict[str, str]:
    """Return what an fstab mounts where: the first field by the second."""
    fields = [line.split() for line in text.splitlines() if line.strip()]
    return {target.replace(r"\040", " "): spec for spec, target, *_ in fields}


def test_plain_partitions_are_among_the_stacks_that_get_a_plan() -> None:
    assert ("plain",) in planned_stacks()


@given(system_machines())
def test_a_system_gets_a_plan_or_a_sentence_that_names_its_layer(machine: Machine) -> None:
    answer = plan_prepare(machine, asked(machine))
    if not isinstance(answer, Refused):
        return
    assert answer.findings
    reasons = [each.reason for each in answer.findings]
    assert len(reasons) == len(set(reasons))
    assert all(each.hint for each in answer.findings)
    assert any(word in each for each in reasons for word in (*LAYER_WORDS, VITAL)), reasons


@given(system_machines(stacks=(("plain",),)))
def test_a_system_on_plain_partitions_gets_a_plan(machine: Machine) -> None:
    answer = plan_prepare(machine, asked(machine))
    assert isinstance(answer, Plan), [each.reason for each in answer.findings]


@given(PLANNED)
def test_planned_twice_is_planned_once_and_json_keeps_the_plan(machine: Machine) -> None:
    plan = planned(machine)
    assert plan_prepare(machine, asked(machine)) == plan
    text = to_json(plan)
    assert from_json(text, Plan, known_version=PLAN_VERSION, where="a test") == plan


@given(PLANNED)
def test_partitions_start_where_the_source_has_them_and_none_overlap(machine: Machine) -> None:
    plan = planned(machine)
    (table,) = (step.table for step in plan.steps if isinstance(step, WriteTable))
    source = machine.root_disk
    assert source is not None
    ours = [(each.number, each.start, each.length) for each in table.partitions]
    assert ours == [(each.number, each.start, each.length) for each in source.partitions]
    for mine, theirs in zip(table.partitions, source.partitions, strict=True):
        assert mine.type not in (RAID, "fd")
        assert mine.type == theirs.type or theirs.type in (RAID, "fd")
    target = next(disk for disk in machine.disks if disk.path == TARGET)
    assert target.logical_sector == source.logical_sector
    _check_room(table, target.sectors, source.logical_sector)


def _check_room(table: PartitionTable, sectors: int, sector: int) -> None:
    """Check that the partitions lie one behind the other, and leave a GPT its two copies."""
    copy = table.entry_sectors(logical_sector=sector) if table.kind is TableKind.GPT else 0
    spans = sorted(
        (each.start, each.start + each.length)
        for each in table.partitions
        if each.kind is not PartitionKind.EXTENDED
    )
    ends = [2 + copy if copy else 1, *(end for _, end in spans)]
    assert all(start >= end for (start, _), end in zip(spans, ends, strict=False))
    assert ends[-1] <= sectors - (copy + 1 if copy else 0)


@given(PLANNED)
def test_every_line_of_fstab_names_the_mirrors_own_file_system(machine: Machine) -> None:
    plan = planned(machine)
    ids = plan.record.identifiers
    mine = lines(ids.translate_fstab(machine.fstab_text))
    target = next(disk for disk in machine.disks if disk.path == TARGET)
    by_id = {f"/dev/disk/by-id/{name}-part" for name in target.id.by_id}
    for pair in plan.record.filesystems:
        line = next((each for each in machine.fstab if each.target == pair.mount_point), None)
        if line is None:
            continue
        named = mine[pair.mount_point]
        assert named in mirror_names(plan, pair) or any(map(named.startswith, by_id)), named
    for left in plan.record.left_out:
        assert mine.get(left) in (None, *(each.spec for each in _lines_of(machine, left)))


def _lines_of(machine: Machine, target: str) -> list[FstabEntry]:
    return [each for each in machine.fstab if each.target == target]


@given(PLANNED)
def test_every_mounted_file_system_of_the_system_has_its_pair(machine: Machine) -> None:
    plan = planned(machine)
    own = _own_disk(machine)
    mounted = {
        mount.target
        for mount in machine.mounts
        if mount.is_block and own in {each.key for each in machine.chain(mount)}
    }
    assert {pair.mount_point for pair in plan.record.filesystems} == mounted
    made = [step.filesystem.uuid for step in plan.steps if isinstance(step, MakeFilesystem)]
    assert len(made) == len(set(made))
    assert {pair.mirror_uuid for pair in plan.record.filesystems} <= set(made)


@given(PLANNED)
def test_no_identifier_of_the_source_remains_in_what_a_boot_reads(machine: Machine) -> None:
    plan = planned(machine)
    ids = plan.record.identifiers
    made = step_strings(plan)
    for device in system_devices(machine):
        held, label = names(device.content)
        words = {f"UUID={held}" if held else "", f'LABEL="{label}"' if label else ""}
        words |= {device.path, *device.links}
        partuuid = _partuuid(machine, device)
        words |= {f"PARTUUID={partuuid}"} if partuuid else set()
        for word in filter(None, words):
            # A mapping may keep its name; all else is the source's alone.
            if word.rpartition("/")[2] in made and device.kind is DeviceKind.CRYPT:
                continue
            text = f"linux /vmlinuz root={word} ro\n"
            after = ids.translate(text)
            assert ids.find_old(after) == ()
            bare = word.partition("=")[2].strip('"') or word
            assert not re.search(rf"(?<![\w-]){re.escape(bare)}(?![\w-])", after), (word, after)


def _partuuid(machine: Machine, device: Device) -> str:
    found = machine.holder_of(device.path)
    return found[1].uuid if found is not None else ""


@given(PLANNED)
def test_no_step_names_a_device_of_the_source(machine: Machine) -> None:
    plan = planned(machine)
    assert plan.target_path == TARGET
    assert plan.record.mirror.id == next(d.id for d in machine.disks if d.path == TARGET)
    theirs = {
        word
        for device in machine.graph.devices
        if device.path != TARGET
        for word in (device.path, *device.links, names(device.content)[0])
    }
    theirs |= {part.uuid for disk in machine.disks for part in disk.partitions}
    theirs |= {disk.id.serial for disk in machine.disks if disk.path != TARGET}
    assert not step_strings(plan) & (theirs - {""})


@given(PLANNED)
def test_the_next_run_makes_nothing_anew(machine: Machine) -> None:
    plan = planned(machine)
    target = next(disk for disk in machine.disks if disk.path == TARGET)
    mirror = replace(target, table=written(plan, TARGET).table)
    record = replace(plan.record, state=MirrorState.COMPLETE, generation=1, last_complete=1.0)
    again = plan_mirror(with_disk(machine, mirror), record, record, MirrorRequest())
    assert isinstance(again, Plan), [each.reason for each in again.findings]
    assert again.target_path == TARGET
    made = WriteTable | WipeSignatures | MakeFilesystem | MakeSwap
    assert not [step for step in again.steps if isinstance(step, made)]
    assert again.record.identifiers == record.identifiers
    assert from_json(to_json(again), Plan, known_version=PLAN_VERSION, where="a test") == again
