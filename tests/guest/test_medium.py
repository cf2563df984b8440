"""From the USB stick to a running system, and what its menu does with the disks it finds."""

import re
import time
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from rescue.medium.build import Contents, build_image
from tests.lab.disk import Disk
from tests.lab.guest import Guest
from tests.lab.hardware import BIOS, UEFI, Firmware, Hardware
from tests.lab.lab import Lab
from tests.lab.medium import Note, small_mirror, stick

NEXT, PREVIOUS, ENTER = "\x0e", "\x10", "\r"
MENU_SECONDS = 900.0
"""For a menu without a system behind it, on a busy machine without KVM."""

OTHER = "fedcba9876543210fedcba9876543210"


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("medium") / "medium.img"
    build_image(path, Contents())
    return path


@pytest.fixture(scope="module")
def medium(image: Path) -> Disk:
    """A stick, the same for every test: each writes to a copy."""
    return stick(image)


def note(name: str, day: int, *, state: str = "complete", **more: str) -> Note:
    return Note(
        name=name,
        boot_uuid=f"f7e50000-0000-4000-8000-{day:012d}",
        grub="/boot/grub",
        state=state,
        complete=f"202611{day:02d}T031500Z",
        **more,
    )


def menu(lab: Lab, medium: Disk, notes: list[Note], directory: Path) -> Guest:
    """Return a small machine with the stick and a disk for each note."""
    disks = [medium.copy(directory / "stick.qcow2")]
    disks += [small_mirror(directory, each) for each in notes]
    return lab.machine(disks, hardware=Hardware(memory=256))


def entries(machine: Guest) -> list[str]:
    """Return the menu's entries as they stand on the serial console, top to bottom."""
    machine.wait_for_console(re.compile("executed automatically in"), MENU_SECONDS)
    plain = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "\n", machine.console_text)
    found = (line.strip(" *\r") for line in plain.splitlines())
    wanted = (
        "Boot the",
        "FAILED",
        "NOT KNOWN",
        "INCOMPLETE",
        "(!)",
        "No mirror",
        "Rescue",
        "Firmware",
        "Memory",
    )
    return list(dict.fromkeys(line for line in found if line.startswith(wanted)))


def press(machine: Guest, key: str, answer: str) -> None:
    """Press a key and wait for what it brings: what is typed ahead of a redraw is lost."""
    machine.type_on_console(key)
    machine.wait_for_console(re.compile(answer), MENU_SECONDS)


def test_the_newest_complete_mirror_is_started_when_nobody_is_there(
    lab: Lab, medium: Disk, tmp_path: Path
) -> None:
    notes = [note("old", 22), note("half", 25, state="running"), note("new", 24)]
    notes.append(note("ill", 26, proof="failed"))
    with menu(lab, medium, notes, tmp_path) as machine:
        assert entries(machine)[:5] == [
            "Boot the mirror of server, complete 2026-11-24 03:15 UTC (new)",
            "Boot the mirror of server, complete 2026-11-22 03:15 UTC (old)",
            "FAILED its proof: mirror of server, complete 2026-11-26 03:15 UTC (ill)",
            "INCOMPLETE mirror of server, last good 2026-11-25 03:15 UTC (half)",
            "Boot the first disk",
        ]
        machine.wait_for_console(re.compile("STARTED new"), MENU_SECONDS)


def test_an_incomplete_mirror_is_started_only_after_a_warning(
    lab: Lab, medium: Disk, tmp_path: Path
) -> None:
    with menu(lab, medium, [note("half", 25, state="failed")], tmp_path) as machine:
        assert entries(machine)[0].startswith("INCOMPLETE")
        press(machine, PREVIOUS, r"\*INCOMPLETE")
        press(machine, ENTER, "WARNING: the last run onto mirror half")
        machine.wait_for_console(re.compile(r"\*Back"), MENU_SECONDS)
        press(machine, NEXT, r"\*Boot the INCOMPLETE")
        assert "STARTED" not in machine.console_text
        press(machine, ENTER, "STARTED half")


def test_mirrors_of_two_machines_are_told_apart(lab: Lab, medium: Disk, tmp_path: Path) -> None:
    notes = [note("a", 23, host="mail"), note("b", 24, host="web $(reboot)", machine=OTHER)]
    with menu(lab, medium, notes, tmp_path) as machine:
        assert entries(machine)[:3] == [
            "Boot the mirror of web $(reboot), complete 2026-11-24 03:15 UTC (b)",
            "Boot the mirror of mail, complete 2026-11-23 03:15 UTC (a)",
            "(!) Mirrors of DIFFERENT machines are attached: compare the host names",
        ]
        assert re.search(r"automatically in (2\d|30)s", machine.console_text)


