"""Every night without anyone thinking of it: the timer fires, catches up, and is missed."""

import json

import pytest

from tests.lab.guest import Guest
from tests.lab.lab import Lab

CONFIG = "/etc/rescue/rescue.toml"
STATE = "/var/lib/rescue/mirrors/MIRROR01.json"
STAMP = "/var/lib/systemd/timers/stamp-rescue-mirror.timer"
UNITS = (
    "rescue-failed@.service",
    "rescue-mirror.service",
    "rescue-mirror.timer",
    "rescue-overdue.service",
    "rescue-overdue.timer",
)
HISTORY = "/var/lib/rescue/history/MIRROR01.jsonl"
METRICS = "/var/lib/prometheus/node-exporter"
ENDED = "systemctl show --property=ExecMainExitTimestampMonotonic --value rescue-mirror.service"


def test_every_night_without_anyone_thinking_of_it(lab: Lab) -> None:
    with lab.prepared_server() as server:
        it_is_set_up(server)
        it_is_installed(server)
        on_a_mirror_it_does_nothing(server)
        the_night_comes(server)
        the_run_left_its_marks(server)
        a_job_that_no_longer_starts_is_noticed(server)


@pytest.mark.long
def test_a_night_is_missed_and_a_disk_rots(lab: Lab) -> None:
    with lab.prepared_server() as server:
        it_is_set_up(server)
        it_is_installed(server)
        the_night_comes(server)
        a_missed_night_is_caught_up(server)
        a_disk_that_rots_is_named(server)


def test_what_was_installed_is_removed_and_nothing_else(lab: Lab) -> None:
    with lab.prepared_server() as server:
        server.run("rescue schedule install")
        it_is_removed(server)


def it_is_set_up(server: Guest) -> None:
    server.run(f"sed -i 's/^random_delay_minutes = .*/random_delay_minutes = 0/' {CONFIG}")
    server.run(f"mkdir -p {METRICS} && sed -i 's|^metrics = .*|metrics = \"{METRICS}\"|' {CONFIG}")


def it_is_installed(server: Guest) -> None:
    server.run("rescue schedule install --at 02:00")
    said = server.run("rescue schedule install --at 03:15").stdout
    assert (
        "scheduled: every day at 03:15; the contents of every file are compared on Sunday" in said
    )
    paths = " ".join(f"/etc/systemd/system/{unit}" for unit in UNITS)
    verified = server.run(f"systemd-analyze verify --recursive-errors=no --man=no {paths}")
    assert "rescue" not in verified.stderr
    assert set(next_times(server)) == {"rescue-mirror.timer", "rescue-overdue.timer"}
    shown = server.run("rescue schedule show").stdout
    assert "by systemd: installed" in shown.splitlines()
    assert any("rescue-mirror.timer: next" in line and " 03:15 " in line for line in lines(shown))


def on_a_mirror_it_does_nothing(server: Guest) -> None:
    server.run("mkdir /.rescue && touch /.rescue/mirror.json")
    for unit in ("rescue-mirror", "rescue-overdue"):
        server.run(f"systemctl start {unit}.service")
        met = f"systemctl show --property=ConditionResult --value {unit}.service"
        assert server.run(met).stdout.strip() == "no"
    server.run("rm -r /.rescue")
    assert generation(server) == 1


def the_night_comes(server: Guest) -> None:
    server.run("echo 'mail of today' > /home/anna/Maildir/new/today")
    # At most a day ahead: the mirror is not overdue by then.
    server.run(f"date --set @{next_times(server)['rescue-mirror.timer'] - 10}")
    wait_for_a_run(server, before="0")
    assert generation(server) == 2
    record = json.loads(server.run(f"cat {STATE}").stdout)
    # None was ever compared: the first night does it.
    assert record["last_run"]["checksum"]
    assert record["last_checksum"] == record["last_run"]["started"]
    shown = server.run("rescue schedule show").stdout
    assert any("rescue-mirror.service" in each and "success" in each for each in lines(shown))


