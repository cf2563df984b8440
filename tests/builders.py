"""Machines for tests: a server on one disk as `discover` sees it, and bare disks beside it."""

from dataclasses import dataclass, replace

from rescue.model.boot.firmware import BootState, Firmware, GrubPlatform
from rescue.model.finding import Refusal, Refused
from rescue.model.mirror.plan import Plan, PrepareRequest
from rescue.model.mirror.record import MirrorRecord, MirrorState
from rescue.model.mirror.step import MakeFilesystem, MakeSwap, WriteTable
from rescue.model.storage.device import Device, DeviceKind
from rescue.model.storage.disk import (
    Disk,
    Partition,
    PartitionKind,
    PartitionTable,
    TableKind,
    Use,
    UseKind,
)
from rescue.model.storage.filesystem import FileSystem, FsKind, FsOptions, SwapArea
from rescue.model.storage.identity import DiskId
from rescue.model.storage.layer import Content, Nothing
from rescue.model.storage.machine import Machine
from rescue.model.storage.mount import FstabEntry, Mount, Swap
from rescue.model.storage.place import number_of
from rescue.plan.layout.contents import names
from rescue.plan.prepare import plan_prepare
from rescue.units import Bytes, Sectors

MIB_SECTORS = 2048
SIZE = Bytes(6 * 1024**3)
NEW_IDS = tuple(f"f7e5{n:04x}-0000-4000-8000-{n:012d}" for n in range(257))
ESP_GUID = "C12A7328-F81F-11D2-BA4B-00A0C93EC93B"
BIOS_GUID = "21686148-6449-6E6F-744E-656564454649"
LINUX_GUID = "0FC63DAF-8483-4772-8E79-3D69D8477DE4"
SWAP_GUID = "0657FD6D-A4AB-43C4-84E5-0933C84B4F4F"


def uuid(number: int) -> str:
    """Return the source's UUID of that number, easy to see in a failed test."""
    return f"50bce000-0000-4000-8000-{number:012d}"


def ext4(number: int, label: str = "") -> FileSystem:
    return FileSystem(
        kind=FsKind.EXT4, uuid=uuid(number), label=label, options=FsOptions(block_size=4096)
    )


def part(
    number: int,
    start: int,
    length: int,
    content: Content | None = None,
    *,
    type_: str = LINUX_GUID,
    name: str = "",
    kind: PartitionKind = PartitionKind.PRIMARY,
    partuuid: str = "",
    device: str = "/dev/vda",
    serial: str = "SRC0001",
    bootable: bool = False,
) -> Partition:
    """Return a partition; start and length are in MiB."""
    return Partition(
        number=number,
        start=Sectors(start * MIB_SECTORS),
        length=Sectors(length * MIB_SECTORS),
        kind=kind,
        type=type_,
        uuid=partuuid or f"50bce111-0000-4000-8000-{number:012d}",
        name=name,
        content=content or Nothing(),
        path=f"{device}{number}",
        bootable=bootable,
        links=(
            f"/dev/disk/by-id/virtio-{serial}-part{number}",
            f"/dev/disk/by-partuuid/{partuuid or number}",
            f"/dev/disk/by-path/pci-0000:00:04.0-part{number}",
        ),
    )


ESP = FileSystem(kind=FsKind.VFAT, uuid="50BC-E002", label="ESP")
GPT_PARTS = (
    part(1, 1, 1, type_=BIOS_GUID),
    part(2, 2, 126, ESP, type_=ESP_GUID, name="EFI System Partition"),
    part(3, 128, 384, ext4(3)),
    part(4, 512, 3072, ext4(4), name="Debian root"),
    part(5, 3584, 1024, ext4(5, "home")),
    part(6, 4608, 512, SwapArea(uuid=uuid(6)), type_=SWAP_GUID),
)
MBR_PARTS = (
    part(1, 1, 384, ext4(1, "boot"), type_="83", partuuid="5eedbeef-01", bootable=True),
    part(2, 385, 5500, type_="5", partuuid="5eedbeef-02", kind=PartitionKind.EXTENDED),
    part(5, 386, 3072, ext4(5), type_="83", partuuid="5eedbeef-05", kind=PartitionKind.LOGICAL),
    part(
        6, 3459, 1024, ext4(6, "home"),
        type_="83", partuuid="5eedbeef-06", kind=PartitionKind.LOGICAL,
    ),
    part(
        7, 4484, 512, SwapArea(uuid=uuid(7), label="swap"),
        type_="82", partuuid="5eedbeef-07", kind=PartitionKind.LOGICAL,
    ),
)  # fmt: skip
GPT_MOUNTS = {2: "/boot/efi", 3: "/boot", 4: "/", 5: "/home"}
MBR_MOUNTS = {1: "/boot", 5: "/", 6: "/home"}


