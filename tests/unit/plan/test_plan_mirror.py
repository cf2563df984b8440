"""The guard of the nightly run: right source, right mirror, right direction, nothing missing."""

from dataclasses import replace

import pytest

from rescue.errors import ExitCode
from rescue.model.finding import Refusal, Refused
from rescue.model.mirror.differences import Differences
from rescue.model.mirror.plan import MirrorRequest, Plan
from rescue.model.mirror.record import MirrorRecord, MirrorState
from rescue.model.mirror.role import Role
from rescue.model.mirror.step import (
    CarryFlags,
    InstallGrub,
    MakeFilesystem,
    PruneTree,
    SyncTree,
    TakeContent,
    WipeSignatures,
    WriteBootFiles,
)
from rescue.model.run.hook import Hook, HookKind, HookWhen
from rescue.model.storage.disk import TableKind, Use, UseKind
from rescue.model.storage.disk_health import DiskHealth, SmartState, SmartVerdict
from rescue.model.storage.filesystem import FsKind
from rescue.model.storage.identity import DiskId
from rescue.model.storage.layer import Nothing
from rescue.model.storage.machine import Machine
from rescue.model.storage.mount import FstabEntry, Mount, Swap
from rescue.model.storage.place import number_of
from rescue.plan.mirror import plan_mirror, with_differences
from tests.builders import (
    Enrolled,
    bare_disk,
    enrolled,
    ext4,
    layered,
    part,
    prepared,
    refused,
    request,
    server,
    unplugged,
    uuid,
    volume,
    with_disk,
    with_partition,
)

NORMAL = MirrorRequest()


def run(
    there: Enrolled, marker: MirrorRecord | None = None, asked: MirrorRequest = NORMAL
) -> Plan | Refused:
    return plan_mirror(there.machine, there.record, marker or there.record, asked)


def planned(there: Enrolled, asked: MirrorRequest = NORMAL) -> Plan:
    answer = run(there, asked=asked)
    assert isinstance(answer, Plan), answer
    return answer


def first(there: Enrolled, marker: MirrorRecord | None = None) -> Refusal:
    refusal = refused(run(there, marker))[0]
    assert refusal.hint
    return refusal


def changed(there: Enrolled, machine: Machine) -> Enrolled:
    return replace(there, machine=machine)


@pytest.mark.parametrize("kind", list(TableKind))
def test_a_run_writes_no_table_and_no_file_system(kind: TableKind) -> None:
    plan = planned(enrolled(kind))
    assert not [s for s in plan.steps if isinstance(s, WipeSignatures | MakeFilesystem)]
    assert next(s.mount_point for s in plan.steps if isinstance(s, SyncTree)) == "/"
    assert plan.target_path == "/dev/vdb"


def test_nothing_is_pruned_before_the_boot_files_are_written() -> None:
    steps = planned(enrolled()).steps
    prunes = [n for n, step in enumerate(steps) if isinstance(step, PruneTree)]
    flags = [n for n, step in enumerate(steps) if isinstance(step, CarryFlags)]
    assert prunes + flags == list(range(prunes[0], len(steps)))
    assert {step.mount_point for step in steps if isinstance(step, PruneTree)} == {
        "/",
        "/boot",
        "/boot/efi",
    }


def test_what_is_pruned_at_the_end_is_not_deleted_by_the_sync() -> None:
    steps = planned(enrolled()).steps
    prune_last = {
        s.mount_point: (s.prune_last, s.protect)
        for s in steps
        if isinstance(s, SyncTree) and s.prune_last
    }
    assert prune_last == {
        s.mount_point: (s.prune_last, s.protect) for s in steps if isinstance(s, PruneTree)
    }


def test_checksum_and_paths_reach_every_sync_that_they_concern() -> None:
    asked = MirrorRequest(checksum=True, paths=("/etc", "/home/anna"))
    syncs = [s for s in planned(enrolled(), asked).steps if isinstance(s, SyncTree)]
    assert [(s.mount_point, s.paths, s.checksum) for s in syncs] == [
        ("/", ("/etc",), True),
        ("/home", ("/anna",), True),
    ]


# --- the direction ---------------------------------------------------------------------------


