"""Which devices are disks, which partitions and layers are theirs: by sysfs, never by name."""

from collections.abc import Mapping
from dataclasses import replace

from rescue.model.storage.array import Array, ArrayMember
from rescue.model.storage.device import DeviceKind
from rescue.system.block.block_tree import (
    RawDevice,
    disks_of,
    identity,
    others_of,
    parse_block_drivers,
    transport,
)
from rescue.units import Bytes

DEVICES = """Character devices:
  1 mem
  7 vcs
Block devices:
  2 fd
  7 loop
  8 sd
  9 md
 11 sr
 43 nbd
179 mmc
252 zram
253 device-mapper
254 virtblk
259 blkext
"""
DRIVERS = parse_block_drivers(DEVICES)

SECTOR_512 = {"queue/logical_block_size": "512", "queue/physical_block_size": "512"}


def disk(
    name: str,
    major: int,
    *,
    size: int = 2097152,
    minor: int = 0,
    holders: tuple[str, ...] = (),
    properties: Mapping[str, str] | None = None,
    attributes: Mapping[str, str] | None = None,
) -> RawDevice:
    return RawDevice(
        sys_path=f"/sys/block/{name}",
        sys_name=name,
        node=f"/dev/{name}",
        kind="disk",
        major=major,
        minor=minor,
        holders=holders,
        known=properties is not None,
        properties=properties or {},
        attributes={**SECTOR_512, "size": str(size), **(attributes or {})},
    )


def part(
    parent: RawDevice,
    name: str,
    number: int,
    *,
    start: int = 2048,
    size: int = 4096,
    holders: tuple[str, ...] = (),
    properties: Mapping[str, str] | None = None,
) -> RawDevice:
    return RawDevice(
        sys_path=f"{parent.sys_path}/{name}",
        sys_name=name,
        node=f"/dev/{name}",
        kind="partition",
        major=parent.major,
        minor=number,
        parent=parent.sys_path,
        holders=holders,
        known=properties is not None,
        properties=properties or {},
        attributes={"partition": str(number), "start": str(start), "size": str(size)},
    )


def test_block_majors_are_not_mixed_up_with_character_majors() -> None:
    assert DRIVERS[7] == "loop"
    assert 1 not in DRIVERS


def test_what_cannot_matter_is_left_out() -> None:
    card_reader = disk("sdc", 8, size=0)
    hidden_path = disk("nvme0c1n1", 259, attributes={"hidden": "1"})
    cdrom = disk("hdc", 22, properties={"ID_CDROM": "1"})
    others = [
        disk("loop0", 7),
        disk("zram0", 252),
        disk("fd0", 2, size=2880),
        disk("sr0", 11),
        disk("dm-0", 253),
        disk("md127", 9),
        disk("nbd0", 43, size=0),
    ]
    found = disks_of([disk("sda", 8), card_reader, hidden_path, cdrom, *others], DRIVERS)
    assert [one.path for one in found] == ["/dev/sda"]


def test_partitions_of_disks_whose_names_are_beginnings_of_each_other() -> None:
    nvme1, nvme10 = disk("nvme1n1", 259), disk("nvme10n1", 259)
    raw = [nvme10, nvme1, part(nvme10, "nvme10n1p12", 12), part(nvme1, "nvme1n1p2", 2)]
    raw.append(part(nvme10, "nvme10n1p2", 2))
    one, ten = sorted(disks_of(raw, DRIVERS), key=lambda found: len(found.path))
    assert [(p.number, p.path) for p in one.partitions] == [(2, "/dev/nvme1n1p2")]
    assert [(p.number, p.path) for p in ten.partitions] == [
        (2, "/dev/nvme10n1p2"),
        (12, "/dev/nvme10n1p12"),
    ]


def test_emmc_has_boot_areas_that_are_no_disks() -> None:
    emmc = disk("mmcblk0", 179)
    boot0 = RawDevice(
        sys_path="/sys/block/mmcblk0/mmcblk0boot0",
        sys_name="mmcblk0boot0",
        node="/dev/mmcblk0boot0",
        kind="disk",
        major=179,
        minor=8,
        parent=emmc.sys_path,
        attributes={"size": "8192", "ro": "1"},
    )
    (found,) = disks_of([emmc, boot0, part(emmc, "mmcblk0p1", 1)], DRIVERS)
    assert found.path == "/dev/mmcblk0"
    assert [p.path for p in found.partitions] == ["/dev/mmcblk0p1"]


def test_sizes_are_bytes_and_starts_are_the_disks_own_sectors() -> None:
    big = disk("sda", 8, size=8 * 1024, attributes={"queue/logical_block_size": "4096"})
    (found,) = disks_of([big, part(big, "sda1", 1, start=2048, size=4096)], DRIVERS)
    assert (found.size, found.logical_sector) == (4 * 1024 * 1024, 4096)
    assert (found.partitions[0].start, found.partitions[0].length) == (256, 512)


