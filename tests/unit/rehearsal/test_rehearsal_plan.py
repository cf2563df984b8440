"""The rehearsal is planned whole, or refused with every reason, before a byte is written."""

from dataclasses import replace
from pathlib import Path

from rescue.errors import ExitCode
from rescue.model.finding import Refused
from rescue.model.mirror.record import MirrorState
from rescue.model.rehearsal import DrillPlan
from rescue.model.storage.disk import TableKind
from rescue.model.storage.identity import DiskId
from rescue.rehearsal.plan import FIRST_SERIAL, NEW_SERIAL, DrillRequest, first_disk, plan_drill
from rescue.rehearsal.script import script_settings
from rescue.system.block.change_ids import filesystem_argvs, table_argvs
from rescue.units import GIB
from tests.builders import Enrolled, enrolled, on_mirror, unplugged, uuid

LAST = 1_700_000_000.0
NOW = LAST + 7200
REQUEST = DrillRequest(work_dir="/var/tmp", limit=3600, token="word")


def ready(kind: TableKind = TableKind.GPT) -> Enrolled:
    """Return a machine and its mirror after a complete run."""
    there = enrolled(kind)
    record = replace(there.record, state=MirrorState.COMPLETE, last_complete=LAST)
    return replace(there, record=record)


def asked(there: Enrolled, **changes: object) -> object:
    given = {
        "used": GIB,
        "free": 100 * GIB,
        "free_mib": 8192,
        "now": NOW,
        "marker": there.record,
    } | changes
    marker = given.pop("marker")
    return plan_drill(there.machine, there.record, marker, REQUEST, **given)  # type: ignore[arg-type]


def planned(there: Enrolled) -> DrillPlan:
    plan = asked(there)
    assert isinstance(plan, DrillPlan), plan
    return plan


def reasons(answer: object) -> str:
    assert isinstance(answer, Refused), "this must never be planned"
    return "\n".join(refusal.reason for refusal in answer.findings)


def test_the_new_disk_is_as_large_as_the_first_one() -> None:
    plan = planned(ready())
    assert plan.mirror_path == "/dev/vdb"
    assert plan.new_size == 6 * GIB
    assert plan.room > GIB
    assert LAST < plan.died < NOW


def test_the_dead_disk_shows_the_sources_names_and_has_no_table() -> None:
    first = planned(ready()).first
    assert first.serial == "SRC0001"
    assert first.table_uuid == "50bce222-0000-4000-8000-000000000000"
    assert first.wreck == 34 * 512
    assert not first.keeps_table
    by_number = {part.number: part for part in first.parts}
    assert by_number[1].kind == ""  # GRUB's own partition holds no file system
    assert by_number[2].kind == "vfat"
    assert by_number[2].uuid == "50BC-E002"
    assert (by_number[4].kind, by_number[4].uuid) == ("ext4", uuid(4))
    assert (by_number[6].kind, by_number[6].uuid) == ("swap", uuid(6))
    assert by_number[4].start == 512 * 1024**2
    assert by_number[4].length == 3072 * 1024**2
    assert {part.partuuid for part in first.parts} == {
        f"50bce111-0000-4000-8000-{number:012d}" for number in range(1, 7)
    }


def test_an_mbr_disk_gets_its_signature_and_loses_its_first_sector() -> None:
    first = planned(ready(TableKind.MBR)).first
    assert first.table_uuid == "5eedbeef"
    assert first.wreck == 512
    assert {part.partuuid for part in first.parts} == {""}
    assert next(part for part in first.parts if part.number == 5).uuid == uuid(5)


def test_a_serial_that_no_virtual_disk_can_show_leaves_the_table_to_know_the_disk_by() -> None:
    there = ready()
    assert there.machine.disks[1].table is not None
    for strange in (
        DiskId(wwn="0x5000c500a1b2c3d4"),
        DiskId(serial="S" * 21),
        DiskId(serial="schwärzlich"),
    ):
        source = replace(there.record.source, id=strange)
        first = first_disk(replace(there.record, source=source), there.machine.disks[1].table)
        assert first.serial == FIRST_SERIAL
        assert first.keeps_table
        assert first.wreck == 440  # the boot code alone: the table begins behind it


def test_the_marks_lie_in_the_homes_whichever_file_system_they_are_on() -> None:
    homes = planned(ready()).homes
    assert (homes.folder, homes.path) == ("rescue-drill", "/home/rescue-drill")
    assert homes.start == 3584 * 1024**2
    there = ready()
    on_root = tuple(pair for pair in there.record.filesystems if pair.mount_point != "/home")
    record = replace(there.record, filesystems=on_root)
    homes = planned(replace(there, record=record)).homes
    assert homes.folder == "home/rescue-drill"
    assert homes.start == 512 * 1024**2


