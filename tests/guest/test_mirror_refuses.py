"""Bad input to `rescue mirror`: what stands against a night's run, and what it leaves untouched."""

import json
import re
from collections.abc import Iterator

import pytest

from tests.lab import snapshot
from tests.lab.guest import Guest
from tests.lab.lab import Lab
from tests.lab.ssh import Result
from tests.lab.stock import MIRROR, Stock

STATE = "/var/lib/rescue/mirrors/MIRROR01.json"


@pytest.fixture(scope="module")
def night(stock: Stock, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guest]:
    """One server with a mirror, kept at the moment when the night's run would begin."""
    with Lab(stock, tmp_path_factory.mktemp("night")).prepared_server() as server:
        snapshot.save(server, "night")
        yield server


@pytest.fixture
def server(night: Guest) -> Guest:
    """The server, put back to that moment."""
    snapshot.load(night, "night")
    return night


def refused(server: Guest, code: int, *, command: str = "rescue mirror") -> Result:
    """See that the run ends with this code before it has written one byte to the mirror."""
    server.run("sync")
    mounts, written = server.mounts(), server.written(MIRROR)
    done = server.run(command, check=False).expect(code)
    assert (server.mounts(), server.written(MIRROR)) == (mounts, written)
    return done


def in_the_log(server: Guest) -> str:
    return server.run("journalctl --no-pager --identifier rescue --output cat").stdout


def state(server: Guest) -> str:
    """Return what the source's record and the mirror's marker both say of the mirror."""
    # The mounts of a run that was killed go with its last process, and first are written out.
    free = "until mount -o ro,noload /dev/vdb4 /mnt; do sleep 1; done"
    look = f"{free}; cat /mnt/.rescue/mirror.json; umount /mnt"
    marker = json.loads(server.run(f"unshare --mount sh -c '{look}'").stdout)
    record = json.loads(server.run(f"cat {STATE}").stdout)
    assert record["state"] == marker["state"]
    return f"{record['state']} {record['generation']}"


def test_home_is_not_mounted(server: Guest) -> None:
    server.run("umount /home")
    assert "/home is not mounted" in refused(server, 12).stderr
    assert "failed with exit code 12" in in_the_log(server)
    assert state(server) == "complete 1"


def test_a_mirror_is_attached_that_is_not_enrolled(server: Guest) -> None:
    table = server.run("blkid -p -o value -s PTUUID /dev/vdb").stdout.strip()
    another = f"s/MIRROR01/ELSEWHERE/; s/{table}/00000000-0000-4000-8000-000000000001/"
    server.run(f"sed -i '{another}' /etc/rescue/rescue.toml {STATE}")
    server.run(f"mv {STATE} /var/lib/rescue/mirrors/ELSEWHERE.json")
    said = refused(server, 10).stderr
    assert "no enrolled mirror is attached: expected 'ELSEWHERE' (ELSEWHERE)" in said
    assert "(MIRROR01) is a mirror of this machine, 'MIRROR01', that is not enrolled here" in said


ROOT = "/dev/vdb4"


def forge(server: Guest, *commands: str) -> None:
    """Change what lies in /.rescue on the mirror, as whoever holds the disk can."""
    steps = " && ".join(commands)
    server.run(f"mount {ROOT} /mnt && cd /mnt/.rescue && {steps} && cd / && umount /mnt")


@pytest.mark.parametrize("command", ["rescue mirror", "rescue mirror --plugged MIRROR01"])
def test_a_disk_that_looks_like_the_mirror_gets_no_run(server: Guest, command: str) -> None:
    """All that a user can read of the mirror is on it: not what only root can."""
    another = "0" * 64
    forge(server, f'sed -i \'s/^ *.secret.: .*/"secret": "{another}",/\' mirror*.json')
    said = refused(server, 10, command=command).stderr
    assert "does not know the secret of mirror 'MIRROR01'" in said
    forge(server, f"ln -sf {STATE} mirror.json", f"ln -sf {STATE} mirror.copy.json")
    said = refused(server, 10, command=command).stderr
    assert "mirror.json is not a state file of rescue" in said
    assert "prepare it again: 'rescue prepare /dev/vdb --name MIRROR01'" in said
    assert "Traceback" not in said


def test_a_marker_that_waits_stops_no_other_command(server: Guest) -> None:
    forge(server, "rm mirror.json mirror.copy.json", "mkfifo mirror.json mirror.copy.json")
    said = refused(server, 10, command="timeout 300 rescue mirror").stderr
    assert "mirror.json is not a state file of rescue: not a regular file" in said


def test_one_damaged_copy_of_the_marker_is_said_and_mended_by_the_run(server: Guest) -> None:
    forge(server, "echo damaged >mirror.json")
    assert "its second copy counts" in server.run("rescue mirror").stdout
    assert state(server) == "complete 2"


