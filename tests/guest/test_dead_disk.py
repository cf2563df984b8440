"""The first disk dies; its users' mail comes back onto the mirror that runs in its place."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.guest import as_mirror, postman
from tests.lab.disk import DiskModel
from tests.lab.guest import Guest
from tests.lab.lab import Lab, tree
from tests.lab.layout import GPT, MIB
from tests.lab.manifest import Manifest
from tests.lab.terminal import Terminal

HOME = next(part for part in GPT.partitions if part.mount_point == "/home")


def deliver(guest: Guest, user: str, first: int, end: int, *, home: str = "/home") -> None:
    guest.put(Path(postman.__file__), "/run/postman.py")
    guest.run(f"python3 /run/postman.py {home} {user} {first} {end}")


def missing(homes: Manifest, numbers: range) -> list[int]:
    """Return the mails that no file of the homes is, bit for bit."""
    there = {entry.sha256 for entry in homes.values()}
    return [number for number in numbers if postman.digest(number) not in there]


@pytest.fixture(name="rescued")
def rescued_(lab: Lab) -> Iterator[Guest]:
    """A server that runs as from its mirror; mail came to the first disk until it was pulled out.

    The disk was mounted when it was pulled: its newest mail is in the journal alone.
    """
    with lab.server() as server:
        server.attach_blank_disk("DEAD0001")
        server.put(Path(as_mirror.__file__), "/run/as_mirror.py")
        server.run("python3 /run/as_mirror.py /dev/vdb")
        server.run(f"mkdir /run/first && mount /dev/vdb{HOME.number} /run/first")
        deliver(server, "anna", 0, 100, home="/run/first")
        # On the disk, and in its journal: the file system itself is not brought up to date.
        server.run("sync -f /run/first")
        deliver(server, "anna", 100, 150)
        yield server


def flat(text: str) -> str:
    """Return a text whose lines were folded as one line."""
    return " ".join(text.split())


def pull_out(server: Guest) -> None:
    server.detach("DEAD0001")
    server.run("umount --lazy /run/first")


def a_new_user_s_number_is_somebody_else_s_here(server: Guest) -> None:
    """carla and dora were made after the last run; here bert got carla's number meanwhile."""
    root = next(part for part in GPT.partitions if part.mount_point == "/")
    server.run(f"mkdir /run/root && mount /dev/vdb{root.number} /run/root")
    for name, number, home in (("carla", 1500, "/home/carla"), ("dora", 1510, "/srv/dora")):
        server.run(f"echo '{name}:x:{number}:{number}::{home}:/bin/sh' >> /run/root/etc/passwd")
        server.run(f"echo '{name}:x:{number}:' >> /run/root/etc/group")
    for home, number in (("/run/first/carla", 1500), ("/run/root/srv/dora", 1510)):
        server.run(f"mkdir -p {home} && echo secret > {home}/letter")
        server.run(f"chown -R {number}:{number} {home}")
    server.run("sync && umount /run/root && sync -f /run/first")
    server.run("useradd --uid 1500 bert && useradd --uid 1501 carla")
    server.run("useradd --uid 1520 --home-dir /srv/dora dora")


def the_wizard_leads_back(server: Guest) -> None:
    """See its menu, and leave the question what shall come back."""
    person = server.ssh.terminal("LANG=C.UTF-8 rescue")
    with Terminal(person, log=server.directory / "screens.log") as terminal:
        shown = terminal.wait_for(r"> 1\) Bring the users' files back from the dead disk")
        assert "runs from its MIRROR" in shown
        assert "2) Make a new disk the first one" in shown
        terminal.keys("Enter")
        terminal.wait_for("files would come back from DEAD0001")
        terminal.keys("C-c")
        terminal.wait_for("cancelled: nothing was brought back")
        terminal.wait_for(r"> 1\) Bring the users' files back")
        terminal.keys("C-c")
        assert terminal.wait_for_end() == 0


RESTORE = "rescue restore --yes --expect-serial DEAD0001 --report /root/report"