def by_name(plan: Plan, *hooks: Hook) -> list[str]:
    """Where a plan copies by the names that a look found, once all were looked at."""
    points = [step.mount_point for step in plan.steps if isinstance(step, SyncTree)]
    looked = [(point, Differences(changed=("a",))) for point in points]
    after = with_differences(plan, looked, hooks)
    syncs = [step for step in after.steps if isinstance(step, SyncTree)]
    return sorted(step.mount_point for step in syncs if step.differences is not None)


def test_what_was_looked_at_is_not_looked_for_again() -> None:
    plan = planned(enrolled())
    assert by_name(plan) == sorted(plan.copied)


def test_where_files_are_written_before_the_copy_it_looks_once_more() -> None:
    plan = planned(enrolled())
    taking = TakeContent(mount_point="/", paths=("/a",))
    rest = sorted(plan.copied - {"/"})
    assert by_name(replace(plan, steps=(taking, *plan.steps))) == rest


def test_what_a_hook_makes_before_the_copy_is_looked_for() -> None:
    before = Hook(when=HookWhen.BEFORE, kind=HookKind.POSTGRESQL, directory="/var/backups")
    after = Hook(when=HookWhen.AFTER, command=("/bin/true",))
    plan = planned(enrolled())
    assert by_name(plan, before) == []
    assert by_name(plan, after) == sorted(plan.copied)


def of_health(there: Enrolled, disk: str, health: DiskHealth) -> Enrolled:
    return replace(there, machine=replace(there.machine, health=((disk, health),)))


SUSPECT = SmartVerdict(state=SmartState.SUSPECT, said=("3 media errors",))
MISSING = SmartVerdict(state=SmartState.NO_TOOL, said=("none",))
DYING = SmartVerdict(state=SmartState.FAILING, said=("it fails",))


@pytest.mark.parametrize(
    ("disk", "health", "failing"),
    [
        ("/dev/vda", DiskHealth(smart=SUSPECT), False),
        ("/dev/vda", DiskHealth(smart=SUSPECT, read_errors=("I/O error, dev vda",)), True),
        ("/dev/vda", DiskHealth(smart=DYING), True),
        ("/dev/vda", DiskHealth(smart=MISSING), False),
        ("/dev/vdb", DiskHealth(smart=DYING), False),
    ],
)
def test_only_a_failing_source_is_not_trusted(disk: str, health: DiskHealth, failing: bool) -> None:
    assert bool(planned(of_health(enrolled(), disk, health)).failing_source) is failing


def test_from_a_failing_source_a_run_only_adds() -> None:
    there, good = enrolled(), planned(enrolled())
    says = SmartVerdict(state=SmartState.FAILING, said=("SMART says so",))
    plan = planned(of_health(there, "/dev/vda", DiskHealth(smart=says)))
    assert plan.failing_source == ("SMART says so",)
    assert not [step for step in plan.steps if isinstance(step, PruneTree)]
    assert not [s for s in plan.steps if isinstance(s, SyncTree | WriteBootFiles) and s.deletions]
    assert len(plan.steps) == len([s for s in good.steps if not isinstance(s, PruneTree)])
    assert all(s.deletions for s in good.steps if isinstance(s, SyncTree | WriteBootFiles))


def test_a_machine_on_its_mirror_mirrors_nothing() -> None:
    there = enrolled()
    refusal = first(changed(there, replace(there.machine, running_mirror=there.record)))
    assert (refusal.code, "runs from its mirror" in refusal.reason) == (ExitCode.REFUSED, True)


def on_the_mirror(there: Enrolled) -> Enrolled:
    """The machine that booted from /dev/vdb, with the source still attached."""
    mirror = there.machine.disks[1]
    places = {number_of(pair.place): pair.mount_point for pair in there.record.filesystems}
    mounts = tuple(
        Mount(device=each.path, target=places[each.number], fstype="ext4")
        for each in mirror.partitions
        if each.number in places
    )
    return changed(there, replace(there.machine, mounts=mounts, swaps=(), fstab=()))


def test_a_machine_on_its_mirror_is_known_without_the_marker_too() -> None:
    refusal = first(on_the_mirror(enrolled()))
    assert (refusal.code, "runs from its mirror" in refusal.reason) == (ExitCode.REFUSED, True)


