"""What is never made a rescue medium, and what only when that very disk is named."""

from dataclasses import replace

import pytest

from rescue.errors import ExitCode
from rescue.medium.plan import medium_refusals, plan_medium
from rescue.model.finding import Refusal, Refused
from rescue.model.medium import MEDIUM_TABLE, MediumImage, MediumPlan, MediumRequest
from rescue.model.storage.disk import Disk, PartitionTable, TableKind, Use, UseKind
from rescue.model.storage.machine import Machine
from rescue.model.storage.mount import FstabEntry
from rescue.store.codec import to_json
from rescue.units import MIB, Bytes
from tests.builders import bare_disk, disk_with, enrolled, ext4, part, server, with_partition

IMAGE = MediumImage(path="/var/tmp/medium.img", size=29 * MIB, sha256="ab" * 32)


def stick(**changes: object) -> Disk:
    blank = replace(bare_disk("/dev/sdb", "STICK1", size=64 * MIB), transport="usb")
    return replace(blank, **changes)  # type: ignore[arg-type]


def used_stick(*, use: Use | None = None) -> Disk:
    held = part(1, 1, 32, ext4(1, "photos"), device="/dev/sdb", serial="STICK1")
    return with_partition(stick(), replace(held, uses=(use,) if use else ()))


def planned(machine: Machine, target: str = "/dev/sdb", **consent: str) -> MediumPlan:
    answer = plan_medium(machine, MediumRequest(target=target, **consent), IMAGE)
    assert isinstance(answer, MediumPlan), answer
    return answer


def reasons(machine: Machine, target: str = "/dev/sdb", **consent: str) -> tuple[Refusal, ...]:
    answer = plan_medium(machine, MediumRequest(target=target, **consent), IMAGE)
    assert isinstance(answer, Refused), "this must never be planned"
    assert all(each.hint for each in answer.findings)
    return answer.findings


def test_a_blank_stick_is_planned_with_the_image_it_will_hold() -> None:
    plan = planned(server(TableKind.GPT, stick()))
    assert (plan.target_path, plan.disk.name, plan.image) == ("/dev/sdb", "STICK1", IMAGE)
    assert plan.loses == ()
    assert "STICK1" in to_json(plan)


@pytest.mark.parametrize("target", ["/dev/vda", "SRC0001"])
def test_the_running_disk_is_never_a_medium(target: str) -> None:
    found = reasons(
        server(TableKind.GPT, stick()),
        target,
        give_up_content_of="SRC0001",
        accept_fixed="SRC0001",
    )
    assert found[0].code is ExitCode.REFUSED
    assert "disk this machine runs from" in found[0].reason


@pytest.mark.parametrize(
    "use",
    [
        Use(kind=UseKind.MOUNTED, where="/media/photos"),
        Use(kind=UseKind.SWAP, where="/dev/sdb1"),
        Use(kind=UseKind.HOLDER, where="/dev/dm-0"),
    ],
)
def test_what_is_in_use_is_refused_whatever_was_given_up(use: Use) -> None:
    found = reasons(server(TableKind.GPT, used_stick(use=use)), give_up_content_of="STICK1")
    assert [each.code for each in found] == [ExitCode.REFUSED]


def test_data_is_lost_only_by_the_name_of_that_very_stick() -> None:
    machine = server(TableKind.GPT, used_stick())
    for other in ("", "STICK2", "/dev/sdb", "SRC0001"):
        found = reasons(machine, give_up_content_of=other)
        assert "photos" in found[0].reason
        assert "--erase STICK1" in found[0].hint
    assert "photos" in planned(machine, give_up_content_of="STICK1").loses[0]


def test_a_fixed_disk_is_written_only_by_its_name() -> None:
    machine = server(TableKind.GPT, stick(transport="sata"))
    for other in ("", "STICK2", "SRC0001"):
        found = reasons(machine, accept_fixed=other)
        assert [each.reason for each in found] == ["/dev/sdb (sata) is not removable"]
        assert "--accept-fixed STICK1" in found[0].hint
    assert planned(machine, accept_fixed="STICK1")
    assert planned(server(TableKind.GPT, stick(transport="", removable=True)))


def test_a_small_stick_is_refused_with_both_sizes() -> None:
    found = reasons(server(TableKind.GPT, stick(size=Bytes(16 * MIB))))
    assert len(found) == 1
    assert "has 16.0 MiB, the medium needs 29.0 MiB (13631488 bytes more)" in found[0].reason


def test_a_stick_without_serial_or_with_large_sectors_is_refused() -> None:
    nameless = replace(stick(), id=bare_disk(serial="").id)
    assert "neither a serial number" in reasons(server(TableKind.GPT, nameless))[0].reason
    large = server(TableKind.GPT, stick(logical_sector=4096))
    assert "logical sectors of 4096" in reasons(large)[0].reason


def test_what_fstab_waits_for_is_refused() -> None:
    machine = server(TableKind.GPT, stick())
    line = FstabEntry(spec="LABEL=x", target="/srv", fstype="ext4", device="/dev/sdb")
    assert "fstab" in reasons(replace(machine, fstab=(*machine.fstab, line)))[0].reason


def test_neither_mirror_nor_source_is_made_a_medium_even_when_given_up() -> None:
    known = enrolled()
    mirror = known.record.mirror.id.name
    asked = MediumRequest(target=mirror, give_up_content_of=mirror, accept_fixed=mirror)
    found = medium_refusals(known.machine, asked, IMAGE, known=(known.record,))
    assert [each.reason for each in found] == ["/dev/vdb is the mirror 'MIR0001' of server"]


def test_a_medium_is_written_anew_when_it_is_given_up() -> None:
    parts = (part(1, 1, 28, ext4(1, "RESCUE-BOOT"), type_="ef", device="/dev/sdb"),)
    table = PartitionTable(kind=TableKind.MBR, uuid=MEDIUM_TABLE, partitions=parts)
    medium = replace(disk_with(table, path="/dev/sdb", serial="STICK1"), transport="usb")
    machine = server(TableKind.GPT, medium)
    assert "is not empty" in reasons(machine)[0].reason
    assert "already" in planned(machine, give_up_content_of="STICK1").notes[0]


def test_only_root_writes_and_every_reason_is_given_at_once() -> None:
    disk = replace(used_stick(), transport="sata", size=Bytes(16 * MIB))
    found = reasons(replace(server(TableKind.GPT, disk), is_root=False))
    assert found[0].code is ExitCode.USAGE
    assert len(found) == 4


def test_before_the_image_is_built_its_size_stands_against_nothing() -> None:
    machine = server(TableKind.GPT, stick(size=Bytes(16 * MIB)))
    assert medium_refusals(machine, MediumRequest(target="STICK1"), None) == ()
