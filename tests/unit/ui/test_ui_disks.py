"""What `rescue disks` shows."""

from dataclasses import replace

from rich.console import Console

from rescue.model.boot.firmware import BootState, Firmware
from rescue.model.medium import MEDIUM_TABLE
from rescue.model.mirror.identifiers import IdentifierMap
from rescue.model.mirror.record import DiskRef, MirrorRecord, MirrorState
from rescue.model.storage.array import Array
from rescue.model.storage.device import Device, DeviceKind
from rescue.model.storage.disk import Disk, Partition, PartitionTable, TableKind, Use, UseKind
from rescue.model.storage.filesystem import FileSystem, FsKind, SwapArea
from rescue.model.storage.identity import DiskId
from rescue.model.storage.layer import Container, Content, Foreign, Nothing
from rescue.model.storage.luks import LuksHeader
from rescue.model.storage.machine import Machine
from rescue.model.storage.mount import Mount
from rescue.ui.disks import DiskRow, disk_rows, disks_table
from rescue.ui.layers import loose_lines
from rescue.units import GIB, MIB, Bytes, Sectors
from tests.builders import layered, volume


def part(
    number: int, content: Content, *uses: Use, mib: int = 1, flags: tuple[str, ...] = ()
) -> Partition:
    return Partition(
        number=number,
        start=Sectors(2048),
        length=Sectors(mib * MIB // 512),
        type="83",
        uuid="",
        content=content,
        uses=uses,
        flags=flags,
    )


def disk(path: str, serial: str, *parts: Partition, content: Content | None = None) -> Disk:
    named = tuple(replace(each, path=f"{path}{each.number}") for each in parts)
    table = PartitionTable(kind=TableKind.GPT, uuid=f"table-{serial}", partitions=named)
    return Disk(
        path=path,
        id=DiskId(serial=serial, by_id=(f"virtio-{serial}",) if serial else ()),
        size=Bytes(20 * GIB),
        logical_sector=512,
        physical_sector=512,
        transport="virtio",
        table=table if parts else None,
        content=content or Nothing(),
    )


def mounted(where: str) -> Use:
    return Use(kind=UseKind.MOUNTED, where=where)


SOURCE = disk(
    "/dev/vda",
    "SRC",
    part(1, Nothing(), flags=("bios_grub",)),
    part(2, FileSystem(kind=FsKind.EXT4, uuid="r", label="[red]"), mounted("/"), mib=1024),
    part(3, SwapArea(uuid="s"), Use(kind=UseKind.SWAP, where="/dev/vda3")),
)
BLANK = disk("/dev/vdb", "MIR")


def machine(*disks: Disk, root: str = "/dev/vda2") -> Machine:
    return Machine(
        host="alpha",
        machine_id="m",
        is_root=True,
        disks=disks,
        mounts=(Mount(device=root, target="/", fstype="ext4"),),
        fstab=(),
        fstab_text="",
        swaps=(),
        boot=BootState(firmware=Firmware.BIOS),
    )


def record() -> MirrorRecord:
    return MirrorRecord(
        name="nightly",
        host="alpha",
        machine_id="m",
        source=DiskRef(id=DiskId(serial="SRC"), table_uuid="table-SRC"),
        mirror=DiskRef(id=DiskId(serial="MIR"), table_uuid="table-MIR"),
        filesystems=(),
        swaps=(),
        identifiers=IdentifierMap(),
        platforms=(),
        state=MirrorState.COMPLETE,
    )


def test_the_disk_of_the_system_and_a_bare_disk() -> None:
    system, bare = disk_rows(machine(SOURCE, BLANK))
    assert system == DiskRow(
        device="/dev/vda",
        identity=("SRC",),
        size="20.0 GiB",
        model="virtio",
        table="GPT",
        holds=("1: 1.0 MiB BIOS boot", "2: 1.0 GiB ext4 '[red]' on /", "3: 1.0 MiB swap"),
        use="mounted, swap",
        role="system",
    )
    assert (bare.holds, bare.table) == (("empty",), "no table")
    assert (bare.use, bare.role) == ("not in use", "")


def test_the_system_is_found_below_layers() -> None:
    held = Use(kind=UseKind.HOLDER, where="/dev/mapper/vg-root")
    pv = part(1, Container(kind="LVM2_member"), held)
    seen = machine(disk("/dev/sda", "L", pv), root=held.where)
    (row,) = disk_rows(layered(seen, volume(held.where, "/dev/sda1")))
    assert row.role == "system"
    assert row.holds == ("1: 1.0 MiB LVM2_member", "  vg-root: LVM volume")
    assert row.use == "held by a layer"


def layer(path: str, kind: DeviceKind, *below: str, content: Content | None = None) -> Device:
    made = volume(path, *below, kind=kind)
    return replace(made, size=Bytes(MIB), content=content or Nothing())


def test_layers_stand_below_what_they_are_made_of() -> None:
    luks = part(2, Container(kind="crypto_LUKS"), mib=5)
    member = Container(kind="LVM2_member")
    root = layer("/dev/mapper/vg-root", DeviceKind.VOLUME, "/dev/mapper/vault")
    root = replace(root, name="vg/root", content=FileSystem(kind=FsKind.XFS, uuid="r"))
    seen = layered(
        machine(disk("/dev/sda", "L", part(1, Nothing()), luks), root=root.path),
        layer("/dev/mapper/vault", DeviceKind.CRYPT, "/dev/sda2", content=member),
        replace(root, uses=(mounted("/"),)),
        replace(layer("/dev/mapper/vg-swap", DeviceKind.VOLUME, "/dev/mapper/vault"), name=""),
    )
    assert disk_rows(seen)[0].holds == (
        "1: 1.0 MiB empty",
        "2: 5.0 MiB crypto_LUKS",
        "  vault: 1.0 MiB encrypted device, LVM2_member",
        "    vg/root: 1.0 MiB LVM volume, xfs on /",
        "    vg-swap: 1.0 MiB LVM volume",
    )


def test_what_lies_on_several_disks_is_told_once_and_referred_to() -> None:
    member = Container(kind="linux_raid_member")
    array = layer("/dev/md0", DeviceKind.ARRAY, "/dev/sda1", "/dev/sdb", content=member)
    seen = layered(
        machine(disk("/dev/sda", "A", part(1, member)), disk("/dev/sdb", "B", content=member)),
        replace(array, detail="raid1"),
        layer("/dev/mapper/top", DeviceKind.CRYPT, "/dev/md0"),
    )
    one, two = disk_rows(seen)
    assert one.holds == (
        "1: 1.0 MiB linux_raid_member",
        "  md0: 1.0 MiB RAID array (raid1), linux_raid_member, also on /dev/sdb",
        "    top: 1.0 MiB encrypted device",
    )
    assert two.holds == ("linux_raid_member", "  md0: see /dev/sda1")


def test_an_array_that_is_not_whole_says_so() -> None:
    state = Array(uuid="u", level="raid1", wanted=2, missing=1, action="recover")
    array = layer("/dev/md0", DeviceKind.ARRAY, "/dev/sda1")
    member = Container(kind="linux_raid_member")
    seen = layered(
        machine(disk("/dev/sda", "A", part(1, member))),
        replace(array, detail="raid1", array=state),
    )
    (line,) = disk_rows(seen)[0].holds[1:]
    assert line == "  md0: 1.0 MiB RAID array (raid1, 1 of 2 members missing, recover)"


def test_what_is_encrypted_says_how() -> None:
    header = LuksHeader(version=2, cipher="aes-xts-plain64", key_bits=512)
    held = Container(kind="crypto_LUKS", luks=header)
    seen = layered(
        machine(disk("/dev/sda", "A", part(1, held))),
        layer("/dev/mapper/vault", DeviceKind.CRYPT, "/dev/sda1"),
    )
    (line,) = disk_rows(seen)[0].holds[1:]
    how = "LUKS 2, aes-xts-plain64, 512 bits, 0 keyslots"
    assert line == f"  vault: 1.0 MiB encrypted device ({how})"


def test_hundreds_of_snapshots_are_counted_and_those_in_use_are_named() -> None:
    pool = part(1, FileSystem(kind=FsKind.BTRFS, uuid="b"))
    names = ["@", *(f"@/.snapshots/{number}" for number in range(1, 101))]
    found = [
        Device(key=f"k{name}", kind=DeviceKind.SUBVOLUME, name=name, made_of=("/dev/sda1",))
        for name in names
    ]
    found[-1] = replace(found[-1], uses=(mounted("/srv/then"),))
    lines = disk_rows(layered(machine(disk("/dev/sda", "A", pool)), *found))[0].holds
    assert lines[1:3] == ("  @: btrfs subvolume", "  @/.snapshots/1: btrfs subvolume")
    assert lines[-2:] == (
        "  @/.snapshots/100: btrfs subvolume on /srv/then",
        "  and 92 more subvolumes",
    )
    assert len(lines) == 11


def test_what_lies_on_no_disk_is_shown_where_there_is_anything() -> None:
    image = layer("/dev/loop0", DeviceKind.LOOP, content=FileSystem(kind=FsKind.EXT4, uuid="i"))
    seen = layered(
        machine(SOURCE),
        replace(image, name="/srv/image.ext4", uses=(mounted("/srv/image"),)),
        layer("/dev/zram0", DeviceKind.MEMORY, content=SwapArea(uuid="s")),
        layer("/dev/zram1", DeviceKind.MEMORY),
        layer("/dev/sr0", DeviceKind.OPTICAL),
        layer("/dev/mapper/lost", DeviceKind.VOLUME, "/dev/sdx1"),
    )
    assert loose_lines(seen.graph) == (
        "loop0: 1.0 MiB image file /srv/image.ext4, ext4 on /srv/image",
        "zram0: 1.0 MiB memory, swap",
        "lost: 1.0 MiB LVM volume",
    )
    console = Console(width=80, record=True, file=None, force_terminal=False)
    with console.capture() as captured:
        console.print(disks_table(seen))
    assert "on no disk" in captured.get()


def test_a_graph_that_cannot_be_is_shown_all_the_same() -> None:
    seen = layered(
        machine(disk("/dev/sda", "A", part(1, Nothing()))),
        layer("/dev/md1", DeviceKind.ARRAY, "/dev/md1", "/dev/sda1"),
        layer("/dev/md2", DeviceKind.ARRAY, "/dev/md2"),
    )
    assert disk_rows(seen)[0].holds[1:] == (
        "  md1: 1.0 MiB RAID array, also on /dev/md1",
        "    md1: see /dev/sda1",
    )
    assert loose_lines(seen.graph) == ()


def test_roles_come_from_records_and_need_both_serial_and_table() -> None:
    mirror = disk("/dev/vdb", "MIR", part(1, Nothing()))
    source, known = disk_rows(machine(SOURCE, mirror), records=[record()])
    assert (source.role, known.role) == ("system, source", "mirror nightly (complete)")
    again = replace(mirror, table=PartitionTable(kind=TableKind.MBR, uuid="new", partitions=()))
    assert disk_rows(machine(again), records=[record()])[0].role == ""


def test_a_machine_that_runs_from_its_mirror_says_so() -> None:
    mirror = disk("/dev/vda", "MIR", part(2, Nothing(), mounted("/")))
    running = replace(machine(mirror), running_mirror=record())
    assert disk_rows(running)[0].role == "system, mirror nightly (complete)"


def test_a_disk_without_serial_is_said_to_have_none() -> None:
    nameless = disk("/dev/sdc", "", content=Foreign(kind="ntfs", label="DATA"))
    (row,) = disk_rows(machine(nameless))
    assert row.identity == ("no serial",)
    assert row.holds == ("ntfs 'DATA'",)


NVME = DiskId(
    serial="S5GXNF0R123456",
    wwn="eui.002538b111b2c3d4",
    by_id=(
        "nvme-Samsung_SSD_980_PRO_1TB_S5GXNF0R123456",
        "nvme-Samsung_SSD_980_PRO_1TB_S5GXNF0R123456_1",
        "nvme-eui.002538b111b2c3d4",
        "nvme-nvme.144d-533547584e46305231323334-1",
    ),
)


def test_a_disk_of_many_names_is_shown_by_the_one_that_is_typed_and_long_shows_the_rest() -> None:
    ssd = replace(disk("/dev/nvme0n1", "x"), id=NVME, model="Samsung SSD 980 PRO 1TB")
    (short,) = disk_rows(machine(ssd))
    assert (short.identity, short.model) == ((NVME.serial,), "Samsung SSD 980 PRO 1TB, virtio")
    (long,) = disk_rows(machine(ssd), long=True)
    assert long.identity == (NVME.serial, NVME.wwn, *NVME.by_id)


def test_a_disk_without_serial_is_told_by_its_wwn_or_by_one_link() -> None:
    by_wwn = replace(disk("/dev/sdc", "x"), id=replace(NVME, serial=""))
    assert disk_rows(machine(by_wwn))[0].identity == (NVME.wwn,)
    links = ("usb-Generic_Flash-0:0", "usb-Generic_Flash-0:0-other")
    nameless = replace(disk("/dev/sdd", "x"), id=DiskId(by_id=links))
    assert disk_rows(machine(nameless))[0].identity == ("no serial", "usb-Generic_Flash-0:0")
    assert disk_rows(machine(nameless), long=True)[0].identity[1:] == tuple(links)


def test_the_table_fits_eighty_columns_and_leaves_brackets_alone() -> None:
    console = Console(width=80, record=True, file=None, force_terminal=False)
    with console.capture() as captured:
        console.print(disks_table(machine(SOURCE, BLANK)))
    text = captured.get()
    assert "'[red]'" in text
    assert all(word in text for word in ("/dev/vdb", "MIR", "GPT", "system", "not in use"))
    assert max(len(line) for line in text.splitlines()) <= 80


def test_a_rescue_medium_is_told_by_its_disk_signature() -> None:
    table = PartitionTable(kind=TableKind.MBR, uuid=MEDIUM_TABLE, partitions=())
    stick = replace(disk("/dev/sdb", "STICK1"), table=table)
    assert [row.role for row in disk_rows(machine(stick))] == ["medium"]
