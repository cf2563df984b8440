"""The server proves its own mirror after the run of the night, and says it when that fails.

QEMU runs in the guest: a machine within a machine. An emulated processor has AMD's virtualisation,
so that KVM works in there, as on a real server.
"""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.guest.conftest import CHECKOUT
from tests.lab.guest import Guest
from tests.lab.hardware import Hardware
from tests.lab.lab import Lab
from tests.lab.stock import MIRROR, Stock

QEMU = ("qemu-system-x86", "qemu-utils")
CONFIG = "/etc/rescue/rescue.toml"
STATE = f"/var/lib/rescue/mirrors/{MIRROR}.json"
PROOFS = f"/var/lib/rescue/proofs/{MIRROR}"
DEVICE = f"/dev/disk/by-id/virtio-{MIRROR}"
ROOT = f"{DEVICE}-part4"
METRICS = "/var/lib/prometheus/node-exporter"
OWN = Hardware(memory=8192, processors=2, nested=True)
PATIENCE = 2 * 60 * 60.0
"""Seconds; only there to end a test that hangs."""


@pytest.fixture(scope="module")
def own_stock(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stock]:
    """Servers that have QEMU, and memory for it."""
    place = tmp_path_factory.mktemp("stock")
    yield Stock(checkout=CHECKOUT, directory=place, packages=QEMU, hardware=OWN)
    for disk in place.rglob("*.qcow2"):
        disk.unlink()


@pytest.fixture
def server(own_stock: Stock, tmp_path: Path) -> Iterator[Guest]:
    with Lab(own_stock, tmp_path).prepared_server() as server:
        it_is_set_up(server)
        before = traces(server)
        yield server
        assert traces(server) == before
    for disk in tmp_path.rglob("*.qcow2"):
        disk.unlink()


@pytest.mark.long
@pytest.mark.timeout(4 * PATIENCE)
def test_each_run_is_followed_by_a_proof(server: Guest) -> None:
    the_night_ends_with_a_proof(server)
    what_was_seen_is_kept_and_shown(server)
    assert "has already been proven" in server.run("rescue prove --scheduled").stdout


@pytest.mark.long
@pytest.mark.timeout(4 * PATIENCE)
def test_a_mirror_that_does_not_boot_is_told_of(server: Guest) -> None:
    server.run(f"dd if=/dev/zero of={DEVICE} bs=440 count=1 conv=notrunc,fsync status=none")
    # A guest that says nothing is stopped after a third of it, and KVM's is started once more.
    server.run(f"sed -i 's/^time_limit_minutes = .*/time_limit_minutes = 6.0/' {CONFIG}")
    server.run("systemctl start rescue-prove.service", check=False, timeout=PATIENCE).expect(1)
    code = "systemctl show --property=ExecMainStatus --value rescue-prove.service"
    assert server.run(code).stdout.strip() == "16"
    server.run("until grep -q 'rescue status' /run/mail; do sleep 1; done")
    mail = server.run("cat /run/mail").stdout.replace("=\n", "")
    assert "Subject: rescue on server: " in mail
    assert "failed its proof" in mail

    status = server.run("rescue status", check=False).expect(2).stdout
    assert "FAILED" in status
    assert PROOFS in status
    # The rescue medium reads it there.
    look = f"mount -o ro,noload {ROOT} /mnt && cat /mnt/.rescue/mirror.json"
    note = json.loads(server.run(f"unshare --mount sh -c '{look}'").stdout)
    assert note["last_proof"]["generation"] == 1
    assert note["last_proof"]["cause"].startswith("firmware: ")
    shown = server.run(f"cat {METRICS}/rescue.prom").stdout
    assert f'rescue_mirror_proof_passed{{mirror="{MIRROR}"}} 0.0' in shown.splitlines()


def it_is_set_up(server: Guest) -> None:
    server.run(f"sed -i 's/^prove = false/prove = true/' {CONFIG}")
    server.run(f"sed -i 's/^time_limit_minutes = .*/time_limit_minutes = 90.0/' {CONFIG}")
    server.run(f"sed -i 's|^checks = .*|checks = [\"test -d /home/anna/Maildir\"]|' {CONFIG}")
    server.run("rescue schedule install && systemctl start rescue-mirror.timer")
    server.run(f"mkdir -p {METRICS}")
    server.run(f"sed -i 's|^metrics = .*|metrics = \"{METRICS}\"|' {CONFIG}")
    mail_system = "#!/bin/sh\ncat > /run/mail\n"
    server.run(
        "cat > /usr/sbin/sendmail && chmod 755 /usr/sbin/sendmail", input_=mail_system.encode()
    )


def the_night_ends_with_a_proof(server: Guest) -> None:
    server.run("systemctl start rescue-mirror.service", timeout=PATIENCE)
    written = server.written(MIRROR)
    wait_for_the_proof(server)
    journal = server.run("journalctl --unit rescue-prove.service --output cat --no-pager").stdout
    result = server.run("systemctl show --property=Result --value rescue-prove.service").stdout
    assert result.strip() == "success", journal
    assert f"mirror '{MIRROR}' is proven bootable: " in journal
    assert server.written(MIRROR) == written


def wait_for_the_proof(server: Guest) -> None:
    asked = "systemctl show --property=ExecMainExitTimestampMonotonic --value rescue-prove.service"
    server.run(f'until [ "$({asked})" != 0 ]; do sleep 5; done', timeout=PATIENCE)


def what_was_seen_is_kept_and_shown(server: Guest) -> None:
    record = json.loads(server.run(f"cat {STATE}").stdout)
    assert record["last_proof"]["generation"] == record["generation"] == 2
    assert record["last_proof"]["cause"] == ""
    names = server.run(f"ls {PROOFS}").stdout.split()
    assert [name.rpartition(".")[2] for name in names] == ["json", "log", "png"]
    proof = json.loads(server.run(f"cat {PROOFS}/{names[0]}").stdout)
    assert proof["firmware"] == "bios"
    assert proof["ending"] == "powered off"
    assert min(proof["times"].values()) > 0
    assert server.run(f"head -c 8 {PROOFS}/{names[2]} | od -An -c").stdout.split()[1:4] == [*"PNG"]
    server.run(f"grep -q 'Loading initial ramdisk' {PROOFS}/{names[1]}")
    server.run(f"grep -q 'server login:' {PROOFS}/{names[1]}")
    assert "booted in " in server.run("rescue status").stdout
    shown = server.run(f"cat {METRICS}/rescue.prom").stdout
    assert f'rescue_mirror_proof_passed{{mirror="{MIRROR}"}} 1.0' in shown.splitlines()


def traces(server: Guest) -> list[str]:
    """Return what a proof could leave behind: mounts, loop devices, processes, files."""
    look = (
        # systemd mounts the kernel's own view of FUSE when the module comes.
        "cut -d' ' -f1-3 /proc/mounts | grep -v fusectl",
        "losetup --list --noheadings",
        "pgrep --list-name qemu || true",
        "find /var/tmp /run/rescue/prove -mindepth 1 2>/dev/null || true",
    )
    return server.run("; ".join(look)).stdout.splitlines()
