"""Which disks can be chosen: what the wizard says of each is what the command itself says."""

from collections.abc import Mapping
from dataclasses import replace

import pytest

from rescue.errors import ExitCode
from rescue.model.mirror.plan import FailbackRequest, Plan, PrepareRequest
from rescue.model.storage.disk import Disk, TableKind
from rescue.model.storage.disk_health import DiskHealth, SmartState, SmartVerdict
from rescue.model.storage.machine import Machine
from rescue.model.storage.mount import FstabEntry
from rescue.model.wizard import Candidate, Choice, Task
from rescue.plan.failback import plan_failback
from rescue.plan.prepare import could_do_without, plan_prepare
from rescue.units import Bytes
from rescue.wizard.candidates import command_for, first_disk_choice, mirror_choice, stick_choice
from tests.builders import (
    NEW_IDS,
    bare_disk,
    enrolled,
    ext4,
    on_mirror,
    part,
    server,
    unplugged,
    with_disk,
    with_partition,
)


def old_disk(path: str = "/dev/sdd") -> Disk:
    return replace(unplugged(server().disks[0], path), id=bare_disk(path, "OLD0001").id)


def stick(path: str = "/dev/sdz", serial: str = "STICK01") -> Disk:
    small = bare_disk(path, serial, size=8 * 1024**3)
    return replace(small, transport="usb", removable=True)


def mirrors(machine: Machine) -> Choice:
    return mirror_choice(machine, (), new_ids=NEW_IDS)


def of(choice: Choice, path: str) -> Candidate:
    return next(each for each in choice.candidates if each.disk.path == path)


def test_a_bare_disk_can_be_chosen_and_the_running_one_cannot() -> None:
    choice = mirrors(server())
    bare, system = of(choice, "/dev/vdb"), of(choice, "/dev/vda")
    assert bare.choosable
    assert bare.speaks_for == ("large enough (needs 5.0 GiB)", "not in use", "empty")
    assert (bare.loses, bare.against) == ((), ())
    assert not system.choosable
    assert system.against[0].reason == "/dev/vda is the disk this machine runs from"


def test_what_speaks_against_a_disk_is_what_prepare_refuses() -> None:
    tiny = replace(bare_disk("/dev/sdb", "TINY"), size=Bytes(10**9), read_only=True)
    nameless = bare_disk("/dev/sdc", "")
    machine = server(TableKind.GPT, tiny, nameless, old_disk())
    choice = mirrors(machine)
    assert choice.against == ()
    for each in choice.candidates:
        give_up = each.disk.id.name
        request = PrepareRequest(target=each.disk.path, new_ids=NEW_IDS, give_up_content_of=give_up)
        answer = plan_prepare(machine, request)
        assert each.choosable is isinstance(answer, Plan)
        assert each.against == (() if isinstance(answer, Plan) else answer.findings)
    assert [each.disk.path for each in choice.choosable] == ["/dev/sdd"]


def test_data_on_another_disk_that_the_boot_waits_for_keeps_no_disk_from_being_chosen() -> None:
    data = part(1, 1, 100, ext4(8), device="/dev/vdc", serial="DATA")
    machine = with_disk(server(), with_partition(bare_disk("/dev/vdc", "DATA"), data))
    line = FstabEntry(
        spec="/dev/vdc1", target="/data", fstype="ext4", options=("defaults",), device="/dev/vdc1"
    )
    machine = replace(machine, fstab=(*machine.fstab, line))
    assert of(mirrors(machine), "/dev/vdb").choosable
    assert [each.what for each in could_do_without(machine, machine.disks[1])] == ["/data"]


def test_a_disk_with_data_can_be_chosen_and_comes_after_the_empty_ones() -> None:
    machine = server(TableKind.GPT, old_disk("/dev/sda"), bare_disk())
    choice = mirrors(machine)
    assert [each.disk.path for each in choice.choosable] == ["/dev/vdb", "/dev/sda"]
    assert len(of(choice, "/dev/sda").loses) == 6
    assert "empty" not in of(choice, "/dev/sda").speaks_for


def test_what_stands_against_every_disk_is_said_once_and_none_can_be_chosen() -> None:
    machine = replace(server(), missing_tools=(("rsync", "rsync"),))
    choice = mirrors(machine)
    assert [each.reason for each in choice.against] == ["the program rsync is not installed"]
    assert choice.choosable == ()
    assert of(choice, "/dev/vdb").against == ()


def test_two_disks_of_one_serial_cannot_be_told_apart() -> None:
    machine = with_disk(server(), bare_disk("/dev/vdc"))
    assert mirrors(machine).choosable == ()