def bare_disk(path: str = "/dev/vdb", serial: str = "MIR0001", size: int = SIZE) -> Disk:
    return Disk(
        path=path,
        id=DiskId(serial=serial, by_id=(f"virtio-{serial}",) if serial else ()),
        size=Bytes(size),
        logical_sector=512,
        physical_sector=512,
        model="QEMU",
        transport="virtio",
    )


def disk_with(
    table: PartitionTable, *, path: str = "/dev/vda", serial: str = "SRC0001", size: int = SIZE
) -> Disk:
    return replace(bare_disk(path, serial, size), table=table)


def server(
    kind: TableKind = TableKind.GPT,
    *others: Disk,
    firmware: Firmware = Firmware.BIOS,
) -> Machine:
    """Return the lab's server, with a bare disk of the same size unless others are given."""
    gpt = kind is TableKind.GPT
    parts, places = (GPT_PARTS, GPT_MOUNTS) if gpt else (MBR_PARTS, MBR_MOUNTS)
    swap = parts[-1].path
    table_uuid = "50bce222-0000-4000-8000-000000000000" if gpt else "5eedbeef"
    used = tuple(_used(each, places) for each in parts)
    mounts = sorted(
        (
            Mount(device=f"/dev/vda{number}", target=target, fstype=_fstype(parts, number))
            for number, target in places.items()
        ),
        key=lambda mount: mount.target,
    )
    lines = tuple(
        FstabEntry(
            spec=f"UUID={names(each.content)[0]}",
            target=places.get(each.number, "none"),
            fstype=_fstype(parts, each.number),
            options=("defaults",),
            device=each.path,
        )
        for each in parts
        if each.number in places or each.path == swap
    )
    cdrom = FstabEntry(
        spec="/dev/sr0", target="/media/cdrom0", fstype="udf", options=("user", "noauto")
    )
    return Machine(
        host="server",
        machine_id="0123456789abcdef0123456789abcdef",
        is_root=True,
        disks=(
            disk_with(PartitionTable(kind=kind, uuid=table_uuid, partitions=used)),
            *(others or (bare_disk(),)),
        ),
        mounts=(
            *mounts,
            Mount(device="proc", target="/proc", fstype="proc"),
            Mount(device="tmpfs", target="/run", fstype="tmpfs"),
        ),
        fstab=(*lines, cdrom),
        fstab_text="",
        swaps=(Swap(path=swap, is_file=False, size=512 * 1024**2),),
        boot=BootState(
            firmware=firmware,
            command_line=f"BOOT_IMAGE=/vmlinuz root=UUID={uuid(4)} ro quiet",
            distributor="debian",
            platforms=(GrubPlatform.I386_PC, GrubPlatform.X86_64_EFI),
        ),
    )


def _fstype(parts: tuple[Partition, ...], number: int) -> str:
    content = next(each.content for each in parts if each.number == number)
    return str(content.kind) if isinstance(content, FileSystem) else "swap"


def _used(each: Partition, places: dict[int, str]) -> Partition:
    if each.number in places:
        return replace(each, uses=(Use(kind=UseKind.MOUNTED, where=places[each.number]),))
    if isinstance(each.content, SwapArea):
        return replace(each, uses=(Use(kind=UseKind.SWAP, where=each.path),))
    return each


def with_partition(disk: Disk, changed: Partition) -> Disk:
    """Return the disk with the partition of that number put in its old one's place, or added."""
    table = disk.table or PartitionTable(kind=TableKind.GPT, uuid="0e7", partitions=())
    parts = {each.number: each for each in table.partitions} | {changed.number: changed}
    return replace(disk, table=replace(table, partitions=tuple(parts[n] for n in sorted(parts))))


def with_disk(machine: Machine, changed: Disk) -> Machine:
    """Return the machine with the disk of that path put in its old one's place, or added."""
    disks = {each.path: each for each in machine.disks} | {changed.path: changed}
    return replace(machine, disks=tuple(disks.values()))