def test_marks_tell_what_must_become_of_each() -> None:
    marks = {mark.name: mark for mark in planned(ready()).marks}
    assert marks["mail-0"].after_restore == "word mail 0 after the last run"
    assert marks["changed"].after_restore == "word changed after the last run"
    assert marks["deleted"].after_restore == "word deleted after the last run"
    assert marks["newer-here"].after_restore == "word changed since the mirror runs"
    assert marks["since-failback"].after_restore == ""
    assert all(mark.at_home.startswith("word ") for mark in marks.values())


def test_a_machine_on_its_mirror_has_the_night_already() -> None:
    there = ready()
    answer = asked(replace(there, machine=on_mirror()))
    assert "runs from its mirror" in reasons(answer)


def test_what_is_not_complete_would_not_be_started() -> None:
    there = ready()
    for state in (MirrorState.NEW, MirrorState.RUNNING, MirrorState.FAILED):
        unfinished = replace(there, record=replace(there.record, state=state))
        assert f"is not complete ({state})" in reasons(asked(unfinished))


def test_a_mirror_that_is_not_there_or_another_disk_is_refused() -> None:
    there = ready()
    gone = replace(there, machine=replace(there.machine, disks=there.machine.disks[:1]))
    assert "is not attached" in reasons(asked(gone))
    assert "has no marker" in reasons(asked(there, marker=None))
    stranger = replace(there.record, machine_id="f" * 32)
    assert "mirror of another machine" in reasons(asked(there, marker=stranger))


def test_a_mirror_with_large_sectors_is_refused() -> None:
    there = ready()
    mirror = replace(unplugged(there.machine.disks[1], "/dev/vdb"), logical_sector=4096)
    answer = asked(
        replace(there, machine=replace(there.machine, disks=(there.machine.disks[0], mirror)))
    )
    assert "4096" in reasons(answer)


def test_room_is_checked_before_the_first_byte() -> None:
    answer = asked(ready(), used=50 * GIB, free=50 * GIB)
    assert "/var/tmp has 50.0 GiB" in reasons(answer)
    assert isinstance(answer, Refused)
    assert answer.findings[0].code is ExitCode.REFUSED
    assert "--work-dir" in answer.findings[0].hint


def test_memory_is_left_to_the_server() -> None:
    refused = asked(ready(), free_mib=3000)
    assert isinstance(refused, Refused)
    assert "3000 MiB of memory are free" in refused.findings[0].reason


def test_a_clock_that_is_wrong_is_refused() -> None:
    assert "clock" in reasons(asked(ready(), now=LAST - 1))


def test_the_guest_is_told_names_and_marks_in_words_that_a_shell_reads() -> None:
    plan = planned(ready())
    text = script_settings(
        replace(plan, first=replace(plan.first, serial="it's $HOME")), channel="/dev/ttyS1"
    )
    assert "CHANNEL=/dev/ttyS1\n" in text
    assert "FIRST='it'\"'\"'s $HOME'\n" in text
    assert f"NEW={NEW_SERIAL}\n" in text
    here, late = text.split("write_late")
    assert "printf %s 'word made since the mirror runs' >\"$FOLDER\"/since\n" in here
    assert "since-failback" not in here
    assert "since-failback" in late
    assert "mail-0" not in text


def test_identifiers_are_turned_back_without_writing_every_checksum_anew() -> None:
    file = Path("/w/part")
    assert filesystem_argvs("ext4", "u", file, features=("metadata_csum",)) == (
        ["tune2fs", "-O", "metadata_csum_seed", "/w/part"],
        ["tune2fs", "-U", "u", "/w/part"],
    )
    assert filesystem_argvs("ext3", "u", file) == (["tune2fs", "-U", "u", "/w/part"],)
    seeded = ("metadata_csum", "metadata_csum_seed")
    assert filesystem_argvs("ext4", "u", file, features=seeded) == (
        ["tune2fs", "-U", "u", "/w/part"],
    )
    assert filesystem_argvs("xfs", "u", file) == (["xfs_admin", "-f", "-U", "u", "/w/part"],)
    assert filesystem_argvs("btrfs", "u", file) == (["btrfstune", "-f", "-M", "u", "/w/part"],)
    assert filesystem_argvs("vfat", "AB12-CD34", file) == (
        ["fatlabel", "-i", "/w/part", "AB12CD34"],
    )
    assert filesystem_argvs("swap", "u", file) == (["swaplabel", "--uuid", "u", "/w/part"],)
    assert filesystem_argvs("", "u", file) == ()
    assert table_argvs(file, table_uuid="t", partuuids=((1, "p"),), is_gpt=True) == (
        ["sfdisk", "--disk-id", "/w/part", "t"],
        ["sfdisk", "--part-uuid", "/w/part", "1", "p"],
    )
    assert table_argvs(file, table_uuid="5eedbeef", partuuids=(), is_gpt=False) == (
        ["sfdisk", "--disk-id", "/w/part", "0x5eedbeef"],
    )
