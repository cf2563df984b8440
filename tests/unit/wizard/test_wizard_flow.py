"""What the wizard offers, on which machine, in which order: no terminal is needed for that."""

from dataclasses import replace

import pytest

from rescue.model.medium import MEDIUM_TABLE
from rescue.model.mirror.record import Handover, MirrorRecord, MirrorState
from rescue.model.run.schedule import Installed, ScheduleSettings
from rescue.model.storage.machine import Machine
from rescue.model.wizard import Here, Page, Task
from rescue.ui.wizard import menu_hint, menu_line
from rescue.wizard.flow import command_of, page
from tests.builders import bare_disk, enrolled, on_mirror, server

DONE = frozenset({Task.MEDIUM, Task.PROVE})


def complete() -> MirrorRecord:
    return replace(enrolled().record, state=MirrorState.COMPLETE)


def tasks(shown: Page) -> list[Task]:
    return [each.task for each in shown.offers]


def test_a_machine_without_a_mirror_is_told_what_is_at_stake_and_offered_one() -> None:
    shown = page(Here(machine=server()))
    assert tasks(shown) == [Task.PREPARE, Task.STATUS, Task.LEAVE]
    assert shown.suggested is Task.PREPARE
    assert "has no mirror: if the disk dies, everything is lost" in shown.head[0]
    assert "/dev/vda (SRC0001)" in shown.head[0]


def test_a_system_that_lies_on_layers_is_not_told_to_be_lost() -> None:
    shown = page(Here(machine=replace(server(), mounts=())))
    assert "does not run from a plain partition" in shown.head[0]
    assert shown.suggested is Task.PREPARE


def test_enter_alone_leads_from_a_bare_disk_to_the_end() -> None:
    machine = enrolled().machine
    here = Here(machine=machine, records=(complete(),), verbs=frozenset({"prove"}))
    assert page(here).suggested is Task.SCHEDULE
    here = replace(here, schedule=Installed.YES)
    assert page(here).suggested is Task.MEDIUM
    here = replace(here, did=frozenset({Task.MEDIUM}))
    assert page(here).suggested is Task.PROVE
    here = replace(here, did=DONE)
    assert page(here).suggested is Task.LEAVE


def test_everything_can_be_done_again() -> None:
    here = Here(
        machine=enrolled().machine,
        records=(complete(),),
        schedule=Installed.YES,
        verbs=frozenset({"prove"}),
        did=DONE,
    )
    assert tasks(page(here)) == [
        *(Task.PREPARE, Task.MIRROR, Task.SCHEDULE, Task.MEDIUM, Task.PROVE),
        *(Task.STATUS, Task.LEAVE),
    ]


def test_a_proof_is_offered_only_where_there_is_one() -> None:
    here = Here(machine=enrolled().machine, records=(complete(),))
    assert Task.PROVE not in tasks(page(here))


@pytest.mark.parametrize(
    ("state", "said"),
    [
        (MirrorState.NEW, "was never complete"),
        (MirrorState.RUNNING, "is being written, or a run was interrupted"),
        (MirrorState.FAILED, "is not complete: it was pulled out"),
    ],
)
def test_a_mirror_that_is_not_whole_is_mirrored_first(state: MirrorState, said: str) -> None:
    record = replace(complete(), state=state, last_error="it was pulled out")
    shown = page(Here(machine=enrolled().machine, records=(record,)))
    assert shown.suggested is Task.MIRROR
    assert said in shown.head[1]


def test_an_outdated_schedule_is_offered_again() -> None:
    here = Here(
        machine=enrolled().machine,
        records=(complete(),),
        schedule=Installed.OUTDATED,
        settings=ScheduleSettings(at="04:00"),
    )
    assert page(here).suggested is Task.SCHEDULE
    lines = [menu_line(each) for each in page(replace(here, schedule=Installed.YES)).offers]
    assert "Mirror every night (scheduled for 04:00)" in lines