def the_run_left_its_marks(server: Guest) -> None:
    """In the history on both disks, in the journal's fields, in metrics and figures."""
    runs = [json.loads(line) for line in lines(server.run(f"cat {HISTORY}").stdout)]
    assert [(run["kind"], run["end"], run["generation"]) for run in runs] == [
        ("prepare", "complete", 1),
        ("mirror", "complete", 2),
    ]
    assert runs[1]["checksum"]
    assert all(run["seconds"] > 1 and run["figures"]["files_total"] > 1000 for run in runs)
    assert all(0 < room["free"] < room["size"] for room in runs[1]["free"])
    assert "/" in [room["mount_point"] for room in runs[1]["free"]]
    assert runs[1]["source_disk"]["smart"]["state"] == "no tool"
    seen = "mount -o ro,noload /dev/disk/by-id/virtio-MIRROR01-part4 /mnt && cat /mnt/.rescue"
    on_mirror = server.run(f"{seen}/runs.jsonl; umount /mnt").stdout
    assert [json.loads(line)["generation"] for line in lines(on_mirror)] == [1, 2]

    fields = "MIRROR=MIRROR01 GENERATION=2 EXIT_CODE=0 _SYSTEMD_UNIT=rescue-mirror.service"
    (entry,) = lines(server.run(f"journalctl --output=json {fields}").stdout)
    assert len(json.loads(entry)["MESSAGE_ID"]) == 32

    assert 'rescue_mirror_generation{mirror="MIRROR01"} 2.0' in metrics(server)
    told = server.run("rescue status --monitor").stdout
    assert told.startswith("RESCUE OK - mirror 'MIRROR01' is ")
    assert "| age=" in told
    status = server.run("rescue status").stdout
    assert "of changes are lost, time to boot unknown (not proven), failback about" in status
    assert "SMART unknown: smartctl is not installed" in status
    page = server.run("rescue status --html /root/page.html && cat /root/page.html").stdout
    assert "GOOD: server runs from its first disk" in page
    assert page.count("<li class") == 2


def a_missed_night_is_caught_up(server: Guest) -> None:
    before = server.run(ENDED).stdout.strip()
    # As a machine that is switched on after the time of its run: only the timer's stamp knows.
    server.run("systemctl stop rescue-mirror.timer")
    server.run(f"touch --date '2 days ago' {STAMP} && systemctl start rescue-mirror.timer")
    wait_for_a_run(server, before=before)
    assert generation(server) == 3
    record = json.loads(server.run(f"cat {STATE}").stdout)
    assert not record["last_run"]["checksum"]


def a_job_that_no_longer_starts_is_noticed(server: Guest) -> None:
    # As mail systems do: it becomes a user of its own, and its programs' set-group-ID bits count.
    mail_system = (
        "#!/bin/sh\ngrep NoNewPrivs /proc/self/status > /run/rights\n"
        "setpriv --reuid=daemon --regid=daemon --clear-groups id -un >> /run/rights\n"
        "cat > /run/mail\n"
    )
    server.run(
        "cat > /usr/sbin/sendmail && chmod 755 /usr/sbin/sendmail", input_=mail_system.encode()
    )
    at_once = "/etc/systemd/system/rescue-overdue.timer.d"
    server.run(f"mkdir {at_once} && printf '[Timer]\\nRandomizedDelaySec=0\\n' > {at_once}/a.conf")
    server.run("systemctl daemon-reload && systemctl restart rescue-overdue.timer")

    server.run(f"sed -i 's|^apprise = .*|apprise = [\"json://ann:s3cret@host\"]|' {CONFIG}")
    server.run("systemctl stop rescue-mirror.timer")
    server.run("date --set '+3 days'")
    server.run("until systemctl is-failed --quiet rescue-overdue.service; do sleep 1; done")
    # By its name: of a process that has ended by then the journal may not know the unit.
    errors = "journalctl --identifier rescue --priority err --output cat"
    assert "WARNING: server runs from its first disk" in server.run(errors).stdout
    server.run("until grep -q 'rescue status' /run/mail; do sleep 1; done")
    assert server.run("cat /run/rights").stdout.split() == ["NoNewPrivs:", "0", "daemon"]
    mail = server.run("cat /run/mail").stdout
    assert "To: root" in lines(mail)
    assert "Subject: rescue on server: the mirror needs attention" in lines(mail)
    assert "3 days old" in mail.replace("=\n", "")
    assert "could not notify by json: apprise is not installed" in mail.replace("=\n", "")
    assert "s3cret" not in mail + server.run("journalctl --identifier rescue").stdout
    assert "rescue_health 1.0" in metrics(server)
    late = server.run("rescue status --monitor", check=False).expect(1).stdout
    assert late.startswith("RESCUE WARNING - mirror 'MIRROR01' is 3 days")

    server.run("rm /run/mail")
    again = server.run("rescue notify rescue-overdue.service").stdout
    assert "people were told before" in again
    assert server.run("test -e /run/mail", check=False).returncode != 0

    rescue = server.run("command -v rescue").stdout.strip()
    server.run(f"mv {rescue} /run/rescue.away")
    server.run("systemctl start rescue-overdue.service", check=False).expect(1)
    server.run("until grep -q 'rescue itself could not tell it' /run/mail; do sleep 1; done")
    server.run(f"mv /run/rescue.away {rescue} && rm /usr/sbin/sendmail /run/mail")
    assert "shown on the terminals" in server.run("rescue notify rescue-mirror.service").stdout
    server.run(f"rm -r {at_once}")