def test_an_extended_partition_has_the_length_of_the_table() -> None:
    sda = disk("sda", 8)
    extended = part(sda, "sda2", 2, size=2, properties={"ID_PART_ENTRY_SIZE": "1433600"})
    (found,) = disks_of([sda, extended], DRIVERS)
    assert found.partitions[0].length == 1433600


def test_a_partition_does_not_have_the_table_of_its_disk() -> None:
    sda = disk("sda", 8, properties={"ID_PART_TABLE_TYPE": "gpt"})
    first = part(sda, "sda1", 1, properties={"ID_PART_TABLE_TYPE": "gpt", "ID_FS_TYPE": "xfs"})
    (found,) = disks_of([sda, first], DRIVERS)
    assert found.signature is not None
    assert found.signature.table_kind == "gpt"
    held = found.partitions[0].signature
    assert held is not None
    assert (held.type, held.table_kind) == ("xfs", "")


def test_layers_above_a_partition_are_found_to_the_top() -> None:
    sda = disk("sda", 8)
    crypt = disk("dm-0", 253, holders=("dm-1",), attributes={"dm/name": "crypt"})
    lv = disk("dm-1", 253, minor=1, attributes={"dm/name": "vg0-root"})
    (found,) = disks_of([sda, part(sda, "sda3", 3, holders=("dm-0",)), crypt, lv], DRIVERS)
    (lower,) = found.partitions[0].holders
    assert lower.path == "/dev/mapper/crypt"
    assert [upper.path for upper in lower.holders] == ["/dev/mapper/vg0-root"]


def test_partitions_of_an_array_are_layers_above_its_members() -> None:
    sda, array = disk("sda", 8, holders=("md127",)), disk("md127", 9)
    (found,) = disks_of([sda, array, part(array, "md127p1", 1)], DRIVERS)
    assert [upper.path for upper in found.holders[0].holders] == ["/dev/md127p1"]


def test_every_other_device_is_known_by_its_kind_and_by_what_is_below_it() -> None:
    sda, sdb = disk("sda", 8, holders=("md127",)), disk("sdb", 8, minor=16, holders=("dm-1",))
    first = part(sda, "sda3", 3, holders=("dm-0",))
    mapped = {"dm/name": "vault", "dm/uuid": "CRYPT-LUKS2-0123-vault"}
    crypt = disk("dm-0", 253, holders=("dm-1",), attributes=mapped)
    volume = {"dm/name": "srv_vg-data", "dm/uuid": "LVM-abc"}
    lv = disk("dm-1", 253, minor=1, attributes=volume)
    by_hand = disk("dm-2", 253, minor=2, attributes={"dm/name": "pulled"})
    array = disk("md127", 9)
    raw = [sda, first, sdb, crypt, lv, by_hand, array, part(array, "md127p1", 1)]
    raw += [disk("loop0", 7), disk("loop1", 7, size=0), disk("zram0", 252), disk("fd0", 2)]
    raw += [disk("sr0", 11, size=0), disk("hdc", 22, properties={"ID_CDROM": "1"})]
    assert [(o.device.path, o.device.kind, o.device.made_of) for o in others_of(raw, DRIVERS)] == [
        ("/dev/fd0", DeviceKind.FLOPPY, ()),
        ("/dev/hdc", DeviceKind.OPTICAL, ()),
        ("/dev/loop0", DeviceKind.LOOP, ()),
        ("/dev/mapper/pulled", DeviceKind.MAPPED, ()),
        ("/dev/mapper/srv_vg-data", DeviceKind.VOLUME, ("/dev/mapper/vault", "/dev/sdb")),
        ("/dev/mapper/vault", DeviceKind.CRYPT, ("/dev/sda3",)),
        ("/dev/md127", DeviceKind.ARRAY, ("/dev/sda",)),
        ("/dev/md127p1", DeviceKind.PARTITION, ("/dev/md127",)),
        ("/dev/sr0", DeviceKind.OPTICAL, ()),
        ("/dev/zram0", DeviceKind.MEMORY, ()),
    ]


def test_layers_have_size_and_the_names_that_people_use() -> None:
    said = {"DM_VG_NAME": "srv-vg", "DM_LV_NAME": "data", "DM_LV_LAYER": "real"}
    hidden = {"dm/name": "srv--vg-data-real", "dm/uuid": "LVM-abc-real"}
    lv = disk("dm-0", 253, size=2048, properties=said, attributes=hidden)
    bare = disk("dm-1", 253, minor=1, attributes={"dm/name": "vg-x", "dm/uuid": "LVM-abc"})
    array = disk("md127", 9, properties={"MD_NAME": "host:0"}, attributes={"md/level": "raid1"})
    image = disk("loop0", 7, attributes={"loop/backing_file": "/srv/image.ext4"})
    kpartx = {"dm/name": "mpatha-part1", "dm/uuid": "part1-mpath-3600"}
    mapped = disk("dm-2", 253, minor=2, attributes=kpartx)
    raw = [lv, bare, array, image, mapped]
    found = {each.device.path: each.device for each in others_of(raw, DRIVERS)}
    assert found.pop("/dev/mapper/mpatha-part1").kind is DeviceKind.PARTITION
    assert {path: (each.name, each.detail) for path, each in found.items()} == {
        "/dev/mapper/srv--vg-data-real": ("srv-vg/data", "real"),
        "/dev/mapper/vg-x": ("vg-x", ""),
        "/dev/md127": ("host:0", "raid1"),
        "/dev/loop0": ("/srv/image.ext4", ""),
    }
    assert found["/dev/mapper/srv--vg-data-real"].size == 1024 * 1024
    assert all(each.key == path for path, each in found.items())