def test_a_mirror_of_an_older_rescue_gets_its_secret_by_one_run(server: Guest) -> None:
    older = "sed -i '/^ *.secret.:/d'"
    forge(server, f"{older} mirror.json", "rm mirror.copy.json")
    server.run(f"{older} {STATE}")
    said = refused(server, 10, command="rescue mirror --plugged MIRROR01").stderr
    assert "has no secret that identifies it" in said
    assert "now has a secret of its own" in server.run("rescue mirror").stdout
    server.run("rescue mirror --plugged MIRROR01")
    told = f"mount -o ro,noload {ROOT} /mnt && cat /mnt/.rescue/mirror.json {STATE}; umount /mnt"
    secrets = re.findall(r'"secret": "([0-9a-f]*)"', server.run(told).stdout)
    assert secrets[0] == secrets[1] != ""
    assert secrets[0] not in in_the_log(server)
    for shown in ("rescue disks --json", "rescue status --json"):
        assert secrets[0] not in server.run(shown, check=False).stdout


def test_no_mirror_is_attached_and_none_is_due_then_one_is(lab: Lab) -> None:
    with lab.prepared_server() as server:
        server.detach(MIRROR)
        server.run("rescue mirror", check=False).expect(75)
        assert "skipped: no mirror is attached" in in_the_log(server)
        server.run("sed -i 's/overdue_hours = .*/overdue_hours = 0.0001/' /etc/rescue/rescue.toml")
        assert "overdue after" in server.run("rescue mirror", check=False).expect(1).stderr


def test_nothing_was_ever_enrolled(server: Guest) -> None:
    server.run("rm -r /etc/rescue /var/lib/rescue")
    assert "no mirror is enrolled on this machine" in refused(server, 2).stderr


def test_a_second_machine_s_mirror_is_attached(server: Guest) -> None:
    server.run("tr -d - < /proc/sys/kernel/random/uuid > /run/id && cat /run/id > /etc/machine-id")
    assert "belongs to another machine, 'server'" in refused(server, 10).stderr


def test_a_partition_of_the_mirror_is_missing(server: Guest) -> None:
    server.run("sfdisk --quiet --delete --wipe never /dev/vdb 5 && udevadm settle")
    assert "partition 5 of /dev/vdb (/home) is missing" in refused(server, 10).stderr


def test_a_file_system_of_the_mirror_was_made_anew(server: Guest) -> None:
    server.run("mkfs.ext4 -q -F /dev/vdb5 && udevadm settle")
    assert "partition 5 of /dev/vdb (/home) has UUID" in refused(server, 10).stderr


def test_the_mirror_was_started_since_its_last_run(server: Guest) -> None:
    server.run("mount /dev/vdb4 /mnt && echo 'id 2026-01-01T00:00:00Z' > /mnt/.rescue/booted")
    server.run("umount /mnt")
    assert "was booted" in refused(server, 10).stderr
    server.run("rescue mirror --accept-booted")
    server.run("mount -o ro /dev/vdb4 /mnt && ! test -e /mnt/.rescue/booted")


def test_the_mirror_is_mounted_by_somebody(server: Guest) -> None:
    server.run("mount -o ro /dev/vdb5 /mnt")
    assert "/dev/vdb, the mirror, is mounted on /mnt" in refused(server, 10).stderr


def test_a_file_system_has_joined_the_system(server: Guest) -> None:
    server.run("swapoff /dev/vda6 && mkfs.ext4 -q -F /dev/vda6 && udevadm settle")
    server.run("mkdir /srv/new && mount /dev/vda6 /srv/new")
    assert "/srv/new" in refused(server, 12).stderr


def test_most_of_the_files_are_gone(server: Guest) -> None:
    limits = "s/brake_count = .*/brake_count = 100/; s/brake_share = .*/brake_share = 0.01/"
    server.run(f"sed -i '{limits}' /etc/rescue/rescue.toml")
    server.run("rm -r /usr/share/zoneinfo /home/anna /home/bela")
    assert "the brake: 1% and 100" in refused(server, 13).stderr
    assert "generation 2" in server.run("rescue mirror --accept-changes").stdout


HELD = """
[[hook]]
when = "before"
command = ["sh", "-c", "touch /run/begun; until test -e /run/go; do sleep 0.1; done"]
"""


def test_a_second_run_while_one_is_active(server: Guest) -> None:
    # The first waits in its hook: whoever tried its lock to see it would take it from the first.
    server.run("cat >> /etc/rescue/rescue.toml", input_=HELD.encode())
    server.run("systemd-run --quiet --unit first rescue mirror")
    server.run("until test -e /run/begun; do sleep 0.1; done")
    second = server.run("rescue mirror", check=False).expect(17)
    assert "another run of rescue is active (process" in second.stderr
    server.run("touch /run/go; while systemctl is-active --quiet first; do sleep 1; done")
    assert state(server) == "complete 2"


