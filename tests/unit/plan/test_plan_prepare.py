"""The plan of a first mirror: complete, to the sector, in the order that keeps it bootable."""

from dataclasses import replace

import pytest

from rescue.commands.prepare import draw_new_ids
from rescue.errors import ExitCode
from rescue.model.boot.firmware import BootState, Firmware, GrubPlatform
from rescue.model.finding import Refusal
from rescue.model.mirror.plan import PLAN_VERSION, Plan
from rescue.model.mirror.step import (
    CarryFlags,
    InstallGrub,
    MakeFilesystem,
    MakeSwap,
    MakeSwapFile,
    SyncTree,
    WriteBootFiles,
    WriteTable,
)
from rescue.model.storage.device import DeviceKind
from rescue.model.storage.disk import Disk, PartitionKind, PartitionTable, TableKind
from rescue.model.storage.filesystem import FileSystem, FsKind, SwapArea
from rescue.model.storage.layer import Container, Foreign
from rescue.model.storage.machine import Machine
from rescue.model.storage.mount import FstabEntry, Mount, Swap
from rescue.model.storage.place import number_of
from rescue.plan.layout.table import sectors_needed
from rescue.plan.prepare import plan_prepare, safe_name
from rescue.store.codec import from_json, to_json
from rescue.units import Bytes
from tests.builders import (
    SIZE,
    bare_disk,
    ext4,
    layered,
    part,
    prepared,
    refused,
    request,
    server,
    uuid,
    volume,
    with_disk,
    with_partition,
)


def table_of(plan: Plan) -> PartitionTable:
    return next(step.table for step in plan.steps if isinstance(step, WriteTable))


def made(plan: Plan) -> dict[int, FileSystem | SwapArea]:
    found: dict[int, FileSystem | SwapArea] = {}
    for step in plan.steps:
        if isinstance(step, MakeFilesystem):
            found[number_of(step.place)] = step.filesystem
        elif isinstance(step, MakeSwap):
            found[number_of(step.place)] = step.swap
    return found


def only(machine: Machine) -> Refusal:
    found = refused(plan_prepare(machine, request()))
    assert len(found) == 1, [each.reason for each in found]
    return found[0]


def add_mount(machine: Machine, device: str, target: str, fstype: str = "ext4") -> Machine:
    mount = Mount(device=device, target=target, fstype=fstype)
    return replace(machine, mounts=(*machine.mounts, mount))


def add_line(
    machine: Machine, device: str, target: str, *options: str, spec: str = "", fstype: str = "ext4"
) -> Machine:
    line = FstabEntry(
        spec=spec or device, target=target, fstype=fstype, options=options, device=device
    )
    return replace(machine, fstab=(*machine.fstab, line))


def add_partition(machine: Machine, number: int, content: object) -> Machine:
    extra = part(number, 5120 + number, 1, content)  # type: ignore[arg-type]
    return with_disk(machine, with_partition(machine.disks[0], extra))


# --- the table -------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", list(TableKind))
def test_the_table_is_the_source_s_to_the_sector_with_fresh_identifiers(kind: TableKind) -> None:
    machine = server(kind)
    source, table = machine.disks[0].table, table_of(prepared(machine))
    assert source is not None
    assert len(table.partitions) == len(source.partitions)
    for old, new in zip(source.partitions, table.partitions, strict=True):
        same = replace(old, uuid=new.uuid, path="", links=(), uses=(), content=new.content)
        assert new == same
        assert new.uuid != old.uuid
    assert table.kind is source.kind
    assert table.uuid != source.uuid
    assert len({each.uuid for each in table.partitions}) == len(table.partitions)


def test_an_mbr_s_partuuids_follow_from_its_signature() -> None:
    table = table_of(prepared(server(TableKind.MBR)))
    assert [each.uuid for each in table.partitions] == [
        f"{table.uuid}-{number}" for number in ("01", "02", "05", "06", "07")
    ]
    assert len(table.uuid) == 8
    assert int(table.uuid, 16) != 0
    assert [each.kind for each in table.partitions][1:3] == [
        PartitionKind.EXTENDED,
        PartitionKind.LOGICAL,
    ]


