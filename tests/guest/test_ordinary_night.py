"""Nights of an ordinary server: nothing is lost where others look at size, time and room alone."""

from pathlib import Path

import pytest

from tests.image import fscrypt
from tests.lab.disk import Disk
from tests.lab.guest import Guest
from tests.lab.lab import Lab
from tests.lab.stock import MIRROR

VAULT, FILM, THESIS = "/home/anna/vault", "/home/bela/film", "/home/carla/thesis"
LOCKED = ("/home/anna/notes/note 1.txt", "/etc/hosts")
LOG = "/home/bela/log"

# Quotas and encryption are features of ext4, switched on while it is not mounted.
HOMES = f"""
umount /home
tune2fs -O encrypt,quota /dev/vda5
mount /home
tune2fs -m 0 -e remount-ro -o block_validity /dev/vda5
mkdir /home/carla
head -c 8M /dev/urandom > {VAULT}
head -c 560M /dev/urandom > {FILM}
echo line > {LOG}
chattr +a {LOG}
"""
SETTINGS = "tune2fs -l {} | grep -E '^(Reserved block count|Errors behavior|Default mount options)'"


@pytest.mark.long
def test_nothing_is_lost_on_an_ordinary_server(lab: Lab) -> None:
    with lab.prepared_server("gpt") as server:
        it_is_an_ordinary_server(server)
        a_plan_names_what_is_not_kept(server)
        the_first_night_keeps_settings_and_flags(server)
        a_day_passes(server)
        the_second_night_loses_nothing(server)
        newest = the_vault_and_a_locked_note_change(server)
        server.run("sync")
        server.cut_power()
        mirror, dead = server.disk(MIRROR), server.disk("SOURCE01")
    all_of_it_comes_back(lab, mirror, dead, vault=newest)


def it_is_an_ordinary_server(server: Guest) -> None:
    server.run(f"set -e\n{HOMES}")
    crypt(server, "encrypt(Path('/home/carla'))")
    server.run(f"echo 'for this run only' > {THESIS}")
    for path in LOCKED:
        server.run(f"chattr +i '{path}'")


def a_plan_names_what_is_not_kept(server: Guest) -> None:
    server.attach_blank_disk("SPARE001")
    plan = server.run("COLUMNS=300 rescue prepare SPARE001 --name spare --dry-run").stdout
    assert "/home has quotas (user, group): their limits are not copied" in plan
    assert server.written("SPARE001") == 0
    server.detach("SPARE001")


def the_first_night_keeps_settings_and_flags(server: Guest) -> None:
    said = server.run("rescue mirror").stdout
    assert "set reserved blocks, errors and mount options of /home" in said
    assert "generation 2, audit passed" in said
    assert server.run(SETTINGS.format("/dev/vdb5")).stdout == (
        server.run(SETTINGS.format("/dev/vda5")).stdout
    )
    assert flags(server, "/etc/hosts") == on_mirror(server, 4, flags_of("etc/hosts"))
    for path, letter in ((LOCKED[0], "i"), (LOG, "a")):
        assert letter in flags(server, path)
        assert letter in on_mirror(server, 5, flags_of(path.removeprefix("/home/")))


def a_day_passes(server: Guest) -> None:
    """What is rewritten keeps its size and time, the large file has another name."""
    rewrite_in_secret(server)
    change_what_is_locked(server)
    server.run(f"mv {FILM} {FILM}.old && echo more >> {LOG}")
    crypt(server, "lock()")
    assert "thesis" not in server.run("ls /home/carla").stdout


def the_second_night_loses_nothing(server: Guest) -> None:
    said = server.run("rescue mirror", check=False).expect(14).stdout
    assert said.count("no room for old and new files of /home at once") == 1
    assert "/home/carla is locked: its key is not there" in said
    assert "generation 3, audit passed" in said
    names = "anna/vault bela/film.old bela/log 'anna/notes/note 1.txt'"
    sums = server.run(f"cd /home && sha256sum {names}").stdout
    assert on_mirror(server, 5, f"sha256sum {names}") == sums
    assert on_mirror(server, 5, "ls bela").split() == server.run("ls /home/bela").stdout.split()
    assert on_mirror(server, 5, "cat carla/thesis") == "for this run only\n"
    assert "i" in on_mirror(server, 5, flags_of(LOCKED[0].removeprefix("/home/")))


def the_vault_and_a_locked_note_change(server: Guest) -> str:
    rewrite_in_secret(server)
    change_what_is_locked(server)
    return server.run(f"sha256sum {VAULT}").stdout


def all_of_it_comes_back(lab: Lab, mirror: Disk, dead: Disk, *, vault: str) -> None:
    with lab.machine([mirror, dead]) as machine:
        machine.wait_for_ssh()
        assert machine.failed_units() == []
        restore = "rescue restore --yes --expect-serial SOURCE01"
        said = machine.run(restore, check=False).expect(14).stdout
        assert "/home/carla" in said, "its key is not here"
        assert machine.run(f"sha256sum {VAULT}").stdout == vault
        assert machine.run(f"grep -c changed '{LOCKED[0]}'").stdout == "2\n"
        assert "i" in flags(machine, LOCKED[0])
        assert machine.run(f"cat {THESIS}").stdout == "for this run only\n"
        assert machine.written("SOURCE01") == 0


def rewrite_in_secret(server: Guest) -> None:
    """As an encrypted container is: in place, and its time is put back."""
    write = f"head -c 8M /dev/urandom | dd of={VAULT} conv=notrunc status=none"
    server.run(f"touch -r {VAULT} /run/time && {write} && touch -r /run/time {VAULT}")


def change_what_is_locked(server: Guest) -> None:
    note = f"'{LOCKED[0]}'"
    server.run(f"chattr -i {note} && echo changed >> {note} && chattr +i {note}")


def crypt(server: Guest, what: str) -> None:
    """Do something with the key of /home's encrypted folders, as a login does it."""
    server.put(Path(fscrypt.__file__), "/run/fscrypt.py")
    lock = "Lock(root=Path('/home'), secret=bytes(range(64)))"
    script = f"from pathlib import Path; from fscrypt import Lock; {lock}.{what}"
    server.run(f'cd /run && python3 -c "{script}"')


def flags_of(path: str) -> str:
    return f"lsattr '{path}' | cut -d ' ' -f 1"


def flags(server: Guest, path: str) -> str:
    return server.run(flags_of(path)).stdout


def on_mirror(server: Guest, number: int, command: str) -> str:
    """Run a command in the root of one of the mirror's file systems."""
    look = f"mount -o ro,noload /dev/vdb{number} /mnt && cd /mnt && {command}"
    return server.run("unshare --mount sh -s", input_=look.encode()).stdout
