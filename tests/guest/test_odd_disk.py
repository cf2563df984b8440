"""A disk that no installer makes: its ESP mounted elsewhere, its GPT with room for 8 partitions."""

import pytest

from tests.lab.hardware import BIOS, UEFI
from tests.lab.lab import Lab

ODD = """
set -e
sgdisk --resize-table=8 /dev/vda
sed -i 's, /boot/efi , /esp ,' /etc/fstab
umount /boot/efi
rmdir /boot/efi
mkdir /esp
systemctl daemon-reload
mount /esp
"""


@pytest.mark.long
def test_an_odd_disk_has_an_equal_mirror_that_boots_by_both_firmwares(lab: Lab) -> None:
    with lab.server("gpt", firmware=BIOS) as server:
        mirror = server.attach_blank_disk("MIRROR01")
        server.run(ODD)
        server.run("rescue prepare /dev/vdb --yes --expect-serial MIRROR01")
        shown = server.run("sgdisk --print /dev/vdb && sgdisk --verify /dev/vdb").stdout
        assert "holds up to 8 entries" in shown
        assert "No problems found" in shown
        server.poweroff()
    for firmware in (UEFI, BIOS):
        with lab.machine([mirror], firmware=firmware) as machine:
            machine.wait_for_login()
            machine.wait_for_ssh()
            assert machine.failed_units() == []
            assert machine.run("findmnt --noheadings --output SOURCE /esp").stdout.strip()
            said = machine.run("rescue status | head -n 2; echo ${PIPESTATUS[0]}", check=False)
            assert said.stderr == ""
            machine.poweroff()
