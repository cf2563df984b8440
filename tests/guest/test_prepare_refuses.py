"""Bad input to `rescue prepare`: a clear sentence, an exit code, and not one byte written."""

from dataclasses import dataclass

import pytest

from tests.lab.disk import DiskModel
from tests.lab.guest import Guest
from tests.lab.lab import Lab

TARGET = "TARGET01"
PREPARE = f"rescue prepare /dev/vdb --yes --expect-serial {TARGET}"


@dataclass(frozen=True)
class Case:
    """What is done to the server, the command, how it must end, and how that is undone."""

    says: str
    code: int = 10
    given: str = "true"
    command: str = PREPARE
    after: str = "true"


CASES = {
    "the target is the source": Case(
        command="rescue prepare /dev/vda --yes --expect-serial SOURCE01",
        says="is the disk this machine runs from",
    ),
    "another serial is expected": Case(
        command="rescue prepare /dev/vdb --yes --expect-serial OTHER001",
        says="'OTHER001' is not the identity of /dev/vdb, which is 'TARGET01'",
    ),
    "there is no such disk": Case(
        command=f"rescue prepare /dev/vdz --yes --expect-serial {TARGET}",
        says="there is no disk '/dev/vdz'",
        code=2,
    ),
    "nobody is there to be asked": Case(
        command="rescue prepare /dev/vdb < /dev/null", says="--expect-serial TARGET01", code=2
    ),
    "a script that names no disk": Case(
        command="rescue prepare /dev/vdb --yes", says="--yes needs --expect-serial", code=2
    ),
    "not root": Case(command=f"su anna -c '{PREPARE}'", says="only root can do this", code=2),
    "rsync is not installed": Case(
        given="mv /usr/bin/rsync /root/",
        says="apt install rsync",
        code=1,
        after="mv /root/rsync /usr/bin/",
    ),
    "GRUB is not installed": Case(
        given="mv /usr/sbin/grub-install /root/",
        says="apt install grub2-common",
        code=1,
        after="mv /root/grub-install /usr/sbin/",
    ),
    "fstab names a device that does not exist": Case(
        given="cp /etc/fstab /root/ && echo 'LABEL=gone /srv/gone ext4 defaults 0 2' >> /etc/fstab",
        says="fstab names LABEL=gone for /srv/gone, which does not exist",
        code=12,
        after="cp /root/fstab /etc/fstab",
    ),
    "GRUB has no menu here": Case(
        given="mv /boot/grub/grub.cfg /root/",
        says="there is no /boot/grub/grub.cfg that names a kernel",
        code=11,
        after="mv /root/grub.cfg /boot/grub/",
    ),
    "the firmware asks for another file": Case(
        given="mount -t tmpfs none /sys/firmware && mkdir /sys/firmware/efi "
        "&& echo 32 > /sys/firmware/efi/fw_platform_size",
        says="it looks for BOOTIA32.EFI",
        code=11,
        after="umount /sys/firmware",
    ),
    "the configuration is damaged": Case(
        given="mkdir -p /etc/rescue && echo 'version = 1' > /etc/rescue/rescue.toml",
        command="rescue mirror",
        says="key 'source'",
        code=2,
        after="rm -r /etc/rescue",
    ),
}


def test_prepare_refuses_before_the_first_byte(lab: Lab) -> None:
    with lab.server() as server:
        server.attach_blank_disk(TARGET)
        for name, case in CASES.items():
            ends(server, name, case)
        assert server.run("test -e /var/lib/rescue", check=False).returncode == 1