def test_a_signature_is_never_zero_nor_one_that_is_attached() -> None:
    taken = bare_disk("/dev/vdc", "OTHER")
    taken = replace(taken, table=PartitionTable(kind=TableKind.MBR, uuid="00000001", partitions=()))
    new_ids = ("00000000-0000-0000-1234-000000000000", *request().new_ids[1:])
    plan = prepared(server(TableKind.MBR, bare_disk(), taken), replace(request(), new_ids=new_ids))
    assert table_of(plan).uuid == "00000012"


# --- what is made ----------------------------------------------------------------------------


def test_every_file_system_is_made_again_with_a_uuid_of_its_own() -> None:
    machine = server()
    plan = prepared(machine)
    result = made(plan)
    assert sorted(result) == [2, 3, 4, 5, 6]
    old = {each.number: each.content for each in machine.disks[0].partitions}
    for number, content in result.items():
        source = old[number]
        assert isinstance(source, FileSystem | SwapArea)
        assert content.uuid != source.uuid
        assert replace(content, uuid=source.uuid, label=source.label) == source
    assert len({content.uuid for content in result.values()}) == 5


def test_a_vfat_gets_an_id_of_eight_digits_in_upper_case() -> None:
    esp = made(prepared(server()))[2]
    assert (esp.uuid, esp.label) == ("F7E5-0004", "ESP-F7E5")


LIMITS = {
    FsKind.EXT2: 16,
    FsKind.EXT3: 16,
    FsKind.EXT4: 16,
    FsKind.XFS: 12,
    FsKind.VFAT: 11,
    FsKind.BTRFS: 255,
}


@pytest.mark.parametrize("kind", list(FsKind))
@pytest.mark.parametrize("label", ["home", "0123456789", "Größe, a/b c"])
def test_labels_fit_and_are_on_no_other_disk(kind: FsKind, label: str) -> None:
    home = replace(ext4(5), kind=kind, label=label)
    machine = server()
    assert machine.disks[0].table is not None
    part5 = replace(machine.disks[0].table.partition(5), content=home)
    machine = with_disk(machine, with_partition(machine.disks[0], part5))
    fresh_label = made(prepared(machine))[5].label
    assert 5 < len(fresh_label.encode()) <= LIMITS[kind]
    assert all(char.isascii() and (char.isalnum() or char in "_.-") for char in fresh_label)
    other = bare_disk("/dev/vdc", "OTHER")
    other = with_partition(other, part(1, 1, 9, ext4(9, fresh_label.swapcase()), device="/dev/vdc"))
    again = made(prepared(with_disk(machine, other)))[5].label
    assert again.casefold() != fresh_label.casefold()


def test_two_equal_labels_on_the_source_become_two_different_ones() -> None:
    machine = server()
    for number in (3, 4, 5):
        assert machine.disks[0].table is not None
        same = replace(machine.disks[0].table.partition(number), content=ext4(number, "data"))
        machine = with_disk(machine, with_partition(machine.disks[0], same))
    labels = [content.label for content in made(prepared(machine)).values() if content.label]
    assert len({label.casefold() for label in labels}) == len(labels) == 4


@pytest.mark.parametrize(
    "content",
    [Foreign(kind="ntfs", uuid="0123456789ABCDEF"), ext4(9), Container(kind="crypto_LUKS")],
)
def test_what_is_no_part_of_the_system_stays_an_empty_partition(content: object) -> None:
    plan = prepared(add_partition(server(), 7, content))
    assert 7 not in made(plan)
    assert 7 in [each.number for each in table_of(plan).partitions]
    assert any("partition 7" in note for note in plan.notes)


@pytest.mark.parametrize("option", ["noauto", "nofail"])
def test_what_is_not_mounted_and_may_be_absent_is_made_and_not_filled(option: str) -> None:
    plan = prepared(add_line(add_partition(server(), 7, ext4(7)), "/dev/vda7", "/spare", option))
    assert 7 in made(plan)
    assert "/spare" not in [pair.mount_point for pair in plan.record.filesystems]
    assert "/spare" not in [s.mount_point for s in plan.steps if isinstance(s, SyncTree)]
    assert any("/spare" in note for note in plan.notes)


