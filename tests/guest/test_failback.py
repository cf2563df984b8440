"""Home again: the machine runs from its mirror, says so, and moves to a new first disk."""

import json

from tests.guest.test_main_story import mounts_of, swap_of, unequal
from tests.lab.disk import Disk
from tests.lab.guest import Guest
from tests.lab.lab import Lab
from tests.lab.stock import MIRROR

MAIL = "/home/anna/Maildir/new"
FAILBACK = "rescue failback NEW01 --yes --expect-serial NEW01"


def test_a_machine_comes_home_from_its_mirror_to_a_new_disk(lab: Lab) -> None:
    mirror = a_server_dies(lab)
    new = it_runs_from_its_mirror_and_hands_over(lab, mirror)
    it_is_home(lab, new, mirror)


def a_server_dies(lab: Lab) -> Disk:
    with lab.prepared_server("gpt") as server:
        mirror = server.disk(MIRROR)
        assert "runs from its first disk (SOURCE01, /dev/vda)" in server.run("rescue status").stdout
        server.run("rescue failback MIRROR01", check=False).expect(10)
        server.run("sync")
        server.cut_power()
    return mirror


def it_runs_from_its_mirror_and_hands_over(lab: Lab, mirror: Disk) -> Disk:
    with lab.machine([mirror]) as machine:
        machine.wait_for_login()
        machine.wait_for_ssh()
        assert "runs from its MIRROR 'MIRROR01' (disk MIRROR01)" in machine.console_text
        assert machine.failed_units() == []
        shown = login(machine)
        assert "Its first disk is SOURCE01. Nothing is mirrored now." in shown
        assert "rescue failback DISK" in shown

        machine.run("rescue mirror", check=False).expect(10)
        new = machine.attach_blank_disk("NEW01")
        said = machine.run("rescue status", check=False).expect(2).stdout
        assert "server runs from its MIRROR (MIRROR01, /dev/vda)" in said
        assert "started from it at 20" in said
        assert "rescue failback NEW01" in said

        machine.run(f"echo 'while on the mirror' > {MAIL}/mirror")
        done = machine.run(FAILBACK).stdout
        assert "is the first disk now" in done
        assert "rescue failback NEW01" in done

        machine.run(f"echo 'at the last moment' > {MAIL}/last")
        again = machine.run(FAILBACK)
        assert "write the partition table" not in again.stdout
        said = machine.run("rescue status", check=False).expect(2).stdout
        assert "STILL runs from its mirror" in said
        assert "STILL runs from its mirror" in login(machine)
        machine.run("rescue mirror", check=False).expect(10)
        machine.poweroff()
    return new


def it_is_home(lab: Lab, new: Disk, mirror: Disk) -> None:
    with lab.machine([new]) as machine:
        machine.wait_for_login()
        machine.wait_for_ssh()
        assert "runs from its" not in machine.console_text
        assert machine.failed_units() == []
        assert machine.mounts() == mounts_of("gpt")
        assert machine.run("swapon --show=NAME --noheadings").stdout.split() == [swap_of("gpt")]
        assert machine.run(f"cat {MAIL}/mirror {MAIL}/last").stdout == (
            "while on the mirror\nat the last moment\n"
        )
        machine.run("test -e /.rescue", check=False).expect(1)
        machine.run("systemctl cat rescue-booted.service", check=False).expect(1)
        said = machine.run("rescue status").stdout
        assert "runs from its first disk (NEW01, /dev/vda)" in said
        assert json.loads(machine.run("rescue status --json").stdout)["runs_from"] == "source"
        machine.run("rescue mirror", check=False).expect(75)

        machine.attach(mirror)
        machine.run(f"echo 'home again' > {MAIL}/home && rm {MAIL}/mirror")
        assert "audit passed" in machine.run("rescue mirror").stdout
        assert unequal(machine, "gpt") == []
        assert "complete" in machine.run("rescue status").stdout


def login(machine: Guest) -> str:
    """Log in as on a terminal, and return what is shown."""
    done = machine.run("timeout 60 script -qec 'login -f root' /dev/null", input_=b"exit\n")
    return done.stdout.replace("\r\n", "\n")