USED = {
    "mounted": Case(
        given="mkfs.ext4 -q /dev/vdb && mount -o ro /dev/vdb /mnt",
        says="/dev/vdb is mounted on /mnt",
        after="umount /mnt",
    ),
    "holds data": Case(says="/dev/vdb is not empty: the whole disk: ext4"),
    "the wrong disk is given up": Case(
        command=f"{PREPARE} --erase SOURCE01", says="/dev/vdb is not empty"
    ),
    "swap": Case(
        given="wipefs -qa /dev/vdb && mkswap -q /dev/vdb && swapon /dev/vdb",
        says="/dev/vdb holds active swap",
        after="swapoff /dev/vdb",
    ),
    "LVM": Case(
        given="wipefs -qa /dev/vdb && pvcreate -qy /dev/vdb && vgcreate -qy data /dev/vdb",
        command=f"{PREPARE} --erase {TARGET}",
        says="/dev/vdb belongs to",
        after="vgremove -qy data && pvremove -qy /dev/vdb",
    ),
    "LVM carries a file system of the system": Case(
        given="wipefs -qa /dev/vdb && pvcreate -qy /dev/vdb && vgcreate -qy data /dev/vdb && "
        "lvcreate -qy -L 200M -n srv data && mkfs.ext4 -q /dev/data/srv && "
        "cp /etc/fstab /root/ && echo '/dev/data/srv /mnt ext4 defaults 0 2' >> /etc/fstab && "
        "mount -o ro /mnt",
        command="rescue prepare /dev/vdc --yes --expect-serial SPARE001",
        says="/mnt is on /dev/mapper/data-srv (LVM volume on /dev/vdb), not on the disk of the "
        "system",
        code=11,
        after="umount /mnt && cp /root/fstab /etc/fstab && vgremove -qfy data && "
        "pvremove -qy /dev/vdb",
    ),
    "RAID": Case(
        given="wipefs -qa /dev/vdb && "
        "mdadm --create --quiet --run /dev/md0 --level=1 --raid-devices=2 /dev/vdb missing",
        command=f"{PREPARE} --erase {TARGET}",
        says="/dev/vdb is in use by /dev/md0",
        after="mdadm --quiet --stop /dev/md0 && mdadm --quiet --zero-superblock /dev/vdb",
    ),
    "LUKS": Case(
        given="wipefs -qa /dev/vdb && echo secret | "
        "cryptsetup -q --pbkdf-force-iterations 1000 --pbkdf pbkdf2 luksFormat /dev/vdb -",
        command=f"{PREPARE} --erase {TARGET}",
        says="/dev/vdb belongs to",
        after="wipefs -qa /dev/vdb",
    ),
}


def test_a_disk_that_is_used_or_holds_data_is_left_alone(lab: Lab) -> None:
    with lab.server() as server:
        server.attach_blank_disk(TARGET)
        server.attach_blank_disk("SPARE001")
        for name, case in USED.items():
            ends(server, name, case)


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ("too small", "/dev/vdb is too small"),
        ("sectors of 4096 bytes", "/dev/vdb has logical sectors of 4096 bytes"),
        ("read-only", "/dev/vdb is read-only"),
    ],
)
def test_a_disk_that_does_not_fit_is_refused(lab: Lab, how: str, says: str) -> None:
    size = lab.server_disk().size
    disk = lab.blank_disk(TARGET, size=size // 2 if how == "too small" else size)
    if how == "sectors of 4096 bytes":
        disk = disk.attached_as(DiskModel.VIRTIO, sector_size=4096)
    if how == "read-only":
        disk = disk.attached_as(DiskModel.VIRTIO, read_only=True)
    with lab.server() as server:
        server.attach(disk)
        ends(server, how, Case(says=says))


ASKED = """
import os, pty, sys, time
pid, fd = pty.fork()
if pid == 0:
    os.execvp("rescue", ["rescue", "prepare", "/dev/vdb"])
said = b""
while b"Type its identity" not in said:
    said += os.read(fd, 4096)
open("/run/asked", "w").close()
while not os.path.exists("/run/pulled"):
    time.sleep(0.1)
os.write(fd, b"TARGET01\\r")
try:
    while chunk := os.read(fd, 4096):
        said += chunk
except OSError:
    pass
sys.stdout.buffer.write(said)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"""


def test_a_disk_that_is_swapped_while_the_question_stands_is_not_written(lab: Lab) -> None:
    with lab.server() as server:
        server.attach_blank_disk(TARGET)
        server.run("cat > /run/asked.py", input_=ASKED.encode())
        server.run(
            "systemd-run --quiet --unit asked --property StandardOutput=file:/run/said "
            "--setenv TERM=xterm --setenv HOME=/root --remain-after-exit python3 /run/asked.py"
        )
        server.run("until [ -e /run/asked ]; do sleep 0.2; done")

        server.detach(TARGET)
        server.attach_blank_disk("OTHER001")
        assert server.device("OTHER001") == "/dev/vdb"
        server.run("touch /run/pulled")

        server.run(
            "until systemctl show asked -p SubState | grep -Eq 'exited|failed'; do sleep 0.2; done"
        )
        assert "ExecMainStatus=10" in server.run("systemctl show asked -p ExecMainStatus").stdout
        assert "is not the disk that was confirmed" in server.run("cat /run/said").stdout
        assert server.written("OTHER001") == 0


def ends(server: Guest, name: str, case: Case) -> None:
    """See that a case ends as it must, and that no disk but the system's was written to."""
    server.run(case.given)
    server.run("udevadm settle && sync")
    others = [each.disk.serial for each in server.plugged if each.disk.serial != "SOURCE01"]
    before = [server.written(serial) for serial in others]
    done = server.run(case.command, check=False)
    assert case.says in done.stdout + done.stderr, f"{name}: {done.stdout}{done.stderr}"
    assert done.returncode == case.code, f"{name}: {done.returncode} {done.stderr}"
    assert [server.written(serial) for serial in others] == before, name
    server.run(case.after)