def test_what_the_journal_holds_comes_back_and_the_disk_is_not_touched(rescued: Guest) -> None:
    a_new_user_s_number_is_somebody_else_s_here(rescued)
    dead = rescued.disk("DEAD0001")
    pull_out(rescued)
    before = dead.digest()
    rescued.attach(dead)
    the_wizard_leads_back(rescued)

    said = rescued.run(RESTORE)
    assert "'carla' has the number 1500 on the dead disk and 1501 here" in said.stdout
    owners = rescued.run("stat --format=%U:%G /home/carla /home/carla/letter /srv/dora/letter")
    assert owners.stdout.split() == ["carla:carla", "carla:carla", "dora:dora"]
    assert rescued.run("find / -xdev -user bert; find /home -user bert").stdout == ""
    assert "journal replayed into a temporary copy" in said.stdout
    assert missing(tree(rescued, "/home"), range(150)) == []
    left = rescued.run("losetup --list --noheadings; dmsetup ls; ls /var/lib/rescue/scratch")
    assert left.stdout.strip() in ("", "No devices found")

    rescued.detach("DEAD0001")
    assert dead.digest() == before, "the dead disk was written to"


@pytest.mark.long
def test_a_bridge_that_shows_other_sectors_hides_nothing(rescued: Guest) -> None:
    """A disk of 512-byte sectors in a dock that shows 4096, under a serial of the dock's own."""
    dead = rescued.disk("DEAD0001")
    pull_out(rescued)
    before = dead.digest()
    behind = dead.attached_as(DiskModel.VIRTIO, sector_size=4096)
    rescued.attach(replace(behind, shows="BRIDGE01"))

    said = rescued.run(RESTORE.replace("DEAD0001", "BRIDGE01"))
    assert "counts in sectors of 512 bytes, and the adapter shows 4096" in flat(said.stdout)
    assert missing(tree(rescued, "/home"), range(150)) == []

    rescued.detach("DEAD0001")
    assert dead.digest() == before, "the dead disk was written to"


def test_a_destroyed_superblock_is_repaired_on_a_copy(rescued: Guest) -> None:
    dead = rescued.disk("DEAD0001")
    pull_out(rescued)
    dead.zero(HOME.start * MIB, 4096)
    before = dead.digest()
    rescued.attach(dead)

    said = rescued.run(RESTORE)
    assert "a copy of it is at block 32768" in said.stdout
    assert "read from a temporary copy that was repaired" in said.stdout
    assert missing(tree(rescued, "/home"), range(150)) == []

    rescued.detach("DEAD0001")
    assert dead.digest() == before, "the dead disk was written to"


def test_unreadable_files_are_listed_and_the_rest_comes_back(rescued: Guest) -> None:
    """One file lies on sectors that answer with errors (device-mapper's error target)."""
    home = f"{rescued.device('DEAD0001')}{HOME.number}"
    rescued.run("head -c 8M /dev/urandom > /run/first/anna/film && umount /run/first")
    blocks = rescued.run(f"debugfs -R 'blocks /anna/film' {home}").stdout.split()
    bad = int(blocks[1024]) * 8
    size = int(rescued.run(f"blockdev --getsz {home}").stdout)
    table = f"0 {bad} linear {home} 0\n{bad} 8 error\n"
    table += f"{bad + 8} {size - bad - 8} linear {home} {bad + 8}\n"
    rescued.run("dmsetup create dying", input_=table.encode())

    dying = "/dev/mapper/dying"
    said = rescued.run(
        f"rescue restore --from {dying} --yes --expect-serial {dying} --report /root/report",
        check=False,
    ).expect(14)

    assert "NOT READABLE: /home/anna/film" in said.stdout
    report = json.loads(rescued.run("cat /root/report.json").stdout)
    assert not report["complete"]
    assert [user["unreadable"] for user in report["users"]] == [["anna/film"], []]
    assert rescued.run("test -e /home/anna/film", check=False).returncode == 1
    assert missing(tree(rescued, "/home"), range(150)) == []
