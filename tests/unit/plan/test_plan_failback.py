"""From the mirror to a new first disk: what is refused, what is planned, and the way home."""

from dataclasses import replace

import pytest

from rescue.apply.handover import turned
from rescue.errors import ExitCode
from rescue.model.finding import Refusal
from rescue.model.mirror.plan import FailbackRequest, MirrorRequest, Plan, PlanKind
from rescue.model.mirror.record import Handover, MirrorState
from rescue.model.mirror.role import Role
from rescue.model.mirror.step import (
    MakeFilesystem,
    PruneTree,
    SyncTree,
    WipeSignatures,
    WriteBootFiles,
    WriteTable,
)
from rescue.model.mirror.step_title import title
from rescue.model.storage.disk import Disk, PartitionTable, TableKind, Use, UseKind
from rescue.model.storage.identity import DiskId
from rescue.model.storage.layer import Nothing
from rescue.model.storage.machine import Machine
from rescue.plan.checks.target_checks import machine_refusals
from rescue.plan.failback import plan_failback
from rescue.plan.mirror import plan_mirror
from rescue.units import Bytes
from tests.builders import (
    NEW_IDS,
    SIZE,
    Enrolled,
    bare_disk,
    enrolled,
    on_mirror,
    refused,
    server,
    started_from,
    unplugged,
    with_disk,
    with_partition,
    written,
)

# Other ones than prepare was given: no identifier may be met twice.
DRAWN = tuple(f"{each[:4]}beef{each[8:]}" for each in NEW_IDS)


def asked(
    target: str = "NEW0001", *, give_up: str = "", others: tuple[str, ...] = ()
) -> FailbackRequest:
    return FailbackRequest(
        target=target, new_ids=DRAWN, give_up_content_of=give_up, enrolled=("MIR0001", *others)
    )


def planned(machine: Machine, request: FailbackRequest | None = None) -> Plan:
    answer = plan_failback(machine, request or asked())
    assert isinstance(answer, Plan), answer
    return answer


def reasons(machine: Machine, request: FailbackRequest | None = None) -> tuple[Refusal, ...]:
    found = refused(plan_failback(machine, request or asked()))
    assert all(each.hint for each in found)
    return found


def old_source(kind: TableKind = TableKind.GPT) -> Disk:
    """The dead disk, attached behind the mirror."""
    return unplugged(server(kind).disks[0], "/dev/vdc")


def handed_over(machine: Machine) -> Machine:
    """Return the machine after the failback, still running from its mirror."""
    plan = planned(machine)
    generation = (machine.running_mirror or plan.record).generation + 1
    record = replace(plan.record, state=MirrorState.COMPLETE, generation=generation)
    new = written(plan, "/dev/vdb")
    return replace(
        with_disk(machine, new),
        running_mirror=turned(record),
        handover=Handover(record=record, boot_id=machine.boot.boot_id, at=1.0),
    )


def home(kind: TableKind = TableKind.GPT) -> Enrolled:
    """The machine after it started from the new disk, the old mirror attached."""
    machine = handed_over(on_mirror(kind))
    assert machine.running_mirror is not None
    old_mirror = unplugged(machine.disks[0], "/dev/vdb")
    started = started_from(server(kind), machine.disks[1], old_mirror)
    return Enrolled(machine=started, record=machine.running_mirror)


# --- the plan


@pytest.mark.parametrize("kind", list(TableKind))
def test_a_new_disk_is_made_from_the_running_mirror(kind: TableKind) -> None:
    machine = on_mirror(kind)
    plan = planned(machine)
    mirror = machine.disks[0]

    assert plan.kind is PlanKind.FAILBACK
    assert plan.target_path == "/dev/vdb"
    assert isinstance(plan.steps[0], WipeSignatures)
    assert plan.record.source.id == mirror.id
    assert mirror.table is not None
    assert plan.record.source.table_uuid == mirror.table.uuid
    assert plan.record.mirror.id.serial == "NEW0001"
    assert plan.record.name == "MIR0001"
    assert plan.record.generation == 3
    table = next(step.table for step in plan.steps if isinstance(step, WriteTable))
    assert [(p.number, p.start, p.length) for p in table.partitions] == [
        (p.number, p.start, p.length) for p in mirror.partitions
    ]


