"""Tables written to image files, read back by sgdisk and parted."""

import json
import re
import subprocess
import uuid
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rescue.errors import RescueError
from rescue.model.storage.disk import Partition, PartitionKind, PartitionTable, TableKind
from rescue.system.block.read_table import read_table
from rescue.system.block.write_table import first_difference, write_table
from rescue.units import Sectors

SIZE = 256 * 1024 * 1024
LINUX = "0FC63DAF-8483-4772-8E79-3D69D8477DE4"
ESP = "C12A7328-F81F-11D2-BA4B-00A0C93EC93B"
BIOS = "21686148-6449-6E6F-744E-656564454649"
ODD = "6A898CC3-1DD2-11B2-99A6-080020736631"


def image(folder: Path) -> str:
    path = folder / f"{uuid.uuid4()}.img"
    with path.open("wb") as file:
        file.truncate(SIZE)
    return str(path)


def guid(seed: int) -> str:
    return str(uuid.UUID(int=0x1234_0000_4000_8000_0000_0000_0000 + seed, version=4))


def gpt(number: int, start: int, length: int, code: str = LINUX, **more: str) -> Partition:
    return Partition(
        number=number,
        start=Sectors(start),
        length=Sectors(length),
        type=code,
        uuid=guid(number),
        name=more.get("name", ""),
        attrs=more.get("attrs", ""),
    )


def mbr(
    number: int,
    start: int,
    length: int,
    code: str = "83",
    kind: PartitionKind = PartitionKind.PRIMARY,
    *,
    bootable: bool = False,
) -> Partition:
    return Partition(
        number=number,
        start=Sectors(start),
        length=Sectors(length),
        type=code,
        uuid=f"1badcafe-{number:02x}",
        kind=kind,
        bootable=bootable,
    )


def said(*argv: str) -> str:
    env = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8"}
    return subprocess.run(argv, check=True, capture_output=True, text=True, env=env).stdout


def test_debian_cloud_table_keeps_its_numbers_and_order(tmp_path: Path) -> None:
    path = image(tmp_path)
    table = PartitionTable(
        kind=TableKind.GPT,
        uuid=guid(99),
        partitions=(
            gpt(1, 262144, 200000, name="root ü"),
            gpt(14, 2048, 6144, BIOS),
            gpt(15, 8192, 253952, ESP, name="EFI system", attrs="RequiredPartition GUID:48,63"),
        ),
    )
    write_table(path, table)

    assert "No problems found" in said("sgdisk", "--verify", path)
    first = said("sgdisk", "--info=1", path)
    assert guid(1) in first.lower()
    assert "'root ü'" in first
    assert "First sector: 262144 " in first
    assert "Partition size: 200000 sectors" in first
    esp = said("sgdisk", "--info=15", path)
    assert ESP in esp
    assert "Attribute flags: 8001000000000001" in esp
    rows = said("parted", "--script", "--machine", path, "unit", "s", "print").splitlines()[2:]
    assert [row.split(":")[:3] for row in rows] == [
        ["14", "2048s", "8191s"],
        ["15", "8192s", "262143s"],
        ["1", "262144s", "462143s"],
    ]
    assert guid(99) in said("sgdisk", "--print", path).lower()


def test_type_that_libparted_does_not_know_and_legacy_boot(tmp_path: Path) -> None:
    path = image(tmp_path)
    table = PartitionTable(
        kind=TableKind.GPT,
        uuid=guid(7),
        partitions=(gpt(3, 34, 1000, ODD, attrs="LegacyBIOSBootable", name="ends here"),),
    )
    write_table(path, table)
    info = said("sgdisk", "--info=3", path)
    assert ODD in info
    assert "Attribute flags: 0000000000000004" in info


def test_mbr_with_a_gap_an_extended_and_logicals_out_of_order(tmp_path: Path) -> None:
    path = image(tmp_path)
    table = PartitionTable(
        kind=TableKind.MBR,
        uuid="1badcafe",
        partitions=(
            mbr(1, 2048, 20480, bootable=True),
            mbr(4, 22528, 400000, "5", PartitionKind.EXTENDED),
            mbr(5, 122880, 40960, "82", PartitionKind.LOGICAL),
            mbr(6, 24576, 40960, "8e", PartitionKind.LOGICAL),
            mbr(7, 204800, 100000, "a5", PartitionKind.LOGICAL),
        ),
    )
    write_table(path, table)
    rows = said("parted", "--script", "--machine", path, "unit", "s", "print").splitlines()[2:]
    assert sorted(row.split(":")[:3] for row in rows) == [
        ["1", "2048s", "22527s"],
        ["4", "22528s", "422527s"],
        ["5", "122880s", "163839s"],
        ["6", "24576s", "65535s"],
        ["7", "204800s", "304799s"],
    ]
    assert next(row for row in rows if row.startswith("1:")).rstrip(";").endswith("boot")
    dump = said("sfdisk", "--dump", path)
    assert "label-id: 0x1badcafe" in dump
    assert re.search(r"img7 :.*type=a5", dump)
    assert re.search(r"img4 :.*type=5\b", dump)
    assert dump.count("bootable") == 1