def a_disk_that_rots_is_named(server: Guest) -> None:
    """The first night remembered every digest; since then a byte has changed on each disk."""
    on_mirror, on_source = (f"usr/share/common-licenses/{name}" for name in ("GPL-2", "GPL-3"))
    server.run(f"cp /{on_mirror} /run/two && cp /{on_source} /run/three")
    # What a program writes there is a change, however it sets the time.
    server.run(rot(f"/{on_source}"))
    server.run(f"cmp /{on_source} /run/three", check=False).expect(1)
    server.run(f"mount /dev/vdb4 /mnt && {spoil(f'/mnt/{on_mirror}')} && umount /mnt")

    said = server.run("rescue mirror --checksum", check=False).expect(14).stdout
    assert f"/{on_mirror} had rotted on the MIRROR, and was rewritten" in said
    assert f"/{on_source} has changed on the SOURCE, and its time has not (no program wrote" in said
    assert "2 differ in content alone" in said
    look = f"cmp /mnt/{on_mirror} /run/two && cmp /mnt/{on_source} /run/three"
    server.run(f"unshare --mount sh -c 'mount -o ro /dev/vdb4 /mnt && {look}'")
    assert generation(server) == 4
    status = server.run("rescue status", check=False).expect(1).stdout
    assert f"1 file rotted on the mirror and rewritten: check its disk, /{on_mirror}" in status
    assert f"held back, /{on_source}" in status


def rot(path: str) -> str:
    """Return the command that changes a file's first byte on the disk, below its file system.

    Its first block alone is written, past every cache, and only the file's own pages are forgotten:
    what the mounted file system keeps of itself (bitmaps, inodes) is neither written nor dropped.
    """
    block = f"$(filefrag -v {path} | awk '$1 == \"0:\" {{print $4 + 0}}')"
    device = f"$(findmnt --noheadings --output SOURCE --target {path})"
    read = "dd if=$device of=/run/block bs=$size skip=$block count=1 iflag=direct status=none"
    change = "printf '\\001' | dd of=/run/block conv=notrunc status=none"
    write = "dd if=/run/block of=$device bs=$size seek=$block oflag=direct conv=notrunc status=none"
    return (
        f"sync; size=$(stat -f -c %S {path}); block={block}; device={device}; "
        f'[ "$block" -gt 0 ] && {read} && cmp --bytes=100 /run/block {path} && {change} && {write} '
        f"&& dd if={path} iflag=nocache count=0 status=none"
    )


def spoil(path: str) -> str:
    """Return the command that changes a byte of a file, and sets the time back."""
    change = f"printf '\\001' | dd of={path} bs=1 seek=100 conv=notrunc status=none"
    return f"touch -r {path} /run/time && {change} && touch -r /run/time {path}"


def it_is_removed(server: Guest) -> None:
    said = server.run("rescue schedule remove").stdout
    assert all(f"removed /etc/systemd/system/{unit}" in said for unit in UNITS)
    places = "/etc/systemd /etc/cron.daily /var/lib/systemd/timers"
    assert server.run(f"find {places} -name '*rescue*'").stdout == ""
    listed = server.run("systemctl list-unit-files --no-legend 'rescue-*'", check=False).stdout
    assert not [unit for unit in UNITS if unit in listed]
    assert not [unit for unit in server.failed_units() if unit.startswith("rescue")]
    assert "not installed" in server.run("rescue schedule show").stdout
    assert "nothing was scheduled" in server.run("rescue schedule remove").stdout


def wait_for_a_run(server: Guest, *, before: str) -> None:
    """Wait until the service has ended again, and see that it ended well."""
    ended = f'now=$({ENDED}); [ "$now" != 0 ] && [ "$now" != {before} ]'
    server.run(f"until {ended}; do sleep 1; done")
    result = server.run("systemctl show --property=Result --value rescue-mirror.service")
    journal = server.run("journalctl --unit rescue-mirror.service --no-pager --output cat").stdout
    assert result.stdout.strip() == "success", journal
    assert server.run("systemctl is-failed rescue-mirror.service", check=False).returncode != 0


def next_times(server: Guest) -> dict[str, int]:
    """Return when systemd starts what next, in seconds since the epoch."""
    listed = server.run("systemctl list-timers --output=json 'rescue-*.timer'").stdout
    return {each["unit"]: each["next"] // 1_000_000 for each in json.loads(listed)}


def metrics(server: Guest) -> list[str]:
    return lines(server.run(f"cat {METRICS}/rescue.prom").stdout)


def generation(server: Guest) -> int:
    record = json.loads(server.run(f"cat {STATE}").stdout)
    assert record["state"] == "complete"
    return int(record["generation"])


def lines(text: str) -> list[str]:
    return text.splitlines()