def request(
    target: str = "/dev/vdb",
    *,
    give_up: str = "",
    name: str = "",
    leave_out: tuple[str, ...] = (),
) -> PrepareRequest:
    return PrepareRequest(
        target=target, new_ids=NEW_IDS, give_up_content_of=give_up, name=name, leave_out=leave_out
    )


def layered(machine: Machine, *devices: Device) -> Machine:
    """Return the machine with these layers."""
    return replace(machine, devices=(*machine.devices, *devices))


def volume(path: str, *made_of: str, kind: DeviceKind = DeviceKind.VOLUME) -> Device:
    return Device(key=path, path=path, kind=kind, made_of=made_of)


def prepared(machine: Machine, asked: PrepareRequest | None = None) -> Plan:
    """Return the plan; fail with the reasons where it was refused."""
    answer = plan_prepare(machine, asked or request())
    assert isinstance(answer, Plan), answer
    return answer


def refused(answer: Plan | Refused) -> tuple[Refusal, ...]:
    """Return the refusals; fail where there is a plan."""
    assert isinstance(answer, Refused), "this must never be planned"
    assert answer.findings
    return answer.findings


@dataclass(frozen=True)
class Enrolled:
    """A machine with its mirror attached as `prepare` leaves it, and the record of it."""

    machine: Machine
    record: MirrorRecord


def enrolled(kind: TableKind = TableKind.GPT) -> Enrolled:
    """Return the server with its mirror on /dev/vdb, after one complete run."""
    machine = server(kind)
    plan = prepared(machine)
    mirror = written(plan, "/dev/vdb")
    return Enrolled(machine=with_disk(machine, mirror), record=replace(plan.record, generation=3))


def written(plan: Plan, path: str) -> Disk:
    """Return the target of a plan as a whole copy leaves it, attached as `path`."""
    made: dict[int, Content] = {}
    for step in plan.steps:
        if isinstance(step, MakeFilesystem):
            made[number_of(step.place)] = step.filesystem
        elif isinstance(step, MakeSwap):
            made[number_of(step.place)] = step.swap
    table = next(step.table for step in plan.steps if isinstance(step, WriteTable))
    parts = tuple(
        replace(each, path=f"{path}{each.number}", content=made.get(each.number, Nothing()))
        for each in table.partitions
    )
    serial = plan.record.mirror.id.serial
    return disk_with(replace(table, partitions=parts), path=path, serial=serial)


def started_from(machine: Machine, disk: Disk, *others: Disk) -> Machine:
    """Return the machine as it is after a start from a copy of its disk, attached as /dev/vda."""
    old = machine.disks[0]
    parts = tuple(
        replace(
            was,
            uuid=now.uuid,
            content=now.content,
            links=(f"/dev/disk/by-id/virtio-{disk.id.serial}-part{was.number}",),
        )
        for was, now in zip(old.partitions, disk.partitions, strict=True)
    )
    assert disk.table is not None
    table = replace(disk.table, partitions=parts)
    contents = {each.path: each.content for each in parts}
    return replace(
        machine,
        disks=(replace(disk, path="/dev/vda", table=table), *others),
        fstab=tuple(
            replace(line, spec=f"UUID={names(contents[line.device])[0]}")
            if line.device in contents
            else line
            for line in machine.fstab
        ),
    )


def unplugged(disk: Disk, path: str) -> Disk:
    """Return a disk that carried a running system as it is attached elsewhere, used by nobody."""
    parts = tuple(replace(each, path=f"{path}{each.number}", uses=()) for each in disk.partitions)
    table = replace(disk.table, partitions=parts) if disk.table is not None else None
    return replace(disk, path=path, table=table)


def on_mirror(kind: TableKind = TableKind.GPT, *others: Disk) -> Machine:
    """Return the server after its first disk died: it runs from MIR0001, on /dev/vda.

    A bare disk NEW0001 is attached unless others are given.
    """
    there = enrolled(kind)
    mirror = there.machine.disks[1]
    attached = others or (bare_disk("/dev/vdb", "NEW0001"),)
    machine = started_from(server(kind), mirror, *attached)
    return replace(
        machine,
        boot=replace(machine.boot, boot_id="this-session"),
        running_mirror=replace(
            there.record, state=MirrorState.COMPLETE, last_complete=1_700_000_000.0
        ),
    )