def test_a_medium_that_is_attached_is_made_already() -> None:
    stick = bare_disk("/dev/sdz", "STICK01")
    machine = enrolled().machine
    table = machine.disks[0].table
    assert table is not None
    medium = replace(stick, table=replace(table, uuid=MEDIUM_TABLE, partitions=()))
    there = replace(machine, disks=(*machine.disks, medium))
    here = Here(machine=there, records=(complete(),), schedule=Installed.YES)
    assert page(here).suggested is Task.LEAVE


# --- on the mirror


def handed_over() -> Machine:
    machine = on_mirror()
    assert machine.running_mirror is not None
    record = replace(machine.running_mirror.inverted(), name="SRC")
    there = Handover(record=record, boot_id=machine.boot.boot_id, at=1.0)
    return replace(machine, handover=there)


def test_on_its_mirror_a_machine_is_offered_the_way_back_and_no_mirroring() -> None:
    shown = page(Here(machine=on_mirror(), records=(complete(),)))
    assert tasks(shown) == [Task.HOMES, Task.FAILBACK, Task.STATUS, Task.LEAVE]
    assert shown.suggested is Task.HOMES
    assert "runs from its MIRROR" in shown.head[0]


def test_after_the_homes_comes_the_new_disk_and_then_what_it_lacks() -> None:
    here = Here(machine=on_mirror(), did=frozenset({Task.HOMES}))
    assert page(here).suggested is Task.FAILBACK
    # The first pass came to its end here: what it lacks is still to be brought over.
    again = Here(machine=handed_over(), did=frozenset({Task.HOMES, Task.FAILBACK}))
    assert page(again).suggested is Task.AGAIN
    assert "SRC0001 is its first disk again" in page(again).head[1]
    (offer,) = [each for each in page(again).offers if each.task is Task.AGAIN]
    assert "up to date" in offer.title
    assert offer.command == "rescue failback SRC0001"
    done = replace(again, did=frozenset({Task.AGAIN}))
    assert page(done).suggested is Task.STATUS


def test_commands_that_need_no_answer() -> None:
    assert command_of(Task.MIRROR, server()).attended == ("mirror",)
    homes = command_of(Task.HOMES, on_mirror())
    assert homes.attended == ("restore",)
    assert homes.scripted == ("restore", "--yes", "--expect-serial", "SRC0001")
    again = command_of(Task.AGAIN, handed_over())
    assert again.scripted == ("failback", "SRC0001", "--yes", "--expect-serial", "SRC0001")
    for task in (Task.PREPARE, Task.HOMES, Task.AGAIN, Task.SCHEDULE):
        with pytest.raises(ValueError, match="not a command yet"):
            command_of(task, server())


def test_on_a_mirror_that_is_not_whole_nothing_is_offered_that_writes() -> None:
    machine = on_mirror()
    assert machine.running_mirror is not None
    cut = replace(machine.running_mirror, state=MirrorState.RUNNING)
    shown = page(Here(machine=replace(machine, running_mirror=cut)))
    assert tasks(shown) == [Task.STATUS, Task.LEAVE]
    assert "start from SRC0001 instead" in shown.head[1]


# --- on a terminal of 80 columns


def every_page() -> list[Page]:
    normal = Here(machine=enrolled().machine, records=(complete(),), verbs=frozenset({"prove"}))
    return [
        page(Here(machine=server())),
        *(page(replace(normal, schedule=each)) for each in Installed),
        page(Here(machine=on_mirror())),
        page(Here(machine=handed_over())),
    ]


@pytest.mark.parametrize("shown", every_page())
def test_each_line_of_the_menu_fits(shown: Page) -> None:
    for offer in shown.offers:
        # As questionary draws them: ' > 1) ' before each, and '  Description: ' below.
        assert len(menu_line(offer)) <= 80 - 7, offer
        assert len(menu_hint(offer) or "") <= 80 - 16, offer
    assert len({menu_line(each) for each in shown.offers}) == len(shown.offers)
