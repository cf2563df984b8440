"""A server with data on other disks and mounts of every kind: none of it ends a night."""

import pytest

from tests.lab.guest import Guest
from tests.lab.hardware import BIOS
from tests.lab.lab import Lab
from tests.lab.layout import GPT, MIB
from tests.lab.stock import MIRROR

HOME = next(part for part in GPT.partitions if part.mount_point == "/home")
END = max(part.start + part.size for part in GPT.partitions)
PREPARE = f"rescue prepare {MIRROR} --yes --expect-serial {MIRROR}"

DATA_ON_A_VOLUME_GROUP = r"""
pvcreate -qy {data} && vgcreate -qy srv_vg {data}
for name in data lazy; do
    lvcreate -qy -L 100M -n $name srv_vg && mkfs.ext4 -q /dev/srv_vg/$name
done
mkdir -p /srv/data "$(printf '/srv/H\303\266r')"
printf '%s\n' '/dev/srv_vg/data /srv/data ext4 defaults 0 2' >> /etc/fstab
printf '%s\n' '/dev/srv_vg/lazy /srv/H\303\266r ext4 nofail 0 2' >> /etc/fstab
systemctl daemon-reload && mount -a
"""

A_DEVICE_BY_HAND = """
dmsetup create vault --table '0 204800 linear {other} 0'
mkfs.ext4 -q /dev/mapper/vault && mount /dev/mapper/vault /mnt
"""

ESP_ON_DEMAND = """
options=noauto,x-systemd.automount,x-systemd.idle-timeout=3s
sed -i "/boot.efi.*vfat/ s/umask=0077/&,$options/" /etc/fstab
grep -q x-systemd.automount /etc/fstab
systemctl daemon-reload && umount /boot/efi && systemctl start boot-efi.automount
"""

HOME_BY_ITS_TYPE = """
sed -i '\\,[[:space:]]/home[[:space:]],d' /etc/fstab
umount /home && systemctl daemon-reload && systemctl start home.mount
grep -q gpt-auto /run/systemd/generator.late/home.mount && findmnt /home
"""

A_UNIT_WITH_AN_ESCAPED_NAME = r"""
echo 'start={start}, size={size}' | sfdisk --quiet --append --no-reread --force /dev/vda
partx --add --nr 7 /dev/vda; udevadm settle
mkfs.ext4 -q /dev/vda7 && mkdir /srv/my-data
cat > '/usr/lib/systemd/system/srv-my\x2ddata.mount' <<'UNIT'
[Mount]
What=/dev/vda7
Where=/srv/my-data
[Install]
WantedBy=local-fs.target
UNIT
systemctl daemon-reload && systemctl enable --quiet --now 'srv-my\x2ddata.mount'
echo kept > /srv/my-data/file
"""

LAYERS_ABOVE_EACH_OTHER = """
mdadm --create /dev/md/pool --quiet --run --metadata=1.2 --level=1 --raid-devices=2 \\
    --assume-clean --size=500M {one} {two}
mdadm --detail --scan >> /etc/mdadm/mdadm.conf && update-initramfs -u
mkdir -m 700 /etc/keys && head -c 64 /dev/urandom > /etc/keys/sealed
cryptsetup -q --pbkdf pbkdf2 --pbkdf-force-iterations 1000 luksFormat /dev/md/pool /etc/keys/sealed
echo "sealed UUID=$(cryptsetup luksUUID /dev/md/pool) /etc/keys/sealed luks" >> /etc/crypttab
systemctl daemon-reload && systemctl start systemd-cryptsetup@sealed.service
pvcreate -qy /dev/mapper/sealed && vgcreate -qy vault /dev/mapper/sealed
for name in data more; do
    lvcreate -qy -L 100M -n $name vault && mkfs.ext4 -q /dev/vault/$name && mkdir /srv/$name
done
echo '/dev/mapper/vault-data /srv/data ext4 defaults 0 2' >> /etc/fstab
echo "UUID=$(blkid -s UUID -o value /dev/vault/more) /srv/more ext4 nofail 0 2" >> /etc/fstab
systemctl daemon-reload && mount -a && touch /srv/data/not-mirrored
"""

THE_LAYERS_ARE_CLOSED = """
umount /srv/data /srv/more && vgchange -qan vault
systemctl stop systemd-cryptsetup@sealed.service && mdadm --stop --quiet /dev/md/pool
"""


