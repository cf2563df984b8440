"""A kernel is installed while the run copies: the mirror starts by what it holds, or as before."""

import pytest

from tests.lab.guest import Guest
from tests.lab.lab import Lab
from tests.lab.stock import MIRROR

# As apt holds it while it works.
APT = b"""
import fcntl, os, time
with open("/var/lib/dpkg/lock-frontend", "w") as file:
    fcntl.lockf(file, fcntl.LOCK_EX)
    open("/run/held", "w").close()
    while not os.path.exists("/run/go"):
        time.sleep(0.1)
"""
BEGIN = (
    "systemd-run --quiet --unit night --remain-after-exit --property StandardOutput=file:/run/said "
    "--property StandardError=file:/run/complaints rescue mirror"
)
ENDED = "systemctl show --property=SubState --value night | grep -Eqx 'exited|failed'"
STAYS = "the menu of the last run stays on the mirror"


@pytest.mark.long
def test_a_server_that_changes_while_it_is_copied(lab: Lab) -> None:
    with lab.prepared_server("gpt") as server:
        server.run("head -c 200M /dev/urandom > /home/anna/large")
        # What this machine needs alone: an initramfs of all drivers takes minutes in emulation.
        server.run("sed -i 's/^MODULES=most/MODULES=dep/' /etc/initramfs-tools/initramfs.conf")
        it_waits_for_apt(server)
        newest = a_kernel_is_installed_between_the_copy_and_the_menu(server)
        the_run_takes_it_along(server, newest)
        a_menu_that_is_half_written_does_not_replace_a_good_one(server)
        mirror = server.disk(MIRROR)
        server.poweroff()
    with lab.machine([mirror]) as machine:
        machine.wait_for_ssh()
        assert machine.failed_units() == []
        assert machine.run("uname -r").stdout.strip() == newest


def it_waits_for_apt(server: Guest) -> None:
    server.run("cat > /run/apt.py", input_=APT)
    server.run("systemd-run --quiet --unit apt python3 /run/apt.py")
    server.run(f"until test -e /run/held; do sleep 0.1; done; {BEGIN}")
    server.run("until grep -q 'is installing packages: waiting for it' /run/said; do sleep 1; done")
    server.run("touch /run/go")


def a_kernel_is_installed_between_the_copy_and_the_menu(server: Guest) -> str:
    """Stop the run while it copies /home, install the kernel, and let it go on."""
    server.run("until grep -q '] mirror /boot: ' /run/said; do sleep 0.1; done")
    # In rsync, which nobody has given a time: in brackets, or the waiting shell would find itself.
    server.run("until pgrep --full '[d]elay-updates'; do sleep 0.1; done")
    server.run("systemctl kill --signal=STOP night")
    assert "mirror /home: " not in server.run("cat /run/said").stdout
    server.run("dpkg --install /var/cache/rescue-lab/linux-image-*.deb")
    newest = server.run("ls /boot/vmlinuz-* | sort --version-sort | tail -n 1").stdout.strip()
    server.run("systemctl kill --signal=CONT night")
    return newest.removeprefix("/boot/vmlinuz-")


def the_run_takes_it_along(server: Guest, newest: str) -> None:
    server.run(f"until {ENDED}; do sleep 1; done")
    said = server.run("cat /run/said /run/complaints").stdout
    assert "was waited for, " in said
    assert f"kernel {newest} changed while it was copied: copied once more" in said
    assert "generation 2, audit passed" in said
    assert "noted in it: python3 (process" in server.run("rescue status").stdout


def a_menu_that_is_half_written_does_not_replace_a_good_one(server: Guest) -> None:
    server.run("printf 'menuentry x {\\n linux /vml' > /boot/grub/grub.cfg")
    said = server.run("rescue mirror").stdout
    assert STAYS in said
    assert "generation 3, audit passed" in said
    assert f"noted in it: {STAYS}" in server.run("rescue status").stdout