def test_another_disk_than_the_recorded_source_is_no_source() -> None:
    there = enrolled()
    source = there.machine.disks[0]
    assert source.table is not None
    cloned = replace(source, table=replace(source.table, uuid="0" * 8))
    assert first(changed(there, with_disk(there.machine, cloned))).code is ExitCode.REFUSED


def test_a_source_behind_another_adapter_is_known_by_its_table_and_that_is_said() -> None:
    """A first disk that was made in a dock shows its own serial once it is built in."""
    there = enrolled()
    source = replace(there.machine.disks[0], id=DiskId(serial="NEW0001"))
    moved = with_disk(there.machine, source)
    plan = planned(changed(there, moved))
    assert any(
        "/dev/vda is recognised as the source" in note and "NEW0001" in note for note in plan.notes
    )
    assert plan.record.source.id.serial == "NEW0001"
    # The old one beside it: nothing says which of the two is the first disk.
    copy = unplugged(there.machine.disks[0], "/dev/vdc")
    refusal = first(changed(there, with_disk(moved, copy)))
    assert (refusal.code, "has the same partition table" in refusal.reason) == (10, True)


def test_a_table_without_an_id_tells_no_source() -> None:
    """Old MBRs have an id of zeros: then the hardware must be the recorded one, too."""
    there = enrolled(TableKind.MBR)
    source = there.machine.disks[0]
    assert source.table is not None
    zeros = replace(source, table=replace(source.table, uuid="00000000"))
    record = replace(there.record, source=replace(there.record.source, table_uuid="00000000"))
    planned(Enrolled(machine=with_disk(there.machine, zeros), record=record))
    other = with_disk(there.machine, replace(zeros, id=DiskId(serial="OTHER")))
    assert first(Enrolled(machine=other, record=record)).code is ExitCode.REFUSED


def test_a_source_without_serial_is_known_by_its_table() -> None:
    there = enrolled()
    source = replace(there.machine.disks[0], id=DiskId())
    record = replace(there.record, source=replace(there.record.source, id=DiskId()))
    planned(Enrolled(machine=with_disk(there.machine, source), record=record))


# --- the mirror ------------------------------------------------------------------------------


def test_an_absent_mirror() -> None:
    there = enrolled()
    refusal = first(changed(there, replace(there.machine, disks=there.machine.disks[:1])))
    assert (refusal.code, "not attached" in refusal.reason) == (ExitCode.REFUSED, True)


def test_a_bare_disk_in_its_place_is_not_the_mirror() -> None:
    there = enrolled()
    emptied = with_disk(there.machine, bare_disk())
    assert "partition table none" in first(changed(there, emptied)).reason


def test_two_disks_with_the_mirror_s_serial() -> None:
    there = enrolled()
    twin = replace(there.machine.disks[1], path="/dev/vdc")
    assert "several disks" in first(changed(there, with_disk(there.machine, twin))).reason


def test_a_mirror_behind_another_adapter_is_known_by_its_table_and_marker() -> None:
    there = enrolled()
    for shown in (DiskId(serial="DOCK"), DiskId(wwn="0x5000"), DiskId()):
        moved = changed(there, with_disk(there.machine, replace(there.machine.disks[1], id=shown)))
        plan = planned(moved)
        assert plan.target_path == "/dev/vdb"
        assert any("by its partition table and marker" in note for note in plan.notes)
        assert plan.record.mirror.id == (shown if shown.is_stable else there.record.mirror.id)
        without = refused(plan_mirror(moved.machine, there.record, None, NORMAL))
        assert "has no marker" in without[0].reason


def test_a_copy_of_the_mirror_from_before_its_last_run_is_not_the_mirror() -> None:
    there = enrolled()
    there = replace(there, record=replace(there.record, state=MirrorState.COMPLETE))
    shown = replace(there.machine.disks[1], id=DiskId(serial="COPY"))
    marker = replace(there.record, generation=there.record.generation - 1)
    refusal = first(changed(there, with_disk(there.machine, shown)), marker)
    assert (refusal.code, "may be an older copy" in refusal.reason) == (ExitCode.REFUSED, True)