def test_two_partitions_can_be_active(tmp_path: Path) -> None:
    path = image(tmp_path)
    parts = (
        mbr(1, 2048, 2048, bootable=True),
        mbr(2, 4096, 2048),
        mbr(3, 6144, 2048, "7", bootable=True),
    )
    table = PartitionTable(kind=TableKind.MBR, uuid="1badcafe", partitions=parts)
    write_table(path, table)
    rows = said("parted", "--script", "--machine", path, "unit", "s", "print").splitlines()[2:]
    assert [row.startswith("2:") for row in rows if "boot" not in row] == [True]
    assert said("sfdisk", "--dump", path).count("bootable") == 2
    assert [part.bootable for part in read_table(path).partitions] == [True, False, True]


def test_a_gpt_with_room_for_four_entries_keeps_its_room(tmp_path: Path) -> None:
    path = image(tmp_path)
    parts = (
        gpt(1, 6, 2042, BIOS),
        gpt(4, 2048, 4096, name='"quoted", ü'),
        gpt(2, 8192, SIZE // 512 - 2 - 8192, ESP, attrs="RequiredPartition GUID:63"),
    )
    table = PartitionTable(kind=TableKind.GPT, uuid=guid(99), partitions=parts, entries=4)
    write_table(path, table)
    shown = said("sgdisk", "--print", path)
    assert "holds up to 4 entries" in shown
    assert guid(99) in shown.lower()
    assert "No problems found" in said("sgdisk", "--verify", path)
    rows = said("parted", "--script", "--machine", path, "unit", "s", "print").splitlines()[2:]
    assert sorted(row.split(":")[:3] for row in rows) == [
        ["1", "6s", "2047s"],
        ["2", "8192s", f"{SIZE // 512 - 3}s"],
        ["4", "2048s", "6143s"],
    ]
    assert read_table(path).entries == 4


def test_a_gpt_with_more_than_128_partitions(tmp_path: Path) -> None:
    path = image(tmp_path)
    parts = tuple(gpt(number, 2048 * number, 2048) for number in (*range(1, 125), 199))
    table = PartitionTable(kind=TableKind.GPT, uuid=guid(99), partitions=parts, entries=200)
    # The numbers alone are beyond 128: each partition costs four processes.
    write_table(path, replace(table, partitions=parts[-3:]))
    assert "holds up to 200 entries" in said("sgdisk", "--print", path)
    assert "No problems found" in said("sgdisk", "--verify", path)
    assert guid(199) in said("sgdisk", "--info=199", path).lower()
    assert first_difference(replace(table, partitions=parts[-3:]), read_table(path)) == ""
    assert "entries" in first_difference(table, replace(table, entries=128))


def test_old_table_of_another_kind_is_gone(tmp_path: Path) -> None:
    path = image(tmp_path)
    old = PartitionTable(kind=TableKind.GPT, uuid=guid(1), partitions=(gpt(1, 2048, 2048),))
    write_table(path, old)
    new = PartitionTable(kind=TableKind.MBR, uuid="00c0ffee", partitions=(mbr(1, 2048, 4096, "c"),))
    write_table(path, new)
    assert json.loads(said("sfdisk", "--json", path))["partitiontable"]["label"] == "dos"


def test_table_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    path = image(tmp_path)
    table = PartitionTable(
        kind=TableKind.GPT, uuid=guid(1), partitions=(gpt(1, 2048, SIZE // 512),)
    )
    with pytest.raises(RescueError):
        write_table(path, table)


def test_every_difference_is_named() -> None:
    table = PartitionTable(kind=TableKind.GPT, uuid=guid(1), partitions=(gpt(1, 2048, 2048),))
    part = table.partitions[0]
    for other, word in [
        (replace(part, start=Sectors(4096)), "start"),
        (replace(part, type=ESP), "type"),
        (replace(part, uuid=guid(9)), "uuid"),
        (replace(part, name="x"), "name"),
        (replace(part, attrs="RequiredPartition"), "attributes"),
    ]:
        assert word in first_difference(table, replace(table, partitions=(other,)))
    assert first_difference(table, replace(table, partitions=())) != ""
    assert first_difference(table, table) == ""


@st.composite
def gpt_tables(draw: st.DrawFn) -> PartitionTable:
    count = draw(st.integers(1, 8))
    numbers = draw(st.lists(st.integers(1, 128), min_size=count, max_size=count, unique=True))
    # Holes of one sector are left out: libparted refuses a partition that fills one.
    places = st.integers(256, SIZE // 4096 - 16).map(lambda place: place * 8)
    cuts = sorted(draw(st.sets(places, min_size=count + 1, max_size=count + 1)))
    parts = tuple(
        gpt(
            number,
            start,
            draw(st.integers(1, end - start)),
            draw(st.sampled_from([LINUX, ESP, BIOS, ODD])),
            name=draw(st.text("abc XYZ-ÄÖé日", max_size=36)).strip(),
            attrs=draw(st.sampled_from(["", "RequiredPartition", "LegacyBIOSBootable GUID:60"])),
        )
        for number, start, end in zip(numbers, cuts, cuts[1:], strict=False)
    )
    return PartitionTable(kind=TableKind.GPT, uuid=guid(77), partitions=parts)


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(table=gpt_tables())
def test_any_gpt_comes_back_as_it_was_written(tmp_path: Path, table: PartitionTable) -> None:
    path = image(tmp_path)
    write_table(path, table)
    assert "No problems found" in said("sgdisk", "--verify", path)
    assert first_difference(table, read_table(path)) == ""
    Path(path).unlink()
