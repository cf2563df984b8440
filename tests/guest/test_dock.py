"""A USB dock that shows one serial for every disk: the mirror is known by what is on it."""

from dataclasses import replace

import pytest

from tests.lab.disk import Disk
from tests.lab.guest import Guest
from tests.lab.lab import Lab

DOCK = "DOCK0001"


@pytest.mark.long
def test_a_mirror_in_a_dock_is_known_by_what_is_on_it(lab: Lab) -> None:
    with lab.prepared_server("gpt") as server:
        prepared = server.detach("MIRROR01")
        mirror = prepared.copy(server.directory / "mirror.qcow2")
        copy = replace(prepared.copy(server.directory / "copy.qcow2"), serial="COPY0001")
        empty = Disk.blank(server.directory / "empty.qcow2", size=mirror.size, serial="EMPTY001")
        untouched = empty.digest()

        server.attach(replace(mirror, shows=DOCK))
        # The same serial at once: two slots of one dock.
        server.attach(replace(empty, shows=DOCK))
        it_is_mirrored_to(server)
        a_serial_that_names_two_disks_is_refused(server)
        a_copy_beside_it_is_refused(server, copy)

        server.detach("MIRROR01")
        server.detach("EMPTY001")
        assert empty.digest() == untouched, "the other disk in the dock was written to"
        a_copy_from_before_the_last_run_is_refused(server, copy)

        server.attach(mirror)
        assert "generation 3" in server.run("rescue mirror").stdout


def it_is_mirrored_to(server: Guest) -> None:
    shown = server.run("rescue disks").stdout
    assert shown.count("mirror MIRROR01") == 1
    said = server.run("rescue mirror").stdout
    assert "is mirror 'MIRROR01' by its partition table and marker" in said
    assert f"it shows the identity {DOCK}, recorded is MIRROR01" in said
    assert "generation 2" in said
    # Learned: from now on this is no news.
    assert "attached" in server.run("rescue status").stdout


def a_serial_that_names_two_disks_is_refused(server: Guest) -> None:
    before = server.written("MIRROR01")
    for target in (DOCK, "/dev/vdb", "/dev/vdc"):
        done = server.run(
            f"rescue prepare {target} --yes --expect-serial {DOCK} --erase {DOCK}", check=False
        )
        assert done.returncode == 10, done.stdout + done.stderr
    assert server.written("MIRROR01") == before
    assert server.written("EMPTY001") == 0


def a_copy_beside_it_is_refused(server: Guest, copy: Disk) -> None:
    server.attach(copy)
    done = server.run("rescue mirror", check=False).expect(10)
    assert (
        "the contents of several disks say that they are mirror 'MIRROR01'"
        in done.stdout + done.stderr
    )
    assert server.written("COPY0001") == 0
    server.detach("COPY0001")


def a_copy_from_before_the_last_run_is_refused(server: Guest, copy: Disk) -> None:
    server.attach(copy)
    done = server.run("rescue mirror", check=False).expect(10)
    assert "it may be an older copy" in done.stdout + done.stderr
    assert server.written("COPY0001") == 0
    server.detach("COPY0001")