def test_of_two_disks_with_one_serial_the_one_with_the_table_is_the_mirror() -> None:
    """Both in one dock: the other one is never looked at."""
    there = enrolled()
    for other in (bare_disk("/dev/vdc", "MIR0001"), server().disks[1]):
        beside = changed(there, with_disk(there.machine, replace(other, path="/dev/vdc")))
        assert planned(beside).target_path == "/dev/vdb"


def test_a_mirror_partition_is_missing() -> None:
    there = enrolled()
    mirror = there.machine.disks[1]
    assert mirror.table is not None
    rest = tuple(each for each in mirror.partitions if each.number != 5)
    gone = replace(mirror, table=replace(mirror.table, partitions=rest))
    refusal = first(changed(there, with_disk(there.machine, gone)))
    assert (refusal.code, "partition 5" in refusal.reason) == (ExitCode.REFUSED, True)


@pytest.mark.parametrize("number", [2, 3, 4, 5, 6])
def test_a_mirror_partition_that_holds_something_else(number: int) -> None:
    there = enrolled()
    mirror = there.machine.disks[1]
    assert mirror.table is not None
    original = mirror.table.partition(number)
    stranger = ext4(99) if number != 2 else replace(ext4(99), kind=FsKind.VFAT)
    for held in (stranger, Nothing()):
        other = with_partition(mirror, replace(original, content=held))
        refusal = first(changed(there, with_disk(there.machine, other)))
        assert (refusal.code, f"partition {number}" in refusal.reason) == (ExitCode.REFUSED, True)


def test_a_mirror_partition_with_another_partuuid() -> None:
    there = enrolled()
    mirror = there.machine.disks[1]
    assert mirror.table is not None
    other = with_partition(mirror, replace(mirror.table.partition(4), uuid="feed"))
    assert "PARTUUID feed" in first(changed(there, with_disk(there.machine, other))).reason


@pytest.mark.parametrize("kind", list(UseKind))
def test_a_mirror_in_use(kind: UseKind) -> None:
    there = enrolled()
    mirror = there.machine.disks[1]
    assert mirror.table is not None
    busy = replace(mirror.table.partition(4), uses=(Use(kind=kind, where="/mnt"),))
    refusal = first(changed(there, with_disk(there.machine, with_partition(mirror, busy))))
    assert (refusal.code, "/mnt" in refusal.reason) == (ExitCode.REFUSED, True)


# --- the marker ------------------------------------------------------------------------------


def test_a_mirror_without_marker_is_not_enrolled() -> None:
    there = enrolled()
    found = refused(plan_mirror(there.machine, there.record, None, NORMAL))
    assert (found[0].code, "marker" in found[0].reason) == (ExitCode.REFUSED, True)


def test_markers_of_others() -> None:
    there = enrolled()
    record = there.record
    for stranger in (
        replace(record, machine_id="f" * 32),
        replace(record, host="other-server"),
        replace(record, name="other"),
        replace(record, role=Role.SOURCE),
        replace(record, mirror=replace(record.mirror, table_uuid="other")),
        replace(record, source=replace(record.source, table_uuid="other")),
    ):
        found = refused(run(there, stranger))
        assert [each.code for each in found] == [ExitCode.REFUSED], stranger


def test_a_mirror_that_is_newer_than_the_source_s_record_is_never_overwritten() -> None:
    there = enrolled()
    newer = replace(there.record, generation=there.record.generation + 1)
    refusal = first(there, newer)
    assert (refusal.code, "generation 4" in refusal.reason) == (ExitCode.REFUSED, True)
    older = replace(there.record, generation=there.record.generation - 1)
    assert isinstance(run(there, older), Plan)


def test_a_record_of_another_machine() -> None:
    there = enrolled()
    machine = replace(there.machine, machine_id="f" * 32)
    assert first(changed(there, machine)).code is ExitCode.REFUSED


def test_a_renamed_machine_goes_on_with_a_note() -> None:
    there = enrolled()
    plan = planned(changed(there, replace(there.machine, host="renamed")))
    assert any("'server'" in note for note in plan.notes)