def test_the_new_disk_gets_identifiers_of_its_own() -> None:
    machine = on_mirror(TableKind.GPT, bare_disk("/dev/vdb", "NEW0001"), old_source())
    taken = {part.uuid for disk in machine.disks for part in disk.partitions}
    taken |= {part.content.uuid for disk in machine.disks for part in disk.partitions
              if not isinstance(part.content, Nothing)}  # fmt: skip
    plan = planned(machine)
    for step in plan.steps:
        if isinstance(step, WriteTable):
            assert not taken & {part.uuid for part in step.table.partitions}
        if isinstance(step, MakeFilesystem):
            assert step.filesystem.uuid not in taken


def test_a_first_disk_gets_none_of_the_files_of_a_mirror() -> None:
    steps = [step for step in planned(on_mirror()).steps if isinstance(step, WriteBootFiles)]
    assert len(steps) == 2
    assert {step.role for step in steps} == {Role.SOURCE}
    assert all("the new disk's identifiers" in title(step) for step in steps)


def test_what_is_written_later_and_which_mirrors_are_stale_is_said() -> None:
    notes = "\n".join(planned(on_mirror(), asked(others=("CELLAR",))).notes)
    assert "mirror 'CELLAR' was made from the old first disk" in notes
    assert "mirror 'MIR0001'" not in notes
    assert "Stop the services, run the same command once more, then power off" in notes


# --- refusals


def test_on_its_first_disk_a_machine_has_nothing_to_bring_home() -> None:
    (found,) = reasons(server(), asked("MIR0001"))
    assert found.code is ExitCode.REFUSED
    assert "does not run from a mirror" in found.reason


def test_it_needs_root() -> None:
    assert reasons(replace(on_mirror(), is_root=False))[0].code is ExitCode.USAGE


@pytest.mark.parametrize("named", ["/dev/vda", "MIR0001", "virtio-MIR0001"])
@pytest.mark.parametrize("give_up", ["", "MIR0001"])
def test_the_running_mirror_is_never_the_target(named: str, give_up: str) -> None:
    found = reasons(on_mirror(), asked(named, give_up=give_up))
    assert found[0].code is ExitCode.REFUSED
    assert any("is the disk this machine runs from" in each.reason for each in found)


def test_the_dead_disk_may_hold_what_is_newest() -> None:
    machine = on_mirror(TableKind.GPT, old_source())
    said = [each.reason for each in reasons(machine, asked("SRC0001"))]
    assert "may hold newer data that has not been brought back yet" in said[0]
    assert any("is not empty" in each for each in said)

    plan = planned(machine, asked("SRC0001", give_up="SRC0001"))
    assert (
        "may hold newer data that has not been brought back yet: it will be lost" in plan.loses[0]
    )
    assert len(plan.loses) > 1


def test_the_dead_disk_is_known_behind_another_adapter() -> None:
    seen = replace(old_source(), id=DiskId(serial="ADAPTER1"))
    found = reasons(on_mirror(TableKind.GPT, seen), asked("ADAPTER1"))
    assert "normally runs from" in found[0].reason


def test_the_dead_disk_is_known_by_one_file_system_in_a_new_table() -> None:
    dead = old_source()
    assert dead.table is not None
    home_part = replace(dead.partitions[4], number=1, uuid="00000000-1111-4000-8000-000000000000")
    table = PartitionTable(kind=TableKind.GPT, uuid="made-anew", partitions=(home_part,))
    seen = replace(dead, id=DiskId(serial="ADAPTER1"), table=table)
    found = reasons(on_mirror(TableKind.GPT, seen), asked("ADAPTER1"))
    assert "normally runs from" in found[0].reason


def test_the_old_disk_that_looks_empty_may_only_have_lost_its_table() -> None:
    machine = on_mirror(TableKind.GPT, bare_disk("/dev/vdb", "SRC0001"))
    (found,) = reasons(machine, asked("SRC0001"))
    assert "though it looks empty" in found.reason
    plan = planned(machine, asked("SRC0001", give_up="SRC0001"))
    assert len(plan.loses) == 1


