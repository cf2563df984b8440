"""Sticks that mean harm: one that passes for the mirror, and one whose every file is a trap."""

import re
from collections.abc import Iterator

import pytest

from tests.lab import snapshot
from tests.lab.guest import Guest
from tests.lab.lab import Lab
from tests.lab.layout import GPT
from tests.lab.stock import MIRROR, Stock

PLUGGED = f"rescue-plugged@{MIRROR}.service"
RECORD = f"/var/lib/rescue/mirrors/{MIRROR}.json"
ROOT = next(part for part in GPT.partitions if part.mount_point == "/")


@pytest.fixture(scope="module")
def evening(stock: Stock, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guest]:
    """One server whose mirror is taken away by day, and gets its run when it is plugged in."""
    with Lab(stock, tmp_path_factory.mktemp("evening")).prepared_server() as server:
        server.run("rescue schedule install --when-plugged")
        server.run("sfdisk --dump /dev/vdb > /root/table")
        server.run("blkid --output export /dev/vdb[0-9] > /root/names")
        server.detach(MIRROR)
        snapshot.save(server, "evening")
        yield server


@pytest.fixture
def server(evening: Guest) -> Guest:
    """The server, put back to that moment."""
    snapshot.load(evening, "evening")
    return evening


FORGE = """
set -e
sfdisk --quiet /dev/vdb < /root/table && udevadm settle
for part in 1 2 3 4 5 6; do
    test -b /dev/vdb$part || continue
    uuid=$(sed -n "/^DEVNAME=.*vdb$part$/,/^$/s/^UUID=//p" /root/names)
    case $(sed -n "/^DEVNAME=.*vdb$part$/,/^$/s/^TYPE=//p" /root/names) in
        ext4) mkfs.ext4 -q -F -U "$uuid" /dev/vdb$part ;;
        vfat) mkfs.vfat -i "$(echo "$uuid" | tr -d -)" /dev/vdb$part > /dev/null ;;
        swap) mkswap --uuid "$uuid" /dev/vdb$part > /dev/null ;;
    esac
done
mount /dev/vdb4 /mnt
mkdir --mode 700 /mnt/.rescue
"""


@pytest.mark.parametrize(
    "marker",
    [
        f"ln --symbolic {RECORD} /mnt/.rescue/mirror.json",
        # All of it can be guessed or was seen once, but for what nobody but root ever saw.
        f"sed 's/[0-9a-f]\\{{64\\}}/'$(printf '0%.0s' $(seq 64))'/g' {RECORD} "
        "> /mnt/.rescue/mirror.json",
    ],
    ids=["a link to the record", "a copy without the secret"],
)
def test_a_stick_that_passes_for_the_mirror_gets_nothing(
    lab: Lab, server: Guest, marker: str
) -> None:
    forged = server.attach_blank_disk(MIRROR)
    server.run(FORGE)
    server.run(f"{marker} && umount /mnt && sync")
    server.detach(MIRROR)
    before = forged.digest()

    server.attach(forged)
    ended = f"systemctl show --property=Result --value {PLUGGED}"
    server.run(f"until [ $({ended}) = exit-code ]; do sleep 1; done")
    said = server.run(f"journalctl --no-pager --unit {PLUGGED} --output cat").stdout
    assert "refused" in said or "not the mirror" in said
    server.run("rescue mirror", check=False).expect(10)
    server.detach(MIRROR)
    assert forged.digest() == before, "a stranger's stick was written to"


TRAPS = r"""
set -e
printf 'label: gpt\nsize=40M\nsize=40M\nsize=40M\nsize=40M\nsize=40M\nsize=40M\nsize=40M\n' |
    sfdisk --quiet /dev/vdb && udevadm settle
make() { mkfs.ext4 -q -F "$@"; }
make -L "$(printf '\033[2J\nrescue')" -e panic /dev/vdb1
for part in 2 3 4 5 6 7; do make -e panic /dev/vdb$part; done
at() { mount /dev/vdb$1 /mnt; mkdir --mode 700 /mnt/.rescue; }
at 1; mkfifo /mnt/.rescue/mirror.json /mnt/.rescue/booted; umount /mnt
at 2; ln --symbolic /dev/zero /mnt/.rescue/mirror.json; umount /mnt
at 3; mkdir /mnt/.rescue/mirror.json; umount /mnt
at 4; python3 -c 'print("[" * 200000)' > /mnt/.rescue/mirror.json; umount /mnt
at 5; sed 's/"last_complete": *[0-9.]*/"last_complete": 1e300/' RECORD > /mnt/.rescue/mirror.json
umount /mnt
at 6; rmdir /mnt/.rescue; ln --symbolic /etc /mnt/.rescue; umount /mnt
at 7; umount /mnt
# The root folder's inode is no folder any more: what mounts it to write has the kernel panic.
debugfs -w -R 'set_inode_field .rescue block[0] 0' /dev/vdb7 2> /dev/null
debugfs -w -R 'set_inode_field .rescue mode 0100700' /dev/vdb7 2> /dev/null
""".replace("RECORD", RECORD)


def test_a_stick_of_traps_ends_nothing(server: Guest) -> None:
    booted = server.run("cat /proc/sys/kernel/random/boot_id").stdout
    stick = server.attach_blank_disk("TRAPS001", size=512 << 20)
    server.run(TRAPS)
    server.detach("TRAPS001")
    before = stick.digest()
    server.attach(stick)
    for command, code in (
        ("rescue disks", 0),
        ("rescue mirror", 75),
        ("rescue status", 0),
    ):
        done = server.run(command, check=False).expect(code)
        assert re.search(r"[\x00-\x08\x0b-\x1f\x7f]", done.stdout + done.stderr) is None
    assert server.run("stat --format=%a /etc").stdout == "755\n"
    assert server.run("cat /proc/sys/kernel/random/boot_id").stdout == booted
    server.detach("TRAPS001")
    assert stick.digest() == before, "a stranger's stick was written to"