def test_not_root_and_missing_rsync() -> None:
    there = enrolled()
    assert first(changed(there, replace(there.machine, is_root=False))).code is ExitCode.USAGE
    bare = replace(there.machine, missing_tools=(("rsync", "rsync"), ("mkfs.ext4", "e2fsprogs")))
    found = refused(run(changed(there, bare)))
    assert [(each.code, each.hint) for each in found] == [(ExitCode.FAILED, "apt install rsync")]


# --- the source has drifted ------------------------------------------------------------------


def unmounted(machine: Machine, target: str) -> Machine:
    return replace(machine, mounts=tuple(m for m in machine.mounts if m.target != target))


@pytest.mark.parametrize("target", ["/home", "/boot", "/boot/efi"])
@pytest.mark.parametrize("listed", [True, False])
def test_an_unmounted_file_system_is_never_mirrored_as_empty(target: str, listed: bool) -> None:
    there = enrolled()
    machine = unmounted(there.machine, target)
    if not listed:
        machine = replace(machine, fstab=tuple(e for e in machine.fstab if e.target != target))
    refusal = first(changed(there, machine))
    assert (refusal.code, target in refusal.reason) == (ExitCode.DRIFTED, True)


def test_nofail_does_not_excuse_a_file_system_that_the_mirror_has() -> None:
    there = enrolled()
    machine = unmounted(there.machine, "/home")
    assert first(changed(there, with_options(machine, "/home", "nofail"))).code is ExitCode.DRIFTED


def with_options(machine: Machine, target: str, *options: str) -> Machine:
    lines = tuple(
        replace(line, options=options) if line.target == target else line for line in machine.fstab
    )
    return replace(machine, fstab=lines)


def test_a_file_system_on_demand_is_left_as_the_mirror_has_it() -> None:
    there = enrolled()
    plan = planned(
        changed(there, with_options(unmounted(there.machine, "/home"), "/home", "noauto"))
    )
    assert "/home" not in [s.mount_point for s in plan.steps if isinstance(s, SyncTree)]
    assert any("/home" in note for note in plan.notes)


@pytest.mark.parametrize("target", ["/boot", "/boot/efi"])
def test_a_file_system_of_the_boot_is_never_left_out(target: str) -> None:
    there = enrolled()
    machine = with_options(unmounted(there.machine, target), target, "noauto")
    assert first(changed(there, machine)).code is ExitCode.DRIFTED


def test_something_else_is_mounted_over_home() -> None:
    there = enrolled()
    over = Mount(device="tmpfs", target="/home", fstype="tmpfs")
    refusal = first(changed(there, replace(there.machine, mounts=(*there.machine.mounts, over))))
    assert (refusal.code, "/home" in refusal.reason) == (ExitCode.DRIFTED, True)


def test_home_has_another_uuid_than_recorded() -> None:
    there = enrolled()
    source = there.machine.disks[0]
    assert source.table is not None
    fresh = with_partition(source, replace(source.table.partition(5), content=ext4(55)))
    refusal = first(changed(there, with_disk(there.machine, fresh)))
    assert (refusal.code, uuid(55) in refusal.reason) == (ExitCode.DRIFTED, True)


def test_home_is_of_another_kind_than_recorded() -> None:
    there = enrolled()
    source = there.machine.disks[0]
    assert source.table is not None
    xfs = replace(source.table.partition(5), content=replace(ext4(5), kind=FsKind.XFS))
    refusal = first(changed(there, with_disk(there.machine, with_partition(source, xfs))))
    assert (refusal.code, "xfs" in refusal.reason) == (ExitCode.DRIFTED, True)


def test_a_part_of_home_is_mounted_in_its_place() -> None:
    there = enrolled()
    part_of_it = Mount(device="/dev/vda5", target="/home", fstype="ext4", root="/anna")
    mounts = (*there.machine.mounts, part_of_it)
    refusal = first(changed(there, replace(there.machine, mounts=mounts)))
    assert (refusal.code, "/home" in refusal.reason) == (ExitCode.DRIFTED, True)