def test_a_mirror_whose_last_run_was_cut_is_said() -> None:
    machine = on_mirror()
    assert machine.running_mirror is not None
    cut = replace(machine.running_mirror, state=MirrorState.RUNNING)
    notes = planned(replace(machine, running_mirror=cut)).notes
    assert any("did not finish" in note for note in notes)
    assert not any("did not finish" in note for note in planned(machine).notes)


def test_a_disk_that_holds_anything_is_given_up_by_its_own_name_only() -> None:
    stranger = replace(old_source(), id=DiskId(serial="OTHER01"))
    parts = tuple(
        replace(each, uuid=f"0ther-{each.number}", content=Nothing())
        for each in stranger.partitions
    )
    assert stranger.table is not None
    stranger = replace(
        stranger, table=replace(stranger.table, uuid="0ther", partitions=parts), path="/dev/vdd"
    )
    machine = on_mirror(TableKind.GPT, stranger)
    (found,) = reasons(machine, asked("OTHER01", give_up="MIR0001"))
    assert "is not empty" in found.reason
    assert planned(machine, asked("OTHER01", give_up="OTHER01")).loses


def test_size_sector_and_use_are_those_of_prepare() -> None:
    small = bare_disk("/dev/vdb", "NEW0001", Bytes(SIZE // 2))
    assert "too small" in reasons(on_mirror(TableKind.GPT, small))[0].reason
    wide = replace(bare_disk("/dev/vdb", "NEW0001"), logical_sector=4096)
    assert "logical sectors" in reasons(on_mirror(TableKind.GPT, wide))[0].reason
    used = replace(
        bare_disk("/dev/vdb", "NEW0001"), uses=(Use(kind=UseKind.MOUNTED, where="/mnt"),)
    )
    assert "mounted on /mnt" in reasons(on_mirror(TableKind.GPT, used))[0].reason
    nameless = bare_disk("/dev/vdb", "")
    found = reasons(on_mirror(TableKind.GPT, nameless), asked("/dev/vdb"))
    assert "neither a serial number" in found[0].reason


def test_a_file_system_that_is_not_mounted_on_the_mirror_stops_it() -> None:
    machine = on_mirror()
    gone = replace(machine, mounts=tuple(m for m in machine.mounts if m.target != "/home"))
    assert any("/home" in each.reason for each in reasons(gone))


def test_a_copied_marker_makes_no_mirror() -> None:
    machine = on_mirror()
    assert machine.running_mirror is not None
    other = replace(machine.running_mirror.mirror, table_uuid="another")
    copied = replace(machine, running_mirror=replace(machine.running_mirror, mirror=other))
    (found,) = reasons(copied)
    assert "/.rescue/mirror.json is of disk MIR0001" in found.reason


def test_the_mirror_may_show_another_serial_in_another_adapter() -> None:
    machine = on_mirror()
    moved = replace(machine.disks[0], id=DiskId(serial="ADAPTER2"))
    plan = planned(with_disk(machine, moved))
    assert plan.record.source.id.serial == "ADAPTER2"


# --- once more


def test_in_the_same_session_the_new_disk_is_brought_up_to_date() -> None:
    plan = planned(handed_over(on_mirror()))
    assert plan.record.partial == f".rescue~{asked().new_ids[0]}"
    assert plan.kind is PlanKind.FAILBACK
    assert plan.loses == ()
    assert not [
        s for s in plan.steps if isinstance(s, WipeSignatures | WriteTable | MakeFilesystem)
    ]
    assert [s.mount_point for s in plan.steps if isinstance(s, PruneTree)]
    assert not any(step.first for step in plan.steps if isinstance(step, SyncTree))
    assert {s.role for s in plan.steps if isinstance(s, WriteBootFiles)} == {Role.SOURCE}
    assert plan.record.mirror.id.serial == "NEW0001"


def test_in_another_session_the_new_disk_may_have_run_by_itself() -> None:
    machine = handed_over(on_mirror())
    later = replace(machine, boot=replace(machine.boot, boot_id="another-session"))
    said = [each.reason for each in reasons(later)]
    assert "normally runs from: it may hold newer data" in said[0]
    assert planned(later, asked(give_up="NEW0001")).loses


def test_without_a_boot_id_no_session_is_the_same() -> None:
    machine = on_mirror()
    machine = handed_over(replace(machine, boot=replace(machine.boot, boot_id="")))
    assert "newer data" in reasons(machine)[0].reason


def test_it_can_be_made_from_nothing_once_more() -> None:
    plan = planned(handed_over(on_mirror()), asked(give_up="NEW0001"))
    assert isinstance(plan.steps[0], WipeSignatures)


def test_a_new_disk_that_was_changed_since_is_not_brought_up_to_date() -> None:
    machine = handed_over(on_mirror())
    home_part = machine.disks[1].partitions[4]
    empty = with_partition(machine.disks[1], replace(home_part, content=Nothing()))
    (found,) = reasons(with_disk(machine, empty))
    assert "no longer holds ext4" in found.reason
    assert "--erase NEW0001" in found.hint


def test_what_went_from_the_mirror_is_not_deleted_on_the_new_disk() -> None:
    machine = handed_over(on_mirror())
    gone = replace(machine, mounts=tuple(m for m in machine.mounts if m.target != "/home"))
    assert any(each.code is ExitCode.DRIFTED for each in reasons(gone))


def test_the_next_generation_follows_each_time() -> None:
    once = handed_over(on_mirror())
    assert once.running_mirror is not None
    assert once.running_mirror.generation == 4


# --- home again


@pytest.mark.parametrize("kind", list(TableKind))
def test_the_next_run_goes_from_the_new_disk_to_the_old_mirror(kind: TableKind) -> None:
    there = home(kind)
    answer = plan_mirror(there.machine, there.record, there.record, MirrorRequest())
    assert isinstance(answer, Plan), answer
    assert answer.kind is PlanKind.MIRROR
    assert answer.target_path == "/dev/vdb"
    assert answer.record.source.id.serial == "NEW0001"
    assert answer.record.mirror.id.serial == "MIR0001"


def test_its_grub_and_initramfs_are_made_anew() -> None:
    record = home().record
    assert record.grub_digest == ""
    assert record.initramfs_digests == ()


def test_a_mirror_that_was_started_again_is_not_overwritten() -> None:
    there = home()
    answer = plan_mirror(
        there.machine, there.record, there.record, MirrorRequest(), boots=("2026-11-24T10:00:00Z",)
    )
    assert "was booted" in refused(answer)[0].reason


def test_the_mirror_with_its_marker_of_before_is_refused() -> None:
    there = home()
    answer = plan_mirror(there.machine, there.record, enrolled().record, MirrorRequest())
    assert any("of another disk" in each.reason for each in refused(answer))


def test_from_the_old_first_disk_nothing_is_mirrored_any_more() -> None:
    """The dead disk lives again and is started: its record is older than the mirror's marker."""
    there = home()
    old = enrolled()
    mirror = there.machine.disks[1]
    machine = with_disk(old.machine, mirror)
    answer = plan_mirror(machine, old.record, there.record, MirrorRequest())
    assert refused(answer)[0].code is ExitCode.REFUSED


def test_a_damaged_marker_of_the_running_mirror_is_said_and_stops_nothing() -> None:
    said = "/.rescue/mirror.json is not a state file of rescue: its second copy counts"
    machine = replace(on_mirror(), damage=(said,))
    plan = plan_failback(machine, asked("NEW0001"))
    assert isinstance(plan, Plan)
    assert plan.notes[0] == said


def test_a_mirror_that_cannot_be_told_is_refused_by_name_and_with_a_way() -> None:
    damage = ("/.rescue/mirror.json is not a state file of rescue",)
    machine = replace(on_mirror(), running_mirror=None, damage=damage)
    refusal = refused(plan_failback(machine, asked("NEW0001")))[0]
    assert damage[0] in refusal.reason
    assert "copy /var/lib/rescue/mirrors/NAME.json" in refusal.hint
    (again,) = machine_refusals(machine)
    assert (again.code, damage[0] in again.reason) == (ExitCode.REFUSED, True)
