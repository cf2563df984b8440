"""sfdisk's JSON, read into partition tables."""

from pathlib import Path

import pytest

from rescue.errors import RescueError
from rescue.model.storage.disk import PartitionKind, TableKind
from rescue.system.block.read_table import flags_of, mbr_partuuid, parse_table

DATA = Path(__file__).parents[2] / "data" / "discover"


def recorded(name: str) -> str:
    return (DATA / name).read_text("utf-8")


def test_gpt_as_sfdisk_tells_it() -> None:
    table = parse_table(recorded("sfdisk-gpt.json"))
    assert table.kind is TableKind.GPT
    assert table.uuid == "aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee"
    assert [part.number for part in table.partitions] == [1, 2, 3, 4, 5, 12]
    boot = table.partition(3)
    assert (boot.start, boot.length) == (86016, 614400)
    assert boot.type == "0FC63DAF-8483-4772-8E79-3D69D8477DE4"
    assert boot.uuid == "7de8c9bd-40a8-d741-bb74-cb0d41f07b8f"
    assert boot.attrs == "LegacyBIOSBootable GUID:63"
    assert boot.flags == ("legacy_boot",)
    assert table.partition(4).name == "rööt"
    assert table.partition(1).flags == ("bios_grub",)
    assert table.partition(2).flags == ("boot", "esp")


def test_a_disk_whose_name_ends_in_a_digit_and_a_partition_with_two() -> None:
    table = parse_table(recorded("sfdisk-nvme.json"))
    assert [part.number for part in table.partitions] == [1, 2, 3, 4, 5, 12]


@pytest.mark.parametrize(
    ("device", "node", "number"),
    [
        ("/dev/mmcblk0", "/dev/mmcblk0p1", 1),
        ("/dev/sda", "/dev/sda11", 11),
        ("/dev/disk/by-id/virtio-A1", "/dev/disk/by-id/virtio-A1-part3", 3),
        ("disk1", "disk1p1", 1),
    ],
)
def test_the_number_is_what_follows_the_device(device: str, node: str, number: int) -> None:
    row = f'{{"node": "{node}", "start": 1, "size": 2, "type": "83"}}'
    head = f'"label": "dos", "id": "0x1", "device": "{device}"'
    table = parse_table(f'{{"partitiontable": {{{head}, "partitions": [{row}]}}}}')
    assert table.partitions[0].number == number


def test_mbr_with_logical_partitions() -> None:
    table = parse_table(recorded("sfdisk-mbr.json"))
    assert (table.kind, table.uuid) == (TableKind.MBR, "0badcafe")
    kinds = {part.number: part.kind for part in table.partitions}
    assert kinds == {
        1: PartitionKind.PRIMARY,
        2: PartitionKind.EXTENDED,
        5: PartitionKind.LOGICAL,
        6: PartitionKind.LOGICAL,
    }
    assert table.partition(1).bootable
    assert table.partition(1).flags == ("boot",)
    assert table.partition(5).uuid == "0badcafe-05"
    assert not table.partition(6).bootable


def test_partuuid_of_an_mbr_counts_in_hexadecimal_and_needs_a_disk_id() -> None:
    assert mbr_partuuid("0badcafe", 10) == "0badcafe-0a"
    assert mbr_partuuid("00000000", 1) == ""


def test_an_empty_table_is_a_table() -> None:
    text = '{"partitiontable": {"label": "gpt", "id": "AB", "device": "x", "unit": "sectors"}}'
    assert parse_table(text).partitions == ()


def test_other_tables_are_said_to_be_unsupported() -> None:
    with pytest.raises(RescueError) as caught:
        parse_table('{"partitiontable": {"label": "sun", "id": "0x1", "device": "x"}}')
    assert "GPT and MBR" in caught.value.hint


def test_flags_come_from_type_attributes_and_boot_flag() -> None:
    assert flags_of(TableKind.MBR, "fd", attrs="", bootable=True) == ("boot", "raid")
    lvm = "E6D6D379-F507-44C2-A23C-238F2A3DF928"
    assert flags_of(TableKind.GPT, lvm, attrs="RequiredPartition", bootable=False) == (
        "hidden",
        "lvm",
    )


@pytest.mark.parametrize(
    "row",
    [
        '{"node": "x1", "start": 2048, "size": 1, "type": null, "uuid": "u"}',
        '{"node": 1, "start": 2048, "size": 1, "type": "t", "uuid": "u"}',
        '{"node": "x1", "start": "2048", "size": 1, "type": "t", "uuid": "u"}',
        '{"node": "x1", "start": -1, "size": 1, "type": "t", "uuid": "u"}',
        '{"node": "x1", "start": 2048, "size": 1e999, "type": "t", "uuid": "u"}',
        '"x1"',
    ],
)
def test_a_row_of_another_kind_is_no_partition(row: str) -> None:
    head = '"label": "gpt", "id": "i", "device": "x"'
    with pytest.raises(RescueError, match="sfdisk"):
        parse_table(f'{{"partitiontable": {{{head}, "partitions": [{row}]}}}}')


def test_a_number_of_entries_without_end_is_none() -> None:
    head = '"label": "gpt", "id": "i", "device": "x", "table-length": Infinity'
    with pytest.raises(RescueError, match="sfdisk"):
        parse_table(f'{{"partitiontable": {{{head}}}}}')