def test_a_copy_of_home_on_a_stick_is_not_home_though_its_uuid_is() -> None:
    there = enrolled()
    stick = replace(bare_disk("/dev/sdx", "STICK"), transport="usb")
    stick = with_partition(stick, part(1, 1, 9, ext4(5, "home"), device="/dev/sdx"))
    machine = with_options(with_disk(there.machine, stick), "/home", "nofail")
    over = Mount(device="/dev/sdx1", target="/home", fstype="ext4")
    refusal = first(changed(there, replace(machine, mounts=(*machine.mounts, over))))
    assert (refusal.code, "/home" in refusal.reason) == (ExitCode.DRIFTED, True)


def test_a_new_file_system_on_the_source() -> None:
    there = enrolled()
    extra = part(7, 5120, 100, ext4(7))
    machine = with_disk(there.machine, with_partition(there.machine.disks[0], extra))
    planned(changed(there, machine))
    mount = Mount(device="/dev/vda7", target="/srv", fstype="ext4")
    refusal = first(changed(there, replace(machine, mounts=(*machine.mounts, mount))))
    assert (refusal.code, "/srv" in refusal.reason) == (ExitCode.DRIFTED, True)
    assert "rescue prepare" in refusal.hint
    line = FstabEntry(spec="/dev/vda7", target="/srv", fstype="ext4", device="/dev/vda7")
    waiting = replace(machine, fstab=(*machine.fstab, line))
    assert first(changed(there, waiting)).code is ExitCode.DRIFTED


def test_a_new_file_system_on_a_layer_of_the_system_s_own_disk() -> None:
    there = enrolled()
    machine = layered(there.machine, volume("/dev/mapper/vg-srv", "/dev/vdc", "/dev/vda1"))
    mount = Mount(device="/dev/mapper/vg-srv", target="/srv", fstype="ext4")
    refusal = first(changed(there, replace(machine, mounts=(*machine.mounts, mount))))
    assert (refusal.code, "/srv" in refusal.reason) == (ExitCode.DRIFTED, True)


def test_a_new_swap_area() -> None:
    there = enrolled()
    record = replace(there.record, swaps=())
    refusal = first(replace(there, record=record))
    assert (refusal.code, "swap" in refusal.reason) == (ExitCode.DRIFTED, True)


def test_fstab_that_names_what_is_not_there_where_the_system_has_something() -> None:
    there = enrolled()
    line = FstabEntry(spec="UUID=gone", target="/home", fstype="ext4", options=("defaults",))
    machine = replace(there.machine, fstab=(*there.machine.fstab, line))
    refusal = first(changed(there, machine))
    assert (refusal.code, "UUID=gone" in refusal.reason) == (ExitCode.DRIFTED, True)


def test_the_mirror_in_fstab_on_demand_does_not_disturb() -> None:
    there = enrolled()
    line = FstabEntry(
        spec="/dev/vdb4", target="/opt", fstype="ext4", options=("noauto",), device="/dev/vdb4"
    )
    planned(changed(there, replace(there.machine, fstab=(*there.machine.fstab, line))))


def test_swap_files_are_made_again_and_not_copied() -> None:
    there = enrolled()
    swap = Swap(path="/home/swap.img", is_file=True, size=4096)
    steps = planned(
        changed(there, replace(there.machine, swaps=(*there.machine.swaps, swap)))
    ).steps
    home = next(s for s in steps if isinstance(s, SyncTree) and s.mount_point == "/home")
    assert home.protect == ("/swap.img",)


def test_grub_goes_to_the_recorded_platforms_only() -> None:
    machine = server(TableKind.MBR)
    record = prepared(machine, request()).record
    there = enrolled(TableKind.MBR)
    steps = planned(there).steps
    assert tuple(s.platform for s in steps if isinstance(s, InstallGrub)) == record.platforms


@pytest.mark.parametrize(
    ("version", "said"), [((0, 0), False), ((3, 2), True), ((3, 5), False), ((4, 0), False)]
)
def test_an_rsync_that_follows_more_links_than_later_ones_is_said(
    version: tuple[int, int], said: bool
) -> None:
    there = enrolled()
    plan = planned(changed(there, replace(there.machine, rsync=version)))
    assert any("follows symbolic links" in note for note in plan.notes) is said


def test_each_run_has_its_own_name_for_new_content() -> None:
    assert planned(enrolled(), MirrorRequest(partial=".rescue~x")).record.partial == ".rescue~x"