def test_an_array_tells_its_members_and_what_is_missing() -> None:
    said = {"MD_UUID": "04a7da9c:75765c22:68d0be75:de20b03e", "MD_DEVICES": "2"}
    seen = {
        "md/level": "raid1",
        "md/metadata_version": "1.2",
        "md/raid_disks": "2",
        "md/degraded": "1",
        "md/sync_action": "recover",
        "md/dev-sda1/offset": "2048",
        "md/dev-sda1/state": "in_sync,write_mostly",
        "md/dev-sdb1/offset": "4096",
        "md/dev-sdb1/state": "spare",
    }
    sda, sdb = disk("sda", 8), disk("sdb", 8, minor=16)
    raw = [sda, sdb, part(sda, "sda1", 1, holders=("md0",)), part(sdb, "sdb1", 1, holders=("md0",))]
    (found,) = others_of([*raw, disk("md0", 9, properties=said, attributes=seen)], DRIVERS)
    assert found.device.array == Array(
        uuid="04a7da9c:75765c22:68d0be75:de20b03e",
        level="raid1",
        metadata="1.2",
        wanted=2,
        missing=1,
        action="recover",
        members=(
            ArrayMember(key="/dev/sda1", offset=Bytes(1024**2), state="in_sync,write_mostly"),
            ArrayMember(key="/dev/sdb1", offset=Bytes(2 * 1024**2), state="spare"),
        ),
    )
    assert found.device.array.is_busy
    assert [each.key for each in found.device.array.whole] == ["/dev/sda1"]


def test_serial_and_wwn_as_lsblk_shows_them() -> None:
    links = ("/dev/disk/by-id/wwn-0x5", "/dev/disk/by-path/pci", "/dev/disk/by-id/ata-A_B")
    ata = RawDevice(
        sys_path="/s",
        sys_name="sda",
        node="/dev/sda",
        kind="disk",
        major=8,
        minor=0,
        links=links,
        properties={
            "ID_SERIAL": "MODEL_S1",
            "ID_SERIAL_SHORT": "S1",
            "ID_WWN": "0x5",
            "ID_WWN_WITH_EXTENSION": "0x5ee",
        },
    )
    assert identity(ata).serial == "S1"
    assert identity(ata).wwn == "0x5ee"
    assert identity(ata).by_id == ("ata-A_B", "wwn-0x5")
    scsi = {"ID_SERIAL_SHORT": "35000c5", "ID_SCSI_SERIAL": "ZC1", "ID_SERIAL": "035000c5"}
    assert identity(disk("sdb", 8, properties=scsi)).serial == "ZC1"


def test_virtio_tells_its_serial_with_and_without_udev() -> None:
    assert identity(disk("vda", 254, properties={"ID_SERIAL": "SRC"})).serial == "SRC"
    assert identity(disk("vda", 254, attributes={"serial": "SRC"})).serial == "SRC"
    assert not identity(disk("vda", 254)).is_stable


def test_the_most_telling_ancestor_names_the_transport() -> None:
    def attached(*subsystems: str, **properties: str) -> str:
        return transport(
            RawDevice(
                sys_path="/s",
                sys_name="x",
                node="/dev/x",
                kind="disk",
                major=8,
                minor=0,
                subsystems=subsystems,
                properties=properties,
            )
        )

    assert attached("scsi", "scsi", "usb", "usb", "pci") == "usb"
    assert attached("scsi", "ata_port", "pci") == "ata"
    assert attached("scsi", "virtio", "pci") == "scsi"
    assert attached("virtio", "pci") == "virtio"
    assert attached("nvme", "nvme", "pci") == "nvme"
    assert attached("scsi", ID_BUS="ata") == "ata"


def test_a_model_is_read_with_its_blanks() -> None:
    told = {"ID_MODEL": "QEMU_HARDDISK", "ID_MODEL_ENC": "QEMU\\x20HARDDISK\\x20\\x20"}
    (found,) = disks_of([disk("sda", 8, properties=told)], DRIVERS)
    assert found.model == "QEMU HARDDISK"


def test_a_partition_that_vanishes_while_it_is_read_has_no_length() -> None:
    sda = disk("sda", 8)
    gone = replace(part(sda, "sda1", 1), attributes={"partition": "1", "size": "", "start": ""})
    (seen,) = disks_of([sda, gone], DRIVERS)
    assert [(each.start, each.length) for each in seen.partitions] == [(0, 0)]