@dataclass(frozen=True, kw_only=True)
class Forged(Note):
    """What somebody wrote in its place; a run writes no such bytes."""

    def block(self) -> bytes:
        return super().block().replace(b"EVIL", b"\x1b[2J\x1b]0;owned\x07\\\nall is well")


def test_no_name_on_a_disk_is_obeyed_by_a_terminal(lab: Lab, medium: Disk, tmp_path: Path) -> None:
    notes: list[Note] = [
        Forged(
            name="forged", host="EVIL", who="EVIL", boot_uuid=note("x", 25).boot_uuid, grub="/EVIL"
        ),
        note("plain", 23, host="b\xfcro"),
    ]
    disks = [medium.copy(tmp_path / "stick.qcow2")]
    disks += [small_mirror(tmp_path, each) for each in notes]
    with lab.machine(disks, hardware=Hardware(memory=256)) as machine:
        shown = entries(machine)
        assert (
            shown[0] == "Boot the mirror of (odd name), complete 2026-11-24 03:15 UTC ((odd name))"
        )
        assert re.fullmatch(r"Boot the mirror of b.+ro, complete .* \(plain\)", shown[1])
        assert shown[2] == "Boot the first disk"
        machine.wait_for_console(re.compile(r"has no \(odd folder\)/grub.cfg"), MENU_SECONDS)
        assert "owned" not in machine.console_text
        assert "all is well" not in machine.console_text


def test_the_medium_s_own_machine_comes_first_and_no_time_to_come(lab: Lab, tmp_path: Path) -> None:
    """A foreign disk, and one that says it is of the year 9999, are there to be chosen by hand."""
    own = Note(name="x", boot_uuid="", grub="").machine
    build_image(tmp_path / "own.img", Contents(machine=own))
    told: tuple[tuple[str, str, dict[str, str]], ...] = (
        ("old", "20201122", {}),
        ("alien", "20201125", {"machine": OTHER}),
        ("new", "20201124", {"who": "new, WD-1"}),
        ("fake", "99991126", {}),
    )
    notes = [
        replace(note(name, number, **more), complete=f"{day}T031500Z")
        for number, (name, day, more) in enumerate(told, 1)
    ]
    with menu(lab, stick(tmp_path / "own.img"), notes, tmp_path) as machine:
        assert entries(machine)[:4] == [
            "Boot the mirror of server, complete 2020-11-24 03:15 UTC (new, WD-1)",
            "Boot the mirror of server, complete 2020-11-22 03:15 UTC (old)",
            "Boot the mirror of server, complete 9999-11-26 03:15 UTC (fake)",
            "Boot the mirror of server, complete 2020-11-25 03:15 UTC (alien)",
        ]
        machine.wait_for_console(re.compile("STARTED new"), MENU_SECONDS)


TOKEN, FORGED = "1" * 32, "2" * 32


@pytest.fixture(scope="module")
def knowing(tmp_path_factory: pytest.TempPathFactory) -> Disk:
    """A stick that knows two mirrors of its machine."""
    path = tmp_path_factory.mktemp("knowing") / "knowing.img"
    own = Note(name="x", boot_uuid="", grub="").machine
    build_image(path, Contents(machine=own, tokens=("3" * 32, TOKEN)))
    return stick(path)


def test_a_stick_that_passes_for_a_newer_mirror_is_not_started_unasked(
    lab: Lab, knowing: Disk, tmp_path: Path
) -> None:
    """It says all that a user can read of the mirror, and brings a system of its own."""
    notes = [
        note("true", 22, token=TOKEN),
        note("forged", 24, token=FORGED),
        note("silent", 23),
    ]
    with menu(lab, knowing, notes, tmp_path) as machine:
        assert entries(machine)[:3] == [
            "Boot the mirror of server, complete 2026-11-22 03:15 UTC (true)",
            "NOT KNOWN here: mirror of server, complete 2026-11-24 03:15 UTC (forged)",
            "NOT KNOWN here: mirror of server, complete 2026-11-23 03:15 UTC (silent)",
        ]
        machine.wait_for_console(re.compile("STARTED true"), MENU_SECONDS)


def test_nor_beside_a_mirror_that_is_incomplete(lab: Lab, knowing: Disk, tmp_path: Path) -> None:
    notes = [note("half", 22, state="running", token=TOKEN), note("forged", 24, token=FORGED)]
    with menu(lab, knowing, notes, tmp_path) as machine:
        entries(machine)
        machine.wait_for_console(re.compile(r"Starting \(hd"), MENU_SECONDS)
        assert "STARTED" not in machine.console_text


