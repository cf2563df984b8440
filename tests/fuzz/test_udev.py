"""What udev and sysfs say of a disk: names, labels and numbers that its maker or owner chose."""

from collections.abc import Mapping

from hypothesis import given
from hypothesis import strategies as st

from rescue.system.block.block_tree import RawDevice, disks_of, others_of
from tests.fuzz.damage import any_text, texts
from tests.fuzz.declared import expect_declared
from tests.fuzz.effort import TRIES

DRIVERS = {8: "sd", 9: "md", 253: "device-mapper", 7: "loop", 11: "sr"}
PROPERTIES = {
    "ID_SERIAL": "WDC_WD40\\x20EFRX",
    "ID_SERIAL_SHORT": "WX12345",
    "ID_SCSI_SERIAL": "WX12345",
    "ID_WWN": "0x50014ee2b1234567",
    "ID_WWN_WITH_EXTENSION": "0x50014ee2b1234567",
    "ID_MODEL": "WDC_WD40EFRX",
    "ID_MODEL_ENC": "WDC\\x20WD40\\xffEFRX\\x00",
    "ID_BUS": "usb",
    "ID_CDROM": "0",
    "ID_FS_TYPE": "ext4",
    "ID_FS_LABEL_ENC": "my\\x20disk",
    "ID_FS_UUID_ENC": "2613c7f4-9cbe-4eb2-a60d-182102d2f812",
    "ID_PART_TABLE_TYPE": "gpt",
    "ID_PART_TABLE_UUID": "aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee",
    "ID_PART_ENTRY_SIZE": "4096",
    "ID_PART_ENTRY_TYPE": "0x83",
    "ID_PART_ENTRY_UUID": "deadbeef-01",
    "ID_PART_ENTRY_NAME": "EFI\\x20System",
    "MD_UUID": "04a7da9c:75765c22:68d0be75:de20b03e",
    "MD_DEVICES": "2",
}
ATTRIBUTES = {
    "size": "2097152",
    "start": "2048",
    "partition": "1",
    "ro": "0",
    "removable": "1",
    "hidden": "0",
    "serial": "",
    "device/model": "WDC WD40",
    "queue/logical_block_size": "512",
    "queue/physical_block_size": "4096",
    "dm/name": "vg-root",
    "dm/uuid": "LVM-abc",
    "md/level": "raid1",
    "md/metadata_version": "1.2",
    "md/raid_disks": "2",
    "md/degraded": "1",
    "md/sync_action": "recover",
    "md/dev-sd1/offset": "2048",
    "md/dev-sd1/state": "in_sync",
}


@st.composite
def changed(draw: st.DrawFn, known: Mapping[str, str]) -> dict[str, str]:
    """Draw what is known, some of it missing and some with other values."""
    keys = st.sampled_from(sorted(known))
    said = dict(known)
    for key in draw(st.lists(keys, max_size=3)):
        said.pop(key, None)
    for key in draw(st.lists(keys, max_size=3)):
        said[key] = draw(texts(known[key]))
    return said


@st.composite
def devices(draw: st.DrawFn) -> tuple[RawDevice, ...]:
    """Draw some disks with partitions and layers; whatever holds another one comes after it."""
    found: list[RawDevice] = []
    for number in range(draw(st.integers(1, 4))):
        parent = draw(st.sampled_from(["", *(each.sys_path for each in found)]))
        later = [f"sd{later}" for later in range(number + 1, 5)]
        found.append(
            RawDevice(
                sys_path=f"{parent or '/sys/block'}/sd{number}",
                sys_name=f"sd{number}",
                node=f"/dev/sd{number}",
                kind=draw(st.sampled_from(["disk", "partition"])),
                major=draw(st.sampled_from(sorted(DRIVERS))),
                minor=number,
                parent=parent,
                holders=tuple(draw(st.lists(st.sampled_from(later), max_size=2, unique=True))),
                links=tuple(
                    draw(st.lists(any_text().map("/dev/disk/by-id/{}".format), max_size=2))
                ),
                known=draw(st.booleans()),
                properties=draw(changed(PROPERTIES)),
                attributes=draw(changed(ATTRIBUTES)),
            )
        )
    return tuple(found)


@TRIES
@given(devices())
def test_disks_and_what_is_none(raw: tuple[RawDevice, ...]) -> None:
    for disk in disks_of(raw, DRIVERS):
        expect_declared(disk)
        assert disk.size > 0
    expect_declared(others_of(raw, DRIVERS))