def test_what_is_mounted_and_not_in_fstab_is_mirrored() -> None:
    plan = prepared(add_mount(add_partition(server(), 7, ext4(7)), "/dev/vda7", "/srv"))
    assert "/srv" in [pair.mount_point for pair in plan.record.filesystems]


# --- the order and the record ----------------------------------------------------------------


def test_the_steps_come_in_the_order_that_a_power_cut_forgives() -> None:
    machine = server()
    swap = Swap(path="/swapfile", is_file=True, size=4096)
    steps = prepared(replace(machine, swaps=(*machine.swaps, swap))).steps
    order = [type(step).__name__ for step in steps]
    assert list(dict.fromkeys(order)) == [
        "WipeSignatures",
        "WriteTable",
        "MakeFilesystem",
        "MakeSwap",
        "SyncTree",
        "MakeSwapFile",
        "WriteBootFiles",
        "BuildInitramfs",
        "InstallGrub",
        "CarryFlags",
    ]
    assert [s.mount_point for s in steps if isinstance(s, SyncTree)] == [
        "/",
        "/boot",
        "/home",
        "/boot/efi",
    ]
    assert all(s.first for s in steps if isinstance(s, SyncTree))
    assert [s for s in steps if isinstance(s, MakeSwapFile)] == [
        MakeSwapFile(path="/swapfile", size=4096)
    ]
    written = [step for step in steps if not isinstance(step, CarryFlags)]
    assert isinstance(written[-1], WriteBootFiles)
    assert written[-1].menus


def test_the_mirror_s_own_files_are_kept_where_they_lie() -> None:
    protect = {
        s.mount_point: s.protect for s in prepared(server()).steps if isinstance(s, SyncTree)
    }
    assert {"/.rescue/", "/etc/fstab", "/etc/default/grub"} <= set(protect["/"])
    assert {"/grub/grub.cfg", "/grub/i386-pc/", "/initrd.img-*"} <= set(protect["/boot"])
    assert {"/EFI/debian/", "/EFI/BOOT/", "/EFI/*/grub.cfg"} <= set(protect["/boot/efi"])
    assert protect["/home"] == ()


@pytest.mark.parametrize("kind", list(TableKind))
def test_the_record_says_what_the_steps_do(kind: TableKind) -> None:
    plan = prepared(server(kind))
    record, table = plan.record, table_of(plan)
    assert record.name == "MIR0001"
    assert record.mirror.table_uuid == table.uuid
    for pair in record.filesystems:
        assert made(plan)[number_of(pair.place)].uuid == pair.mirror_uuid
        assert table.partition(number_of(pair.place)).uuid == pair.mirror_partuuid
    assert [made(plan)[number_of(pair.place)].uuid for pair in record.swaps] == [
        pair.mirror_uuid for pair in record.swaps
    ]
    assert record.root.mount_point == "/"
    assert len(record.identifiers.pairs) == len(table.partitions) + 1
    assert from_json(to_json(plan), Plan, known_version=PLAN_VERSION, where="plan") == plan


def test_the_same_request_makes_the_same_plan() -> None:
    assert prepared(server()) == prepared(server())


def test_the_map_of_a_plan_translates_the_source_s_own_fstab() -> None:
    plan = prepared(server(TableKind.MBR))
    fstab = (
        "# / was on /dev/vda5 during installation\n"
        f"UUID={uuid(5)}\t/\text4\terrors=remount-ro\t0\t1\n"
        "PARTUUID=5eedbeef-01\t/boot\text4\tdefaults\t0\t2\n"
        "LABEL=home  /home ext4 nodev 0 2\n"
        "/dev/disk/by-path/pci-0000:00:04.0-part7 none swap sw 0 0\n"
    )
    contents, signature = made(plan), plan.record.mirror.table_uuid
    assert plan.record.identifiers.translate_fstab(fstab) == (
        "# / was on /dev/vda5 during installation\n"
        f"UUID={contents[5].uuid}\t/\text4\terrors=remount-ro\t0\t1\n"
        f"PARTUUID={signature}-01\t/boot\text4\tdefaults\t0\t2\n"
        f"LABEL={contents[6].label}  /home ext4 nodev 0 2\n"
        f"/dev/disk/by-uuid/{contents[7].uuid} none swap sw 0 0\n"
    )


