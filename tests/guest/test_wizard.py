"""From a bare disk to a mirror every night, by keys alone, on a real terminal."""

import re

from tests.lab.guest import Guest
from tests.lab.lab import Lab
from tests.lab.terminal import Terminal

MENU = r"What next\?"


def test_from_a_bare_disk_to_a_scheduled_mirror_by_keys(lab: Lab) -> None:
    with lab.server() as server:
        without_a_terminal_nobody_is_asked(server)
        person = server.ssh.terminal("LANG=C.UTF-8 rescue")
        with Terminal(person, log=lab.directory / "screens.log") as terminal:
            a_disk_is_plugged_in_while_it_waits(server, terminal)
            left_at_the_question_nothing_is_written(server, terminal)
            a_disk_is_pulled_while_it_waits(server, terminal)
            it_is_prepared_with_progress(server, terminal)
            it_is_scheduled(terminal)
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
    terminal.wait_for("left at the question: nothing was written to /dev/vdb")
    terminal.wait_for(MENU)
    assert server.written("MIRROR01") == 0
    assert "/dev/vdb" not in server.run("cat /proc/*/mounts 2> /dev/null", check=False).stdout


def a_disk_is_pulled_while_it_waits(server: Guest, terminal: Terminal) -> None:
    server.attach_blank_disk("OTHER002")
    terminal.wait_for(r"plugged in: /dev/vdc \(OTHER002")
    server.detach("OTHER002")
    terminal.wait_for(r"gone: /dev/vdc \(OTHER002")
    terminal.wait_for(MENU)


def it_is_prepared_with_progress(server: Guest, terminal: Terminal) -> None:
    terminal.keys("Enter")
    terminal.wait_for(r"1\) /dev/vdb  MIRROR01")
    terminal.keys("Enter")
    terminal.wait_for("Type its identity")
    terminal.keys("MIRROR01", "Enter")
    shown = terminal.wait_for(r"\d+% .*/\d+ files .*/s", timeout=300)
    assert re.search(r"\[\d+/\d+\] copy /$", shown, re.MULTILINE)
    terminal.wait_for(MENU, timeout=600)
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


def it_is_left(terminal: Terminal) -> None:
    terminal.keys("C-c")
    assert terminal.wait_for_end() == 0


def everything_stands_as_it_was_said(server: Guest) -> None:
    server.run("rescue status")
    shown = server.run("rescue schedule show").stdout
    assert "by systemd: installed" in shown.splitlines()
    assert "rescue-mirror.timer: next" in shown
    assert not [where for where in server.mounts() if server.mounts()[where].startswith("/dev/vdb")]
