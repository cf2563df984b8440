"""A mirror as somebody agreed to it: without a disk with data, with hooks, compressed as here."""

import pytest

from tests.lab.disk import Disk
from tests.lab.guest import Guest
from tests.lab.lab import Lab
from tests.lab.layout import GPT, MIB
from tests.lab.stock import MIRROR
from tests.lab.terminal import Terminal

END = max(part.start + part.size for part in GPT.partitions)
CONFIG = f"""version = 1
[source]
table_uuid = "{GPT.disk_id.lower()}"
serial = "SOURCE01"
[[hook]]
when = "before"
command = ["sh", "-c", "echo before $RESCUE_COMMAND >> /root/told"]
[[hook]]
when = "after"
command = ["sh", "-c", "echo after $RESCUE_COMMAND $RESCUE_RESULT >> /root/told"]
"""
DATA = """
mkfs.ext4 -q /dev/vdb && mkdir /srv/data
echo "UUID=$(blkid -o value -s UUID /dev/vdb) /srv/data ext4 defaults 0 2" >> /etc/fstab
"""
# More than its partition holds, but for the compression.
TEXTS = f"""
echo 'start={END * MIB // 512}, size={200 * MIB // 512}' |
    sfdisk --quiet --append --no-reread --force /dev/vda
partx --add --nr 7 /dev/vda; udevadm settle
mkfs.btrfs -q /dev/vda7 && mkdir /srv/texts
line="UUID=$(blkid -o value -s UUID /dev/vda7) /srv/texts btrfs compress=zstd:1 0 0"
echo "$line" >> /etc/fstab
"""
SIZE = 320 * MIB
FILL = f"yes 'the same line again' | head -c {SIZE} > /srv/texts/log && sync"


@pytest.mark.long
def test_a_mirror_is_made_as_somebody_agreed_and_so_is_the_way_home(lab: Lab) -> None:
    with lab.server("gpt") as server:
        server.attach_blank_disk("DATA0001", size=256 * MIB)
        mirror = server.attach_blank_disk(MIRROR)
        server.run(f"set -e\n{DATA}{TEXTS}systemctl daemon-reload && mount -a\n{FILL}")
        server.run("mkdir /etc/rescue && cat > /etc/rescue/rescue.toml", input_=CONFIG.encode())
        person = server.ssh.terminal("LANG=C.UTF-8 rescue")
        with Terminal(person, log=lab.directory / "screens.log") as terminal:
            left_at_the_question_nothing_is_written(server, terminal)
            it_is_agreed_to_and_prepared(terminal)
        told = server.run("cat /root/told").stdout.splitlines()
        assert told == ["before prepare", "after prepare complete"]
        server.poweroff()
    it_goes_home_alone(lab, mirror)


def left_at_the_question_nothing_is_written(server: Guest, terminal: Terminal) -> None:
    it_is_asked(terminal)
    terminal.keys("n")
    terminal.wait_for("nothing was done")
    terminal.wait_for(r"What next\?")
    assert server.written(MIRROR) == 0


def it_is_agreed_to_and_prepared(terminal: Terminal) -> None:
    it_is_asked(terminal)
    terminal.keys("y")
    terminal.wait_for("Type its identity")
    shown = terminal.history()
    assert "--leave-out /srv/data" in shown
    assert "hooks of the configuration run around it" in shown
    terminal.keys(MIRROR, "Enter")
    terminal.wait_for(r"> \d\) Mirror every night")
    assert "mirror 'MIRROR01' is complete: generation 1" in terminal.history()
    terminal.keys("C-c")
    assert terminal.wait_for_end() == 0


def it_is_asked(terminal: Terminal) -> None:
    terminal.wait_for(r"> 1\) Make a disk a mirror")
    terminal.keys("Enter")
    terminal.wait_for(rf"1\) /dev/vdc  {MIRROR}")
    terminal.keys("Enter")
    asked = " ".join(terminal.wait_for(r"Make\s+the\s+mirror\s+without\s+it\?").split())
    assert "/srv/data is on another disk (/dev/vdb)" in asked


def it_goes_home_alone(lab: Lab, mirror: Disk) -> None:
    """Without the disk that was left out, and compressed on the mirror and on the new disk."""
    new = lab.blank_disk("NEW01", size=mirror.size)
    with lab.machine([mirror]) as machine:
        machine.wait_for_ssh()
        assert machine.failed_units() == []
        assert "compress=zstd:1" in machine.run("findmnt -no OPTIONS /srv/texts").stdout
        assert machine.run("stat --format=%s /srv/texts/log").stdout == f"{SIZE}\n"
        machine.attach(new)
        said = machine.run("rescue failback NEW01 --yes --expect-serial NEW01").stdout
        assert "is the first disk now" in said
        told = machine.run("cat /root/told").stdout.splitlines()
        assert told == ["before prepare", "before failback", "after failback complete"]
        look = "mount -o ro /dev/vdb7 /mnt && stat --format=%s /mnt/log"
        assert machine.run(f"unshare --mount sh -c '{look}'").stdout == f"{SIZE}\n"