def test_the_map_turns_disk_paths_into_the_mirror_s() -> None:
    translate = prepared(server()).record.identifiers.translate
    for old in ("/dev/vda", "/dev/disk/by-id/virtio-SRC0001", "/dev/disk/by-path/pci-0000:00:04.0"):
        assert translate(f"Value: {old}\n") == "Value: /dev/disk/by-id/virtio-MIR0001\n"


def test_a_link_of_one_s_own_to_a_partition_is_not_the_disk_s() -> None:
    machine = server()
    assert machine.disks[0].table is not None
    home = machine.disks[0].table.partition(5)
    linked = replace(home, links=(*home.links, "/dev/homes"))
    plan = prepared(with_disk(machine, with_partition(machine.disks[0], linked)))
    translated = plan.record.identifiers.translate("/dev/homes")
    assert translated == f"/dev/disk/by-uuid/{made(plan)[5].uuid}"


@pytest.mark.parametrize(
    ("serial", "name"),
    [("MIR0001", "MIR0001"), ("S3Z N/B0", "S3Z_N_B0"), ("../../x", "x"), ("..", "mirror")],
)
def test_a_serial_becomes_a_file_name(serial: str, name: str) -> None:
    assert safe_name(serial) == name


# --- layouts that are not supported, and drift -------------------------------------------------


def test_a_root_on_lvm_is_named_as_such() -> None:
    machine = server()
    mounts = (Mount(device="/dev/mapper/vg-root", target="/", fstype="ext4"),)
    refusal = only(replace(machine, mounts=mounts))
    assert refusal.code is ExitCode.UNSUPPORTED
    assert "/dev/mapper/vg-root" in refusal.reason


@pytest.mark.parametrize(
    ("device", "fstype"),
    [("/dev/mapper/vg-srv", "ext4"), ("/dev/md0", "xfs"), ("tank/srv", "zfs")],
)
def test_a_mount_on_a_layer_of_the_system_s_disk_is_named(device: str, fstype: str) -> None:
    machine = add_partition(server(), 7, Foreign(kind="zfs_member", label="tank"))
    machine = layered(machine, volume(device, "/dev/vda7"))
    refusal = only(add_mount(machine, device, "/srv", fstype))
    assert (refusal.code, "/srv" in refusal.reason) == (ExitCode.UNSUPPORTED, True)


@pytest.mark.parametrize("device", ["/dev/loop3", "/dev/sr0", "nas:/export", "tmpfs", "overlay"])
def test_what_is_on_no_disk_does_not_disturb(device: str) -> None:
    machine = layered(
        server(),
        volume("/dev/loop3", kind=DeviceKind.LOOP),
        volume("/dev/sr0", kind=DeviceKind.OPTICAL),
    )
    plan = prepared(add_mount(machine, device, "/srv", "squashfs"))
    assert not [note for note in plan.notes if "/srv" in note]


def test_a_btrfs_subvolume_is_named() -> None:
    machine = server()
    mounts = tuple(
        replace(m, root="/@home", fstype="btrfs") if m.target == "/home" else m
        for m in machine.mounts
    )
    refusal = only(replace(machine, mounts=mounts))
    assert (refusal.code, "/home" in refusal.reason) == (ExitCode.UNSUPPORTED, True)


def btrfs_home(subvolumes: tuple[str, ...] | None) -> Machine:
    machine = server()
    mounts = tuple(
        replace(m, fstype="btrfs", subvolumes=subvolumes) if m.target == "/home" else m
        for m in machine.mounts
    )
    return replace(machine, mounts=mounts)


def test_a_btrfs_that_holds_subvolumes_is_refused_and_they_are_named() -> None:
    refusal = only(btrfs_home(("anna", "anna/deep")))
    assert refusal.code is ExitCode.UNSUPPORTED
    assert "/home/anna, /home/anna/deep" in refusal.reason
    assert "a file system of their own" in refusal.hint


def test_a_btrfs_without_subvolumes_is_mirrored() -> None:
    assert "/home" in [pair.mount_point for pair in prepared(btrfs_home(())).record.filesystems]


