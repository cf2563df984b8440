"""Two mirrors take turns: one is away, then pulled out in a run, and the other is left alone."""

import json

import pytest

from tests.lab.disk import Disk
from tests.lab.guest import Guest
from tests.lab.lab import Lab
from tests.lab.stock import MIRROR
from tests.lab.terminal import Terminal

SECOND = "SECOND01"
CONFIG = "/etc/rescue/rescue.toml"
PLUGGED = "rescue-plugged@second.service"


@pytest.mark.long
def test_two_mirrors_alternate_and_each_leaves_the_other_alone(lab: Lab) -> None:
    with lab.prepared_server() as server:
        a_second_mirror_is_prepared(server)
        the_next_day_is_the_first_one_s(server)
        second = on_its_day_the_second_is_away(server)
        it_is_away_for_too_long(server)
        it_is_plugged_in_and_pulled_out_in_the_middle(server, second)
        it_is_plugged_in_again_and_made_whole(server, second)
        it_is_forgotten(server)


def a_second_mirror_is_prepared(server: Guest) -> None:
    server.attach_blank_disk(SECOND)
    before = server.written(MIRROR)
    server.run(f"rescue prepare {SECOND} --name second --yes --expect-serial {SECOND}")
    assert server.written(MIRROR) == before
    assert "mirror second" in server.run("rescue disks").stdout
    server.run(f"sed -i 's/^order = .*/order = \"alternate\"/' {CONFIG}")
    assert "it is the day of mirror 'second'" in server.run("rescue status").stdout
    assert set(record(server, "second")) > {"name", "last_tried", "fstab"}


def the_next_day_is_the_first_one_s(server: Guest) -> None:
    server.run("date --set '+1 day'")
    # A line and an option that the mirror follows, and says so.
    server.run("echo 'tmpfs /srv/scratch tmpfs noauto 0 0' >> /etc/fstab")
    before = server.written(SECOND)
    said = server.run("rescue mirror").stdout
    assert "mirror 'MIRROR01' is complete: generation 2" in said
    assert "followed: fstab says 'tmpfs /srv/scratch tmpfs noauto' now" in said
    assert server.written(SECOND) == before


def on_its_day_the_second_is_away(server: Guest) -> Disk:
    server.run("date --set '+1 day'")
    second = server.detach(SECOND)
    before = server.written(MIRROR)
    skipped = server.run("rescue mirror", check=False).expect(75)
    assert f"it is the turn of mirror 'second' ({SECOND})" in skipped.stderr
    assert server.written(MIRROR) == before
    server.run("rescue status")
    return second


def it_is_away_for_too_long(server: Guest) -> None:
    mail_system = "#!/bin/sh\ncat >> /run/mail\n"
    server.run(
        "cat > /usr/sbin/sendmail && chmod 755 /usr/sbin/sendmail", input_=mail_system.encode()
    )
    server.run("rescue schedule install --when-plugged")
    # The timers would go by the days that are skipped here.
    server.run("systemctl stop rescue-mirror.timer rescue-overdue.timer")
    within = "/^name = .second/,/^interval/"
    server.run(f"sed -i '{within}s/^interval_hours = .*/interval_hours = 30/' {CONFIG}")
    status = server.run("rescue status", check=False).expect(1).stdout
    assert f"mirror 'second' ({SECOND}): complete, generation 1, 2 days old (OVERDUE" in status
    assert status.count("OVERDUE") == 1
    server.run("systemctl start rescue-overdue.service", check=False).expect(1)
    server.run("until grep -q 'the mirror needs attention' /run/mail; do sleep 1; done")


def it_is_plugged_in_and_pulled_out_in_the_middle(server: Guest, second: Disk) -> None:
    server.run("head -c 300M /dev/urandom > /home/anna/large && sync")
    first = server.written(MIRROR)
    somebody = server.ssh.terminal("sleep infinity")
    with Terminal(somebody, log=server.directory / "screens.log") as terminal:
        server.attach(second)
        # In brackets, or the waiting shell would find itself.
        server.run("until pgrep --full '[d]elay-updates'; do sleep 0.1; done")
        server.detach(SECOND)
        terminal.wait_for(r"did\s+NOT\s+end\s+well")
        assert ended(server) == "failed", in_the_log(server)
        assert "can be removed" not in terminal.history()
    assert record(server, "second")["state"] == "failed"
    assert set(server.mounts()) == {"/", "/boot", "/boot/efi", "/home"}
    assert server.run("pgrep rsync", check=False).stdout == ""
    status = server.run("rescue status", check=False).expect(2).stdout
    assert "mirror 'MIRROR01' (MIRROR01): complete, generation 2" in status
    server.run(f"until grep -q '{PLUGGED} failed' /run/mail; do sleep 1; done")
    assert "FAILED" in in_the_log(server)
    server.run("until grep -q \"run onto mirror 'second' FAILED\" /run/mail; do sleep 1; done")
    assert "can be removed" not in server.run("cat /run/mail").stdout + in_the_log(server)
    assert server.written(MIRROR) == first


def it_is_plugged_in_again_and_made_whole(server: Guest, second: Disk) -> None:
    first = server.written(MIRROR)
    server.attach(second)
    shown = f"systemctl show --property=ActiveState --value {PLUGGED}"
    server.run(f"until {shown} | grep -qx activating; do sleep 0.1; done")
    assert ended(server) == "inactive", in_the_log(server)
    said = "rescue: mirror 'second' is complete, and its disk can be removed"
    assert said in in_the_log(server)
    server.run("until grep -q 'the disk can be removed' /run/mail; do sleep 1; done")
    found = record(server, "second")
    assert (found["state"], found["generation"]) == ("complete", 2)
    assert server.written(MIRROR) == first
    server.run("rescue status")


def it_is_forgotten(server: Guest) -> None:
    before = server.written(SECOND)
    assert "second' is no longer enrolled" in server.run("rescue mirrors forget second").stdout
    assert server.run("find /var/lib/rescue -name 'second*'").stdout == ""
    assert "'second'" not in server.run("rescue status").stdout
    assert server.run("rescue mirror second", check=False).expect(2).stderr
    assert "NOT as configured" in server.run("rescue schedule show").stdout
    server.run("rescue schedule remove")
    assert server.run("find /etc/systemd /etc/udev -name '*rescue-*'").stdout == ""
    assert server.written(SECOND) == before


def ended(server: Guest) -> str:
    """Wait until the run that the disk started has ended, and return the state of its service."""
    shown = f"systemctl show --property=ActiveState --value {PLUGGED}"
    server.run(f"while {shown} | grep -qx activating; do sleep 1; done")
    return server.run(shown).stdout.strip()


def record(server: Guest, name: str) -> dict[str, object]:
    found = json.loads(server.run(f"cat /var/lib/rescue/mirrors/{name}.json").stdout)
    assert isinstance(found, dict)
    return found


def in_the_log(server: Guest) -> str:
    return server.run("journalctl --no-pager --identifier rescue --output cat").stdout
