"""What `prepare` never writes to: each reason, with its exit code, and all of them at once."""

from dataclasses import replace

import pytest

from rescue.errors import ExitCode, RefusedError
from rescue.grants import grant_disk
from rescue.model.finding import Refusal, Refused
from rescue.model.mirror.record import MirrorState
from rescue.model.storage.disk import Disk, TableKind, Use, UseKind
from rescue.model.storage.identity import DiskId
from rescue.model.storage.layer import Container, Content, Foreign
from rescue.model.storage.machine import Machine
from rescue.model.storage.mount import FstabEntry, Mount
from rescue.plan.checks.target_checks import what_is_lost
from rescue.plan.prepare import plan_prepare
from rescue.units import Bytes
from tests.builders import (
    MIB_SECTORS,
    SIZE,
    bare_disk,
    enrolled,
    ext4,
    layered,
    part,
    prepared,
    refused,
    request,
    server,
    volume,
    with_disk,
    with_partition,
    written,
)


def reasons(machine: Machine, target: str = "/dev/vdb", give_up: str = "") -> tuple[Refusal, ...]:
    return refused(plan_prepare(machine, request(target, give_up=give_up)))


def only(machine: Machine, target: str = "/dev/vdb", give_up: str = "") -> Refusal:
    found = reasons(machine, target, give_up)
    assert len(found) == 1, [each.reason for each in found]
    assert found[0].hint
    return found[0]


def with_target(**changes: object) -> Machine:
    return server(TableKind.GPT, replace(bare_disk(), **changes))  # type: ignore[arg-type]


def used_target(use: Use, content: Content | None = None) -> Machine:
    held = replace(part(1, 1, 100, content, device="/dev/vdb", serial="MIR0001"), uses=(use,))
    return server(TableKind.GPT, with_partition(bare_disk(), held))


@pytest.mark.parametrize(
    "named", ["/dev/vda", "SRC0001", "virtio-SRC0001", "/dev/disk/by-id/virtio-SRC0001"]
)
@pytest.mark.parametrize("give_up", ["", "SRC0001"])
def test_the_source_is_never_the_target_by_whatever_name(named: str, give_up: str) -> None:
    found = reasons(server(), named, give_up)
    assert found[0].code is ExitCode.REFUSED
    assert "disk this machine runs from" in found[0].reason


def test_the_source_is_refused_even_where_its_uses_are_not_known() -> None:
    machine = server()
    parts = tuple(replace(each, uses=()) for each in machine.disks[0].partitions)
    table = machine.disks[0].table
    assert table is not None
    blind = with_disk(machine, replace(machine.disks[0], table=replace(table, partitions=parts)))
    assert "runs from" in reasons(blind, "/dev/vda", "SRC0001")[0].reason


def test_a_mounted_file_system_is_not_given_up_by_name() -> None:
    use = Use(kind=UseKind.MOUNTED, where="/mnt/photos")
    refusal = only(used_target(use, ext4(9)), give_up="MIR0001")
    assert refusal.code is ExitCode.REFUSED
    assert "/mnt/photos" in refusal.reason


def test_active_swap_is_refused() -> None:
    refusal = only(used_target(Use(kind=UseKind.SWAP, where="/dev/vdb1")), give_up="MIR0001")
    assert (refusal.code, "swap" in refusal.reason) == (ExitCode.REFUSED, True)


@pytest.mark.parametrize("kind", ["linux_raid_member", "LVM2_member", "crypto_LUKS"])
@pytest.mark.parametrize("whole", [True, False])
def test_members_of_arrays_groups_and_encryption_are_refused(kind: str, whole: bool) -> None:
    content = Container(kind=kind, uuid="layer")
    disk = bare_disk()
    held = (
        replace(disk, content=content)
        if whole
        else with_partition(disk, part(1, 1, 9, content, device="/dev/vdb"))
    )
    refusal = only(server(TableKind.GPT, held), give_up="MIR0001")
    assert (refusal.code, kind in refusal.reason) == (ExitCode.REFUSED, True)


def test_a_disk_that_another_device_holds_is_refused() -> None:
    use = Use(kind=UseKind.HOLDER, where="/dev/md0")
    assert "/dev/md0" in only(with_target(uses=(use,))).reason


def test_a_read_only_disk_is_refused() -> None:
    refusal = only(with_target(read_only=True))
    assert (refusal.code, "read-only" in refusal.reason) == (ExitCode.REFUSED, True)


def test_a_disk_without_stable_identity_is_refused() -> None:
    refusal = only(with_target(id=DiskId()))
    assert (refusal.code, "serial" in refusal.reason) == (ExitCode.REFUSED, True)


