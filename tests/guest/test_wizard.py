"""From a bare disk to a mirror every night, by keys alone, on a real terminal."""

import re

import pytest

from tests.lab.guest import Guest
from tests.lab.lab import Lab
from tests.lab.terminal import Terminal

MENU = r"What next\?"


@pytest.mark.long
def test_from_a_bare_disk_to_a_scheduled_mirror_by_keys(lab: Lab) -> None:
    with lab.server() as server:
        without_a_terminal_nobody_is_asked(server)
        person = server.ssh.terminal("LANG=C.UTF-8 rescue")
        with Terminal(person, log=lab.directory / "screens.log") as terminal:
            a_disk_is_plugged_in_while_it_waits(server, terminal)
            left_at_the_question_nothing_is_written(server, terminal)
            a_disk_is_pulled_while_it_waits(server, terminal)
            left_while_it_copies_nothing_stays_mounted(server, terminal)
            what_was_begun_is_given_up_and_it_is_prepared(terminal)
            it_is_scheduled(terminal)
            without_a_stick_there_is_a_way_back(terminal)
            it_is_left(terminal)
        everything_stands_as_it_was_said(server)


def without_a_terminal_nobody_is_asked(server: Guest) -> None:
    said = server.run("rescue", check=False).expect(2)
    assert "Usage: rescue" in said.stdout + said.stderr
    assert "wizard" in said.stdout + said.stderr


def a_disk_is_plugged_in_while_it_waits(server: Guest, terminal: Terminal) -> None:
    shown = terminal.wait_for(MENU)
    assert "/dev/vda" in shown
    assert "4 /" in shown
    assert "has no mirror" in shown
    terminal.keys("Enter")
    shown = terminal.wait_for("No disk can be chosen now")
    assert "is the disk this machine runs from" in shown
    server.attach_blank_disk("MIRROR01")
    shown = terminal.wait_for(r"plugged in: /dev/vdb \(MIRROR01")
    shown = terminal.wait_for(r"1\) /dev/vdb  MIRROR01")
    assert "large enough" in shown


def left_at_the_question_nothing_is_written(server: Guest, terminal: Terminal) -> None:
    terminal.keys("Enter")
    terminal.wait_for("Type its identity")
    assert "rescue prepare MIRROR01 --yes --expect-serial MIRROR01" in terminal.history()
    terminal.keys("C-c")
    terminal.wait_for("cancelled: nothing was written to /dev/vdb")
    terminal.wait_for(MENU)
    assert server.written("MIRROR01") == 0
    assert "/dev/vdb" not in all_mounts(server)


def a_disk_is_pulled_while_it_waits(server: Guest, terminal: Terminal) -> None:
    server.attach_blank_disk("OTHER002")
    terminal.wait_for(r"plugged in: /dev/vdc \(OTHER002")
    server.detach("OTHER002")
    terminal.wait_for(r"gone: /dev/vdc \(OTHER002")
    terminal.wait_for(MENU)


def left_while_it_copies_nothing_stays_mounted(server: Guest, terminal: Terminal) -> None:
    terminal.keys("Enter")
    terminal.wait_for(r"1\) /dev/vdb  MIRROR01")
    terminal.keys("Enter")
    terminal.wait_for("Type its identity")
    terminal.keys("MIRROR01", "Enter")
    shown = terminal.wait_for(r"\d+% .*/\d+ files .*/s")
    assert re.search(r"\[\d+/\d+\] copy /$", shown, re.MULTILINE)
    terminal.keys("C-c")
    terminal.wait_for("everything has been unmounted")
    terminal.wait_for(MENU)
    assert "/dev/vdb" not in all_mounts(server)
    assert server.run("rescue status", check=False).returncode == 2


def what_was_begun_is_given_up_and_it_is_prepared(terminal: Terminal) -> None:
    terminal.wait_for(r"> 1\) Make a disk a mirror")
    terminal.keys("Enter")
    terminal.wait_for(r"1\) /dev/vdb  MIRROR01 .*holds data")
    terminal.keys("Enter")
    terminal.wait_for("Erase all of it")
    terminal.keys("y")
    terminal.wait_for("Type its identity")
    assert "rescue prepare MIRROR01 --erase MIRROR01 --yes" in terminal.history()
    terminal.keys("MIRROR01", "Enter")
    terminal.wait_for(r"> \d\) Mirror every night")
    assert "mirror 'MIRROR01' is complete: generation 1" in terminal.history()


def it_is_scheduled(terminal: Terminal) -> None:
    terminal.wait_for(r"> \d\) Mirror every night")
    terminal.keys("Enter")
    terminal.wait_for("At what time")
    terminal.keys("Enter")
    terminal.wait_for("On which day")
    terminal.keys("Enter")
    terminal.wait_for("scheduled: every day at 03:15")
    terminal.wait_for(r"> \d\) Make a USB stick the rescue medium")


def without_a_stick_there_is_a_way_back(terminal: Terminal) -> None:
    terminal.keys("Enter")
    shown = terminal.wait_for("No disk can be chosen now")
    assert "is the mirror 'MIRROR01'" in shown
    terminal.keys("C-c")
    terminal.wait_for("nothing was done")
    terminal.wait_for(MENU)


def it_is_left(terminal: Terminal) -> None:
    terminal.keys("C-c")
    assert terminal.wait_for_end() == 0


def everything_stands_as_it_was_said(server: Guest) -> None:
    server.run("rescue status")
    shown = server.run("rescue schedule show").stdout
    assert "by systemd: installed" in shown.splitlines()
    assert "rescue-mirror.timer: next" in shown
    assert "/dev/vdb" not in all_mounts(server)


def all_mounts(server: Guest) -> str:
    """Return the mounts of every process, whatever namespace it lives in."""
    return server.run("cat /proc/[0-9]*/mounts 2> /dev/null; true").stdout