def test_a_btrfs_whose_subvolumes_are_not_known_is_not_assumed_to_have_none() -> None:
    refusal = only(btrfs_home(None))
    assert (refusal.code, "/home" in refusal.reason) == (ExitCode.UNSUPPORTED, True)
    assert "apt install btrfs-progs" in refusal.hint


def test_a_part_of_a_btrfs_is_asked_for_its_subvolumes_where_the_whole_is_mounted() -> None:
    machine = btrfs_home(())
    bind = Mount(device="/dev/vda5", target="/srv/www", fstype="btrfs", root="/www")
    prepared(replace(machine, mounts=(*machine.mounts, bind)))


def test_a_bind_mount_of_a_mirrored_file_system_does_not_disturb() -> None:
    machine = server()
    bind = Mount(device="/dev/vda5", target="/srv/www", fstype="ext4", root="/www")
    assert (
        prepared(replace(machine, mounts=(*machine.mounts, bind))).record
        == prepared(machine).record
    )


def test_a_file_system_that_is_not_made_again() -> None:
    machine = add_partition(server(), 7, Foreign(kind="f2fs"))
    for broken in (
        add_mount(machine, "/dev/vda7", "/srv", "f2fs"),
        add_line(machine, "/dev/vda7", "/srv", "defaults"),
    ):
        refusal = only(broken)
        assert (refusal.code, "f2fs" in refusal.reason) == (ExitCode.UNSUPPORTED, True)


def second_disk(**changes: object) -> Disk:
    disk = with_partition(bare_disk("/dev/vdc", "DATA"), part(1, 1, 9, ext4(8), device="/dev/vdc"))
    return replace(disk, **changes)  # type: ignore[arg-type]


def test_a_file_system_on_another_disk_is_not_forgotten() -> None:
    machine = with_disk(server(), second_disk())
    listed = add_line(machine, "/dev/vdc1", "/srv", "defaults")
    refusal = only(listed)
    assert (refusal.code, "/srv" in refusal.reason) == (ExitCode.UNSUPPORTED, True)
    assert "--leave-out /srv" in refusal.hint


def test_disks_that_come_and_go_are_only_said() -> None:
    stick = add_mount(with_disk(server(), second_disk(transport="usb")), "/dev/vdc1", "/media/usb")
    lazy = add_line(with_disk(server(), second_disk()), "/dev/vdc1", "/backup", "nofail")
    assert any("/media/usb" in note for note in prepared(stick).notes)
    assert any("/backup" in note for note in prepared(lazy).notes)


def test_swap_on_a_layer() -> None:
    swap = Swap(path="/dev/mapper/s", is_file=False, size=4096)
    machine = layered(
        server(),
        volume("/dev/mapper/s", "/dev/vda1"),
        volume("/dev/zram0", kind=DeviceKind.MEMORY),
    )
    refusal = only(replace(machine, swaps=(swap,)))
    assert (refusal.code, "/dev/mapper/s" in refusal.reason) == (ExitCode.UNSUPPORTED, True)
    prepared(replace(machine, swaps=(replace(swap, path="/dev/zram0"),)))


def test_fstab_that_names_what_does_not_exist() -> None:
    refusal = only(add_line(server(), "", "/srv", "defaults", spec="LABEL=gone"))
    assert (refusal.code, "LABEL=gone" in refusal.reason) == (ExitCode.DRIFTED, True)
    for option in ("noauto", "nofail"):
        plan = prepared(add_line(server(), "", "/srv", option, spec="LABEL=gone"))
        assert any("LABEL=gone" in note for note in plan.notes)


def test_home_in_fstab_and_not_mounted() -> None:
    machine = server()
    mounts = tuple(m for m in machine.mounts if m.target != "/home")
    refusal = only(replace(machine, mounts=mounts))
    assert (refusal.code, "/home" in refusal.reason) == (ExitCode.DRIFTED, True)


# --- GRUB ------------------------------------------------------------------------------------


def with_grub(machine: Machine, *platforms: GrubPlatform, firmware: Firmware) -> Machine:
    boot = BootState(firmware=firmware, platforms=platforms, distributor="debian")
    return replace(machine, boot=boot)


