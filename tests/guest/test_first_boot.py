"""The introduction: the lab's server is a sound Debian machine that boots by its own GRUB."""

import pytest

from tests.guest.test_main_story import mounts_of
from tests.lab.hardware import BIOS, UEFI, Firmware
from tests.lab.lab import Lab, tree
from tests.lab.manifest import differences
from tests.lab.variant import BOOKWORM, BOOKWORM_SATA, TRIXIE_NVME, Variant


@pytest.mark.parametrize(
    ("variant", "firmware"),
    [
        (BOOKWORM, BIOS),
        pytest.param(BOOKWORM, UEFI, marks=pytest.mark.long),
        pytest.param(BOOKWORM_SATA, BIOS, marks=pytest.mark.long),
        pytest.param(TRIXIE_NVME, UEFI, marks=pytest.mark.long),
    ],
)
def test_the_server_boots_by_its_own_grub(lab: Lab, variant: Variant, firmware: Firmware) -> None:
    with lab.machine([lab.server_disk("gpt", variant=variant)], firmware=firmware) as machine:
        machine.wait_for_login()
        machine.wait_for_ssh()

        assert "GRUB" in machine.console_text
        assert machine.failed_units() == []
        assert machine.mounts() == mounts_of("gpt", machine.device("SOURCE01"))


def test_a_bare_disk_is_plugged_in_and_pulled_out_again(lab: Lab) -> None:
    with lab.bare_server() as server:
        disk = server.attach_blank_disk("MIRROR01")
        assert server.device("MIRROR01") == "/dev/vdb"

        server.run("echo written > /dev/vdb && sync")
        server.detach("MIRROR01")

        assert "MIRROR01" not in server.run("lsblk --nodeps --output SERIAL").stdout
        assert disk.read(0, 7) == b"written"


def test_two_scenarios_do_not_see_each_other(lab: Lab) -> None:
    with lab.bare_server() as server:
        server.run("touch /root/first-was-here && sync")
    with lab.bare_server() as server:
        assert server.run("test -e /root/first-was-here", check=False).returncode == 1


def test_what_was_not_flushed_is_lost_when_the_power_is_cut(lab: Lab) -> None:
    with lab.bare_server() as server:
        server.run("echo kept > /root/kept && sync && echo lost > /root/lost")
        server.cut_power()
        disk = server.disk("SOURCE01")
    with lab.machine([disk]) as machine:
        machine.wait_for_ssh()
        assert machine.run("cat /root/kept").stdout == "kept\n"
        assert machine.run("test -s /root/lost", check=False).returncode == 1


def test_a_tree_is_compared_down_to_the_last_attribute(lab: Lab) -> None:
    with lab.bare_server() as server:
        before = tree(server, "/srv")
        server.run("setfattr --name user.new --value x /srv/odd/xattr")
        server.run("cp --sparse=never --preserve=all /srv/odd/sparse /srv/odd/full")
        server.run("mv /srv/odd/full /srv/odd/sparse")
        found = differences(before, tree(server, "/srv"))

    assert before["odd/links/a/one"].links == [
        "odd/links/a/one",
        "odd/links/b/deep/three",
        "odd/links/b/two",
    ]
    changed = ["'odd'", "'odd/sparse'", "'odd/xattr'"]
    assert [line.split(":")[0] for line in found] == changed