def test_two_disks_with_one_serial_are_not_told_apart_by_it() -> None:
    alike = server(TableKind.GPT, bare_disk(), bare_disk("/dev/vdc"))
    by_serial = only(alike, "MIR0001")
    assert by_serial.code is ExitCode.REFUSED
    assert "/dev/vdb" in by_serial.reason
    assert "/dev/vdc" in by_serial.reason
    by_path = only(alike, "/dev/vdb")
    assert (by_path.code, "/dev/vdc" in by_path.reason) == (ExitCode.REFUSED, True)


def test_of_two_disks_with_one_serial_each_is_named_by_what_only_it_has() -> None:
    """A dock's by-id names tell its slots apart; else the id of the table that is on the disk."""
    slots = tuple(
        replace(bare_disk(path, "DOCK"), id=DiskId(serial="DOCK", by_id=(f"usb-DOCK-0:{number}",)))
        for number, path in enumerate(("/dev/vdb", "/dev/vdc"))
    )
    machine = server(TableKind.GPT, *slots)
    assert only(machine, "DOCK").code is ExitCode.REFUSED
    plan = prepared(machine, request("usb-DOCK-0:1"))
    assert plan.target_path == "/dev/vdc"
    for wrong in ("DOCK", "usb-DOCK-0:0", "/dev/vdc", ""):
        with pytest.raises(RefusedError) as caught:
            grant_disk(plan, named=wrong)
        assert caught.value.code is ExitCode.REFUSED
        assert "usb-DOCK-0:1" in caught.value.hint
    grant = grant_disk(plan, named="/dev/disk/by-id/usb-DOCK-0:1")
    grant.check(slots[1].id, path="/dev/vdc")
    with pytest.raises(RefusedError):
        grant.check(slots[0].id, path="/dev/vdc")

    full = written(prepared(server()), "/dev/vdc")
    assert full.table is not None
    beside = server(TableKind.GPT, bare_disk(), full)
    for give_up in ("", "MIR0001"):
        assert "is not empty" in only(beside, "/dev/vdc", give_up=give_up).reason
    named = prepared(beside, request("/dev/vdc", give_up=full.table.uuid))
    assert grant_disk(named, named=full.table.uuid).plan == named
    with pytest.raises(RefusedError):
        grant_disk(named, named="MIR0001")


def test_a_table_of_zeros_is_no_name_and_no_reason_not_to_wipe() -> None:
    full = written(prepared(server(TableKind.MBR)), "/dev/vdb")
    assert full.table is not None
    zeros = replace(full, table=replace(full.table, uuid="00000000"))
    plan = prepared(server(TableKind.MBR, zeros), request(give_up="MIR0001"))
    assert plan.target_table == ""
    assert "00000000" not in plan.names


def test_a_second_disk_in_a_dock_never_takes_the_first_one_s_name() -> None:
    there = enrolled()
    first = replace(there.record, state=MirrorState.COMPLETE)
    second = server(TableKind.GPT, bare_disk())
    asked = replace(request(), enrolled=(first,))
    refusal = plan_prepare(second, asked)
    assert isinstance(refusal, Refused)
    assert [each.code for each in refusal.findings] == [ExitCode.REFUSED]
    assert "is already called 'MIR0001'" in refusal.findings[0].reason
    named = prepared(second, replace(asked, name="second"))
    assert any("mirrors forget MIR0001" in note for note in named.notes)
    # Its own disk, or one that is no good any more: made anew under its name.
    again = replace(request(give_up="MIR0001"), enrolled=(first,))
    assert prepared(there.machine, again).record.name == "MIR0001"
    broken = replace(first, state=MirrorState.FAILED)
    assert prepared(second, replace(asked, enrolled=(broken,))).record.name == "MIR0001"


def test_a_target_with_the_source_s_serial_is_refused() -> None:
    machine = server(TableKind.GPT, bare_disk(serial="SRC0001"))
    assert "same identity" in only(machine).reason


# The last partition ends at 5120 MiB; a GPT takes 33 sectors behind it.
@pytest.mark.parametrize(("kind", "table"), [(TableKind.GPT, 33), (TableKind.MBR, 0)])
def test_a_target_is_big_enough_to_the_sector(kind: TableKind, table: int) -> None:
    end = {TableKind.GPT: 5120, TableKind.MBR: 5885}[kind] * MIB_SECTORS
    just = (end + table) * 512
    prepared(server(kind, bare_disk(size=just)))
    refusal = only(server(kind, bare_disk(size=just - 512)))
    assert refusal.code is ExitCode.REFUSED
    assert "1 sectors (512 B) short" in refusal.reason


def test_another_sector_size_is_refused() -> None:
    refusal = only(with_target(logical_sector=4096, size=Bytes(8 * SIZE)))
    assert (refusal.code, "4096" in refusal.reason) == (ExitCode.REFUSED, True)