def test_both_platforms_where_both_have_their_place() -> None:
    plan = prepared(server())
    assert [s.platform for s in plan.steps if isinstance(s, InstallGrub)] == [
        GrubPlatform.I386_PC,
        GrubPlatform.X86_64_EFI,
    ]
    assert plan.record.platforms == (GrubPlatform.I386_PC, GrubPlatform.X86_64_EFI)


@pytest.mark.parametrize(
    ("firmware", "package"),
    [(Firmware.BIOS, "grub-pc-bin"), (Firmware.UEFI, "grub-efi-amd64-bin")],
)
def test_the_platform_that_is_needed_must_be_installed(firmware: Firmware, package: str) -> None:
    refusal = only(with_grub(server(), firmware=firmware))
    assert (refusal.code, package in refusal.hint) == (ExitCode.FAILED, True)


def test_the_other_platform_is_a_note_where_it_is_not_installed() -> None:
    machine = with_grub(server(), GrubPlatform.I386_PC, firmware=Firmware.BIOS)
    plan = prepared(machine)
    assert plan.record.platforms == (GrubPlatform.I386_PC,)
    assert any("grub-efi-amd64-bin" in note for note in plan.notes)
    esp = next(s for s in plan.steps if isinstance(s, SyncTree) and s.mount_point == "/boot/efi")
    assert "/EFI/debian/" not in esp.protect
    assert "/EFI/*/grub.cfg" in esp.protect


def test_a_machine_started_by_uefi_needs_its_esp() -> None:
    refusal = only(server(TableKind.MBR, firmware=Firmware.UEFI))
    assert (refusal.code, "EFI" in refusal.reason) == (ExitCode.UNSUPPORTED, True)


def test_a_gpt_without_bios_boot_partition_does_not_start_by_bios() -> None:
    machine = server()
    table = machine.disks[0].table
    assert table is not None
    without = replace(table, partitions=table.partitions[1:])
    machine = with_disk(machine, replace(machine.disks[0], table=without))
    refusal = only(machine)
    assert (refusal.code, "BIOS boot" in refusal.reason) == (ExitCode.UNSUPPORTED, True)
    uefi = replace(machine, boot=replace(machine.boot, firmware=Firmware.UEFI))
    assert prepared(uefi).record.platforms == (GrubPlatform.X86_64_EFI,)


@pytest.mark.parametrize(
    ("words", "number"),
    [
        ("", 8),
        (f"resume=UUID={uuid(6)}", 6),
        ("resume=/dev/vda6", 6),
        ("resume=none", 0),
        ("noresume", 0),
        ("resume=UUID=unknown", 8),
    ],
)
def test_the_mirror_resumes_from_its_own_swap(words: str, number: int) -> None:
    machine = server()
    bigger = part(8, 5120, 600, SwapArea(uuid=uuid(8)))
    machine = with_disk(machine, with_partition(machine.disks[0], bigger))
    plan = prepared(replace(machine, boot=replace(machine.boot, command_line=f"ro {words}")))
    wanted = made(plan)[number].uuid if number else ""
    assert {s.resume_uuid for s in plan.steps if isinstance(s, WriteBootFiles)} == {wanted}


# --- unusual tables ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("entries", "sector", "behind"), [(4, 512, 2), (128, 512, 33), (200, 512, 51), (200, 4096, 8)]
)
def test_a_gpt_keeps_the_room_that_its_entries_need(entries: int, sector: int, behind: int) -> None:
    disk = server().disks[0]
    assert disk.table is not None
    end = max(each.start + each.length for each in disk.partitions)
    odd = replace(disk, logical_sector=sector, table=replace(disk.table, entries=entries))
    assert sectors_needed(odd) == end + behind
    assert (
        table_of(prepared(with_disk(server(), replace(odd, logical_sector=512)))).entries == entries
    )


def test_a_table_of_many_partitions_finds_identifiers_for_all() -> None:
    machine = server()
    for number in range(7, 207):
        machine = add_partition(machine, number, Foreign(kind="data"))
    big = replace(bare_disk(), size=Bytes(2 * SIZE))
    machine = with_disk(machine, big)
    asked = replace(request(), new_ids=draw_new_ids(machine))
    assert len(table_of(prepared(machine, asked)).partitions) == 206