HOOKS = """
[[hook]]
when = "before"
command = ["sh", "/root/dump"]
timeout_seconds = 5
[[hook]]
when = "after"
command = ["sh", "-c", "echo $RESCUE_RESULT $RESCUE_EXIT_CODE $RESCUE_MIRROR > /run/told"]
"""


@pytest.mark.long
def test_a_hook_fails_and_one_hangs(server: Guest) -> None:
    server.run("cat >> /etc/rescue/rescue.toml", input_=HOOKS.encode())
    server.run("cat > /root/dump", input_=b"echo no room for the dump; exit 3\n")
    said = refused(server, 1).stderr
    assert "hook 'sh' (before the run) failed with exit code 3: no room for the dump" in said
    assert server.run("cat /run/told").stdout == "failed 1 MIRROR01\n"
    assert "hook sh: no room for the dump" in in_the_log(server)

    hanging = b"trap '' TERM; sleep 4321 & while :; do wait; done\n"
    server.run("rm /run/told && cat > /root/dump", input_=hanging)
    said = refused(server, 1).stderr
    assert "failed with exit code 124: not done after 5 s" in said
    assert server.run("pgrep --full '[s]leep 4321'", check=False).stdout == ""
    assert server.run("cat /run/told").stdout == "failed 1 MIRROR01\n"
    assert state(server) == "complete 1"


@pytest.mark.long
def test_the_mirror_is_full(server: Guest) -> None:
    # /home has 1 GiB on both disks; of the mirror's 700 MiB are bad blocks (man 8 e2fsck, -l).
    server.run("head -c 500M /dev/urandom > /home/anna/large && chmod 600 /home/anna/large")
    server.run("seq 60000 239199 > /run/bad; e2fsck -fy -l /run/bad /dev/vdb5; test $? -le 1")
    said = server.run("rescue mirror", check=False).expect(1).stderr
    assert "the mirror's file system for /home is full" in said
    assert state(server) == "failed 1"


def begin_a_run(server: Guest) -> None:
    """Begin a run and wait until it writes to the mirror."""
    server.run("head -c 100M /dev/urandom > /home/anna/large")
    server.run("systemd-run --quiet --unit begun rescue mirror --accept-changes")
    # In brackets, or the waiting shell would find itself.
    server.run("until pgrep --full '[d]elay-updates'; do sleep 0.1; done")
    assert "running, generation 1" in server.run("rescue status").stdout


@pytest.mark.long
def test_a_run_that_is_stopped_leaves_a_mirror_that_is_known_to_be_incomplete(
    server: Guest,
) -> None:
    begin_a_run(server)
    server.run("systemctl stop begun")
    assert "stopped by SIGTERM" in in_the_log(server)
    assert state(server) == "failed 1"
    assert set(server.mounts()) == {"/", "/boot", "/boot/efi", "/home"}
    assert server.run("pgrep rsync", check=False).stdout == ""


def test_a_run_that_is_killed_leaves_a_mirror_that_is_known_to_be_incomplete(
    server: Guest,
) -> None:
    # Nobody is left to say anything after this: the record has to have said it before.
    begin_a_run(server)
    server.run("systemctl kill --signal=KILL begun; while pgrep rsync; do sleep 0.1; done")
    assert state(server) == "running 1"
    assert "running, generation 1" in server.run("rescue status", check=False).expect(2).stdout
    server.run("rescue mirror")
    assert state(server) == "complete 2"


@pytest.mark.long
def test_what_the_mirror_boots_by_has_rotted_and_the_next_run_makes_it_anew(
    server: Guest,
) -> None:
    spoil = "head -c 4096 /dev/urandom | dd of=$1 bs=4096 seek=64 conv=notrunc status=none"
    once = f"mount /dev/vdb3 /mnt && set -- /mnt/initrd.img-* && {spoil} && umount /mnt"
    server.run(once)
    assert "initrd.img" in server.run("rescue mirror", check=False).expect(15).stderr
    assert state(server) == "failed 1"
    server.run("rescue mirror")
    assert state(server) == "complete 2"


@pytest.mark.long
def test_the_source_can_no_longer_note_anything(server: Guest) -> None:
    server.run("echo 'mail of today' > /home/anna/Maildir/new/today")
    server.run("chattr +i /var/lib/rescue/mirrors")
    said = server.run("rescue mirror", check=False).expect(1).stderr
    assert (
        "mirror 'MIRROR01' is complete and passed its audit, but the system cannot record" in said
    )
    server.run("chattr -i /var/lib/rescue/mirrors")
    assert state(server) == "complete 1"
    look = "mount -o ro,noload /dev/vdb5 /mnt && cat /mnt/anna/Maildir/new/today"
    assert server.run(f"unshare --mount sh -c '{look}'").stdout == "mail of today\n"
    server.run("rescue mirror")
    assert state(server) == "complete 2"