FULL = with_partition(bare_disk(), part(1, 1, 100, ext4(9, "photos"), device="/dev/vdb"))


@pytest.mark.parametrize(
    "disk",
    [
        FULL,
        with_partition(bare_disk(), part(1, 1, 100, device="/dev/vdb")),
        replace(bare_disk(), content=ext4(9)),
        replace(bare_disk(), content=Foreign(kind="iso9660")),
    ],
)
def test_a_disk_that_holds_anything_is_refused_until_it_is_given_up_by_name(disk: Disk) -> None:
    machine = server(TableKind.GPT, disk)
    refusal = only(machine)
    assert refusal.code is ExitCode.REFUSED
    assert "--erase MIR0001" in refusal.hint
    for wrong in ("SRC0001", "/dev/vdb", "vdb", "MIR000", "yes"):
        assert only(machine, give_up=wrong).code is ExitCode.REFUSED
    plan = prepared(machine, request(give_up="MIR0001"))
    assert plan.loses == what_is_lost(disk)
    assert plan.loses


def test_what_is_lost_is_named() -> None:
    assert what_is_lost(FULL) == (f"partition 1: 100.0 MiB, ext4 'photos' {ext4(9).uuid}",)
    assert what_is_lost(bare_disk()) == ()


def test_an_enrolled_mirror_is_not_overwritten_by_the_way() -> None:
    assert "not empty" in only(enrolled().machine).reason


@pytest.mark.parametrize("named", ["/dev/vdx", "", "MIR", "/dev/disk/by-id/virtio-NONE"])
def test_a_target_that_is_not_there(named: str) -> None:
    assert only(server(), named).code is ExitCode.USAGE


def test_a_partition_is_no_target() -> None:
    refusal = only(server(TableKind.GPT, FULL), "/dev/vdb1")
    assert (refusal.code, "partition" in refusal.reason) == (ExitCode.USAGE, True)


def test_not_root() -> None:
    refusal = only(replace(server(), is_root=False))
    assert (refusal.code, "root" in refusal.reason) == (ExitCode.USAGE, True)


def test_a_machine_that_runs_from_its_mirror_prepares_nothing() -> None:
    refusal = only(replace(server(), running_mirror=enrolled().record))
    assert (refusal.code, "MIR0001" in refusal.reason) == (ExitCode.REFUSED, True)


@pytest.mark.parametrize("name", ["../../etc/cron.d/x", "a/b", ".hidden", "-rf", "a b", "\n"])
def test_a_name_that_is_no_file_name(name: str) -> None:
    found = refused(plan_prepare(server(), request(name=name)))
    assert [each.code for each in found] == [ExitCode.USAGE]


def test_a_missing_program_names_its_package() -> None:
    machine = replace(server(), missing_tools=(("rsync", "rsync"), ("mkfs.btrfs", "btrfs-progs")))
    refusal = only(machine)
    assert (refusal.code, refusal.hint) == (ExitCode.FAILED, "apt install rsync")
    vfat = replace(server(), missing_tools=(("mkfs.vfat", "dosfstools"),))
    assert only(vfat).hint == "apt install dosfstools"
    prepared(replace(server(TableKind.MBR), missing_tools=(("mkfs.vfat", "dosfstools"),)))


def line_for(disk: Disk, *options: str) -> FstabEntry:
    path = disk.partitions[0].path
    return FstabEntry(spec=path, target="/backup", fstype="ext4", options=options, device=path)


def test_a_disk_that_the_boot_waits_for_is_refused() -> None:
    machine = server(TableKind.GPT, FULL)
    waits = replace(machine, fstab=(*machine.fstab, line_for(FULL, "defaults")))
    assert "/backup" in only(waits, give_up="MIR0001").reason
    lazy = replace(machine, fstab=(*machine.fstab, line_for(FULL, "nofail")))
    assert any("/backup" in note for note in prepared(lazy, request(give_up="MIR0001")).notes)


def test_all_reasons_come_at_once_and_the_guard_s_before_the_layout_s() -> None:
    machine = replace(
        with_target(read_only=True, size=Bytes(1024**3), content=ext4(9)),
        is_root=False,
        missing_tools=(("rsync", "rsync"),),
    )
    stray = Mount(device="/dev/mapper/vg-data", target="/data", fstype="ext4")
    machine = layered(machine, volume("/dev/mapper/vg-data", "/dev/vda1"))
    found = reasons(replace(machine, mounts=(*machine.mounts, stray)))
    assert [each.code for each in found] == [
        ExitCode.USAGE,
        ExitCode.REFUSED,
        ExitCode.REFUSED,
        ExitCode.REFUSED,
        ExitCode.UNSUPPORTED,
        ExitCode.FAILED,
    ]