def test_a_mirror_that_is_younger_than_the_stick_is_started_after_a_warning(
    lab: Lab, knowing: Disk, tmp_path: Path
) -> None:
    with menu(lab, knowing, [note("anew", 24, token="4" * 32)], tmp_path) as machine:
        assert entries(machine)[:2] == [
            "NOT KNOWN here: mirror of server, complete 2026-11-24 03:15 UTC (anew)",
            "(!) This stick knows NONE of these mirrors: compare names and serials",
        ]
        assert re.search(r"automatically in (2\d|30)s", machine.console_text)
        machine.wait_for_console(re.compile("STARTED anew"), MENU_SECONDS)


def test_without_a_mirror_the_menu_says_so_and_offers_the_rest(
    lab: Lab, medium: Disk, tmp_path: Path
) -> None:
    with menu(lab, medium, [], tmp_path) as machine:
        shown = entries(machine)
        assert shown[:2] == ["No mirror is attached (Enter looks again)", "Boot the first disk"]
        machine.wait_for_console(re.compile("No other disk has a boot loader"), MENU_SECONDS)


@pytest.mark.long
@pytest.mark.parametrize("firmware", [BIOS, UEFI])
def test_without_a_mirror_the_first_disk_is_started(
    lab: Lab, medium: Disk, tmp_path: Path, firmware: Firmware
) -> None:
    disks = [medium.copy(tmp_path / "stick.qcow2"), lab.server_disk()]
    with lab.machine(disks, firmware=firmware) as machine:
        machine.wait_for_console(re.compile(r"Starting \("))
        machine.wait_for_ssh()
        assert machine.failed_units() == []


def test_the_firmware_s_setup_is_offered_where_there_is_one(
    lab: Lab, medium: Disk, tmp_path: Path
) -> None:
    disks = [medium.copy(tmp_path / "stick.qcow2")]
    hardware = Hardware(firmware=UEFI, memory=256)
    with lab.machine(disks, hardware=hardware) as machine:
        entries(machine)
        # The firmware's terminal drops a part of what is drawn quickly: of the entry that is chosen
        # now there may be nothing to see, of the one that was there is.
        press(machine, NEXT, r"H Boot the first disk")
        press(machine, ENTER, "Boot Maintenance Manager|Device Manager|Boot Manager")


GRUB_2_12 = """
if [ "$grub_platform" = "efi" ]; then
        insmod bli
fi
if [ "$grub_platform" = "efi" ]; then
        fwsetup --is-supported
        if [ "$?" = 0 ]; then
                menuentry 'UEFI Firmware Settings' $menuentry_id_option 'uefi-firmware' {
                        fwsetup
                }
        fi
fi
"""
"""What grub-mkconfig of Debian 13 writes (25_bli, 30_uefi-firmware)."""


def test_a_mirror_of_a_later_grub_is_started(lab: Lab, medium: Disk, tmp_path: Path) -> None:
    """GRUB 2.06 takes a question about the firmware's setup for the order to go there."""
    later = small_mirror(tmp_path, note("later", 24), first=GRUB_2_12, last="fwsetup")
    disks = [medium.copy(tmp_path / "stick.qcow2"), later]
    with lab.machine(disks, hardware=Hardware(firmware=UEFI, memory=256)) as machine:
        machine.wait_for_console(re.compile("STARTED later"), MENU_SECONDS)
        # The order itself is obeyed, whoever gives it.
        machine.wait_for_console(
            re.compile("Boot Maintenance Manager|Device Manager|Boot Manager"), MENU_SECONDS
        )


def test_the_memory_is_tested(lab: Lab, medium: Disk, tmp_path: Path) -> None:
    with menu(lab, medium, [], tmp_path) as machine:
        entries(machine)
        press(machine, NEXT, r"\*Memory test")
        machine.type_on_console(ENTER)
        wait_for_screen(machine, "Memtest86+", tmp_path / "screen")


def wait_for_screen(machine: Guest, text: str, memory: Path) -> None:
    """Wait for a text on the screen in VGA's text mode: each character, then its colour."""
    deadline = time.monotonic() + MENU_SECONDS
    shown = ""
    while text not in shown:
        assert time.monotonic() < deadline, shown
        time.sleep(1)
        machine.qmp.execute("pmemsave", val=0xB8000, size=80 * 25 * 2, filename=str(memory))
        shown = memory.read_bytes()[::2].decode("cp437")
