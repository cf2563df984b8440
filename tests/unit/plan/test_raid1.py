"""A server on RAID 1: one of its disks stands for all, and the mirror is a plain disk."""

from dataclasses import replace

import pytest

from rescue.errors import ExitCode
from rescue.model.boot.firmware import Firmware
from rescue.model.finding import Refused
from rescue.model.mirror.plan import MirrorRequest, Plan, PrepareRequest
from rescue.model.mirror.record import MirrorRecord, MirrorState
from rescue.model.mirror.step import WriteTable
from rescue.model.storage.array import Array, ArrayMember
from rescue.model.storage.disk import TableKind
from rescue.model.storage.filesystem import SwapArea
from rescue.model.storage.machine import Machine
from rescue.model.storage.partition_type import BIOS_BOOT, LINUX, RAID, SWAP
from rescue.plan import mirror, prepare
from rescue.plan.layout.raid import unseen_refusals
from rescue.plan.mirror import plan_mirror
from rescue.plan.prepare import plan_prepare
from tests.builders import NEW_IDS, bare_disk, with_disk, written
from tests.layouts.assembly import Assembly


@pytest.fixture(autouse=True)
def _seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let such a server be planned, as once a mirror of one was seen to start."""
    for plan in (prepare, mirror):
        monkeypatch.setattr(plan, "unseen_refusals", lambda machine: [])


FIRST, SECOND, TARGET = "/dev/sda", "/dev/sdb", "/dev/sdz"


def raid1(*, level: str = "raid1", firmware: Firmware = Firmware.BIOS) -> Machine:
    """Return a server with /boot, / and swap on arrays over two disks, and a bare disk."""
    made = Assembly()
    disks = [made.disk(TableKind.GPT) for _ in range(2)]
    for disk in disks:
        made.partition(disk, 1, type_=BIOS_BOOT)

    def array(mib: int) -> str:
        return made.array(level, *(made.partition(disk, mib, type_=RAID) for disk in disks))

    boot, root, swap = array(512), array(2048), array(256)
    made.mount(root, "/", "ext4", spec=made.file_system(root, "ext4"))
    made.mount(boot, "/boot", "ext4", spec="/dev/md0")
    made.file_system(boot, "ext4")
    made.swap(swap, spec="/dev/disk/by-id/md-name-server:2")
    machine = made.machine(firmware)
    target = bare_disk(TARGET, "TARGET01", max(disk.size for disk in machine.disks))
    return replace(machine, disks=(*machine.disks, target))


def prepared(machine: Machine) -> Plan:
    answer = plan_prepare(machine, PrepareRequest(target=TARGET, new_ids=NEW_IDS))
    assert isinstance(answer, Plan), answer.findings
    return answer


def complete(machine: Machine) -> tuple[Machine, MirrorRecord]:
    """Return the server with a mirror that was just made, and its record."""
    plan = prepared(machine)
    record = replace(plan.record, state=MirrorState.COMPLETE, generation=1, last_complete=1.0)
    target = next(disk for disk in machine.disks if disk.path == TARGET)
    return with_disk(machine, replace(target, table=written(plan, TARGET).table)), record


def changed(machine: Machine, path: str, array: Array, *made_of: str) -> Machine:
    """Return the machine with another state of an array."""
    devices = tuple(
        replace(each, array=array, made_of=made_of) if each.path == path else each
        for each in machine.devices
    )
    return replace(machine, devices=devices)


def without(machine: Machine, disk: str) -> Machine:
    """Return the machine whose disk is gone, and with it its members of every array."""
    for each in machine.devices:
        if each.array is not None:
            left = tuple(member for member in each.array.members if disk not in member.key)
            array = replace(each.array, missing=1, members=left)
            machine = changed(machine, each.path, array, *(member.key for member in left))
    return replace(machine, disks=tuple(each for each in machine.disks if each.path != disk))


def run(machine: Machine, record: MirrorRecord) -> Plan:
    answer = plan_mirror(machine, record, record, MirrorRequest())
    assert isinstance(answer, Plan), answer.findings
    return answer


def test_each_array_becomes_a_plain_partition_and_the_plan_says_why() -> None:
    plan = prepared(raid1())
    (table,) = (step.table for step in plan.steps if isinstance(step, WriteTable))
    assert [part.type for part in table.partitions] == [BIOS_BOOT, LINUX, LINUX, SWAP]
    assert not any("raid" in part.flags or part.array for part in table.partitions)
    assert any("RAID 1, a plain partition each on the mirror" in note for note in plan.notes)
    assert any("degraded for ever" in note for note in plan.notes)


def test_one_disk_stands_for_both_and_both_are_recorded() -> None:
    machine = raid1()
    own = machine.root_disk
    assert own is not None
    assert (own.path, [twin.path for twin in machine.twin_disks]) == (FIRST, [SECOND])
    assert [part.path for part in own.partitions[1:]] == ["/dev/md0", "/dev/md1", "/dev/md2"]
    assert isinstance(own.partitions[3].content, SwapArea)
    record = prepared(machine).record
    assert [each.id.serial for each in record.sources] == ["SRC0000", "SRC0001"]
    assert len(record.identifiers.arrays) == 3


@pytest.mark.parametrize("disk", [FIRST, SECOND])
def test_no_member_s_disk_is_ever_the_target(disk: str) -> None:
    answer = plan_prepare(raid1(), PrepareRequest(target=disk, new_ids=NEW_IDS))
    assert isinstance(answer, Refused)
    assert answer.findings[0].code is ExitCode.REFUSED
    given_up = PrepareRequest(target=disk, new_ids=NEW_IDS, give_up_content_of="SRC0001")
    assert isinstance(plan_prepare(raid1(), given_up), Refused)


def test_what_names_either_disk_names_the_mirror() -> None:
    machine = raid1()
    ids = prepared(machine).record.identifiers
    for disk in machine.disks[:2]:
        for word in (disk.path, *(f"/dev/disk/by-id/{name}" for name in disk.id.by_id)):
            assert ids.translate(word) == "/dev/disk/by-id/virtio-TARGET01", word
        for part in disk.partitions:
            assert part.uuid not in ids.translate(f"PARTUUID={part.uuid}")


@pytest.mark.parametrize("gone", [FIRST, SECOND])
def test_when_a_member_has_died_the_runs_go_on_and_say_so(gone: str) -> None:
    machine, record = complete(raid1())
    plan = run(without(machine, gone), record)
    assert any("is not there" in note for note in plan.notes)
    assert any("(1 of 2 members missing): a mirror is wanted" in n for n in plan.notes)
    assert {each.table_uuid for each in plan.record.sources} == {
        each.table_uuid for each in record.sources
    }
    # And when it is back, or another night passes, nothing has been forgotten.
    again = run(machine, plan.record)
    assert {each.table_uuid for each in again.record.sources} == {
        each.table_uuid for each in record.sources
    }
    assert set(plan.record.identifiers.arrays) == set(record.identifiers.arrays)


def test_an_array_that_is_copied_onto_a_new_member_is_no_reason_against_a_mirror() -> None:
    machine = raid1()
    members = (ArrayMember(key="/dev/sda3"), ArrayMember(key="/dev/sdb3", state="spare"))
    known = machine.graph.at("/dev/md1")
    assert known is not None
    assert known.array is not None
    state = replace(known.array, missing=1, action="recover", members=members)
    plan = prepared(changed(machine, "/dev/md1", state, "/dev/sda3", "/dev/sdb3"))
    assert any("/dev/md1 (1 of 2 members missing, recover)" in note for note in plan.notes)


@pytest.mark.parametrize("level", ["raid0", "raid5", "raid10", "linear"])
def test_other_levels_are_refused_by_name(level: str) -> None:
    answer = plan_prepare(raid1(level=level), PrepareRequest(target=TARGET, new_ids=NEW_IDS))
    assert isinstance(answer, Refused)
    assert any("RAID array" in each.reason for each in answer.findings)


def test_a_firmware_s_raid_is_refused() -> None:
    machine = raid1()
    for each in machine.devices:
        if each.array is not None:
            array = replace(each.array, metadata="external:imsm")
            machine = changed(machine, each.path, array, *each.made_of)
    assert isinstance(
        plan_prepare(machine, PrepareRequest(target=TARGET, new_ids=NEW_IDS)), Refused
    )


def test_until_a_mirror_of_one_was_seen_to_start_it_is_refused_by_a_sentence() -> None:
    (refusal,) = unseen_refusals(raid1())
    assert "RAID array /dev/md0, /dev/md1, /dev/md2" in refusal.reason
    assert refusal.code is ExitCode.UNSUPPORTED