def test_the_mirror_that_is_there_is_known() -> None:
    there = enrolled()
    choice = mirror_choice(there.machine, (there.record,), new_ids=NEW_IDS)
    candidate = of(choice, "/dev/vdb")
    assert candidate.choosable
    assert candidate.notes == ("it is the mirror 'MIR0001' already: it would be made from scratch",)


def asked(health: Mapping[str, DiskHealth]) -> Machine:
    return replace(server(), health=tuple(health.items()))


def smart(state: SmartState, *said: str, errors: tuple[str, ...] = ()) -> DiskHealth:
    return DiskHealth(smart=SmartVerdict(state=state, said=said), read_errors=errors)


@pytest.mark.parametrize(
    ("health", "note"),
    [
        (smart(SmartState.FAILING, "its spare is used up"), "it is failing: its spare is used up"),
        (smart(SmartState.SUSPECT, "8 sectors wait"), "8 sectors wait"),
        (
            smart(SmartState.PASSED, errors=("I/O error, dev vdb",)),
            "it is failing: 1 read error in the kernel's log in the last two days, the last: "
            "I/O error, dev vdb",
        ),
    ],
)
def test_a_dying_disk_is_pointed_out(health: DiskHealth, note: str) -> None:
    candidate = of(mirror_choice(asked({"/dev/vdb": health}), (), new_ids=NEW_IDS), "/dev/vdb")
    assert candidate.notes == (note,)
    assert "SMART passed" not in candidate.speaks_for


def test_a_good_verdict_speaks_for_a_disk_and_none_says_nothing() -> None:
    said = []
    for state in (SmartState.PASSED, SmartState.NO_TOOL, SmartState.UNSUPPORTED):
        health = {"/dev/vdb": smart(state, "why there is none")}
        candidate = of(mirror_choice(asked(health), (), new_ids=NEW_IDS), "/dev/vdb")
        assert candidate.notes == ()
        said.append("SMART passed" in candidate.speaks_for)
    assert said == [True, False, False]


def test_that_no_disk_could_be_asked_is_said_once() -> None:
    missing = smart(SmartState.NO_TOOL, "smartctl is not installed")
    health = {"/dev/vda": missing, "/dev/vdb": missing}
    choice = mirror_choice(asked(health), (), new_ids=NEW_IDS)
    assert choice.unknown == ("the health of the disks is unknown: smartctl is not installed",)
    assert mirrors(server()).unknown == ()


def test_a_stick_is_removable_and_no_mirror() -> None:
    there = enrolled()
    machine = with_disk(there.machine, stick())
    choice = stick_choice(machine, (there.record,))
    assert [each.disk.path for each in choice.choosable] == ["/dev/sdz"]
    assert of(choice, "/dev/sdz").speaks_for == ("removable", "not in use", "empty")
    reasons = " ".join(each.reason for each in of(choice, "/dev/vdb").against)
    assert "is the mirror 'MIR0001'" in reasons


def test_the_new_first_disk_is_chosen_on_the_mirror() -> None:
    machine = on_mirror()
    choice = first_disk_choice(machine, ("MIR0001",), new_ids=NEW_IDS)
    assert [each.disk.path for each in choice.choosable] == ["/dev/vdb"]
    assert not of(choice, "/dev/vda").choosable


def test_the_dead_disk_says_what_it_may_hold() -> None:
    dead = unplugged(server().disks[0], "/dev/vdb")
    machine = on_mirror(TableKind.GPT, dead)
    candidate = of(first_disk_choice(machine, (), new_ids=NEW_IDS), "/dev/vdb")
    asked = FailbackRequest(target="/dev/vdb", new_ids=NEW_IDS, give_up_content_of=dead.id.name)
    plan = plan_failback(machine, asked)
    assert candidate.choosable is isinstance(plan, Plan)
    assert isinstance(plan, Plan)
    assert candidate.loses == plan.loses


def test_without_root_nothing_can_be_chosen() -> None:
    choice = mirrors(replace(server(), is_root=False))
    assert [each.code for each in choice.against] == [ExitCode.USAGE]
    assert choice.choosable == ()


def test_the_command_names_the_disk_by_its_identity_and_never_by_its_path() -> None:
    disk = "WD-1"
    plain = command_for(Task.PREPARE, disk, erase=False)
    assert plain.attended == ("prepare", "WD-1")
    assert plain.scripted == ("prepare", "WD-1", "--yes", "--expect-serial", "WD-1")
    erased = command_for(Task.MEDIUM, disk, erase=True, more=("--with-rescue-system",))
    assert erased.attended == ("media", "write", "WD-1", "--erase", "WD-1", "--with-rescue-system")
    assert erased.scripted[-3:] == ("--yes", "--expect-serial", "WD-1")
    assert command_for(Task.FAILBACK, disk, erase=False).attended == ("failback", "WD-1")