@pytest.mark.long
def test_a_server_with_mounts_of_every_kind_has_its_mirror(lab: Lab) -> None:
    with lab.server(firmware=BIOS) as server:
        for serial in ("DATA0001", "DATA0002", MIRROR):
            server.attach_blank_disk(serial)
        it_has_mounts_of_every_kind(server)

        said = server.run(PREPARE, check=False).expect(11).stderr
        assert "/srv/data is on /dev/mapper/srv_vg-data (LVM volume on" in said
        assert "--leave-out /srv/data" in said
        assert server.written(MIRROR) == 0
        server.run(f"{PREPARE} --leave-out /srv/data")
        the_esp_is_not_mounted(server)
        night = server.run("rescue mirror")
        assert "not been confirmed" not in night.stdout
        server.run("rescue audit")
        server.poweroff()
        mirror = server.disk(MIRROR)

    with lab.machine([mirror], firmware=BIOS) as machine:
        machine.wait_for_login()
        machine.wait_for_ssh()
        assert machine.failed_units() == []
        assert machine.run("cat /srv/my-data/file").stdout == "kept\n"
        for point in ("/home", "/srv/my-data"):
            assert source_of(machine, point).startswith("/dev/vda"), point
        machine.run("ls /boot/efi/EFI")
        assert source_of(machine, "/boot/efi") == "/dev/vda2"
        lines = machine.run("grep srv_vg /etc/fstab").stdout.splitlines()
        assert [line.split()[3] for line in lines] == ["defaults,nofail", "nofail"]
        unit = machine.run(r"cat '/usr/lib/systemd/system/srv-my\x2ddata.mount'").stdout
        assert "What=/dev/disk/by-uuid/" in unit


def it_has_mounts_of_every_kind(server: Guest) -> None:
    data, other = server.device("DATA0001"), server.device("DATA0002")
    server.run(DATA_ON_A_VOLUME_GROUP.format(data=data))
    server.run(A_DEVICE_BY_HAND.format(other=other))
    server.run(ESP_ON_DEMAND)
    server.run(HOME_BY_ITS_TYPE)
    start, size = END * MIB // 512, 64 * MIB // 512
    server.run(A_UNIT_WITH_AN_ESCAPED_NAME.format(start=start, size=size))
    the_esp_is_not_mounted(server)


def the_esp_is_not_mounted(server: Guest) -> None:
    """Wait until nobody has used it for a while, as its line in fstab says."""
    server.run("timeout 60 sh -c 'while findmnt --types vfat /boot/efi; do sleep 1; done'")


def source_of(machine: Guest, point: str) -> str:
    return machine.run(f"findmnt --noheadings --output SOURCE {point} | tail -n 1").stdout.strip()


@pytest.mark.long
def test_data_below_raid_encryption_and_volumes_ends_no_night_open_closed_or_gone(lab: Lab) -> None:
    with lab.server(firmware=BIOS) as server:
        for serial in ("DATA0001", "DATA0002", MIRROR):
            server.attach_blank_disk(serial)
        one, two = server.device("DATA0001"), server.device("DATA0002")
        server.run(LAYERS_ABOVE_EACH_OTHER.format(one=one, two=two))

        said = server.run(PREPARE, check=False).expect(11).stderr
        assert "LVM volume on encrypted device /dev/mapper/sealed on RAID array" in said
        assert f"on {one} and {two}" in said
        assert server.written(MIRROR) == 0
        server.run(f"{PREPARE} --leave-out /srv/data")
        server.run("rescue mirror")
        server.run(THE_LAYERS_ARE_CLOSED)
        server.run("rescue mirror")
        for serial in ("DATA0001", "DATA0002"):
            server.detach(serial)
        assert "generation 4, audit passed" in server.run("rescue mirror").stdout
        server.poweroff()
        mirror = server.disk(MIRROR)

    with lab.machine([mirror], firmware=BIOS) as machine:
        machine.wait_for_login()
        machine.wait_for_ssh()
        assert machine.failed_units() == []
        assert machine.run("find /srv/data /srv/more -mindepth 1").stdout == ""
        sealed = machine.run("grep ^sealed /etc/crypttab").stdout.split()
        assert sealed[2:] == ["/etc/keys/sealed", "luks,nofail"]
        machine.run("test -s /etc/keys/sealed")
