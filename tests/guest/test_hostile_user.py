"""One user means harm, night after night; everybody else's files are on the mirror all the same."""

from pathlib import Path

import pytest

from tests.guest import as_mirror, foe, postman
from tests.guest.test_main_story import OWN
from tests.image.rsyncs import RELEASED, folder_with
from tests.lab.guest import Guest
from tests.lab.lab import VOLATILE, Lab, tree
from tests.lab.layout import GPT
from tests.lab.manifest import Manifest, differences
from tests.lab.stock import MIRROR
from tests.lab.variant import BOOKWORM, TRIXIE_NVME, Variant

FOE = "/usr/local/lib/foe.py"
HOME = "/home/bela"
# What rescue itself writes on a server that has no fault.
OUR_STATE = ("var/lib/rescue*", "etc/.pwd.lock", "etc/fstab*", "etc/default/grub*", "etc/grub.d*")


@pytest.mark.long
@pytest.mark.parametrize(
    ("variant", "nights", "rsync"),
    [
        (BOOKWORM, 1, "installed"),
        (BOOKWORM, 3, "installed"),
        (BOOKWORM, 1, RELEASED),
        (TRIXIE_NVME, 1, "installed"),
    ],
)
def test_a_user_who_means_harm_hurts_nobody_else(
    lab: Lab, variant: Variant, nights: int, rsync: str
) -> None:
    with lab.prepared_server(variant=variant) as server:
        if rsync != "installed":
            it_has_rsync(server, rsync)
        secret = the_foe_moves_in(server)
        before = tree(server, "/")
        for night in range(1, nights + 1):
            deliver(server, night)
            server.run(f"runuser -u bela -- python3 {FOE} lay {HOME} {night}")
            said = the_night(server)
            assert "\x1b" not in said
            assert f"{HOME}/{'deep' * 50}" in said
            the_others_are_whole(server)
            nothing_of_root_is_bela_s(server, secret)
        assert differences(before, tree(server, "/"), ignore=(*VOLATILE, *OUR_STATE)) == []
        the_system_is_whole(server)


def it_has_rsync(server: Guest, version: str) -> None:
    server.put(folder_with(version) / "rsync", "/usr/bin/rsync")
    said = server.run("chmod 755 /usr/bin/rsync && rsync --version").stdout
    assert f"version {version.partition('-')[0]} " in said


def the_foe_moves_in(server: Guest) -> str:
    """Give root a secret, bela a limit and a mount of her own; return the secret."""
    server.put(Path(foe.__file__), FOE)
    server.run("install --directory --mode 700 /root/vault")
    server.run("head --bytes 400 /dev/urandom | base64 --wrap 0 > /root/vault/key7")
    server.run("for i in $(seq 0 199); do ln /root/vault/key7 /root/vault/key$i; done || true")
    home = server.run("findmnt --noheadings --output SOURCE /home").stdout.strip()
    limits = f"umount /home && tune2fs -O quota {home} && mount -o usrquota /home"
    server.run(f"{limits} && python3 {FOE} quota {home} bela 200")
    server.run("modprobe fuse")
    server.run(f"systemd-run --quiet --unit cloud python3 {FOE} fuse {HOME} bela {home}")
    server.run(f"until grep --quiet ' {HOME}/cloud ' /proc/mounts; do sleep 0.2; done")
    return server.run("cat /root/vault/key7").stdout.strip()


def deliver(server: Guest, night: int) -> None:
    server.put(Path(postman.__file__), "/run/postman.py")
    server.run(f"python3 /run/postman.py /home anna {night * 100} {night * 100 + 100}")


def the_night(server: Guest) -> str:
    """Let the run and the foe work at the same time; return what the run said."""
    server.run(f"systemd-run --quiet --unit foe --uid bela python3 {FOE} act {HOME}")
    done = server.run("rescue mirror", check=False).expect(14)
    assert server.run("systemctl is-active foe", check=False).stdout.strip() == "active"
    server.run("systemctl stop foe")
    return done.stdout + done.stderr


def the_others_are_whole(server: Guest) -> None:
    part = next(part for part in GPT.partitions if part.mount_point == "/home")
    mirror = f"{server.device(MIRROR)}{part.number}"
    script = "python3 /run/manifest.py /run/lab-tree/anna"
    server.run("mkdir -p /run/lab-tree")
    here = server.run("python3 /run/manifest.py /home/anna").stdout
    steps = f"mount -o ro,noload {mirror} /run/lab-tree && {script}"
    assert server.run(f"unshare --mount sh -c '{steps}'").stdout == here


def nothing_of_root_is_bela_s(server: Guest, secret: str) -> None:
    part = next(part for part in GPT.partitions if part.mount_point == "/home")
    mirror = f"{server.device(MIRROR)}{part.number}"
    look = f"grep --recursive --files-with-matches --fixed-strings {secret[:60]} /mnt/bela; true"
    steps = f"mount -o ro,noload {mirror} /mnt && {look}"
    assert server.run(f"unshare --mount sh -c '{steps}'").stdout == ""


def the_system_is_whole(server: Guest) -> None:
    root = next(part for part in GPT.partitions if part.mount_point == "/")
    mirror = tree(server, f"{server.device(MIRROR)}{root.number}")
    assert differences(tree(server, "/"), mirror, ignore=(*OWN, *OUR_STATE)) == []


@pytest.mark.long
def test_the_way_back_beside_a_user_who_means_harm(lab: Lab) -> None:
    """A user exchanges folders and links of the live homes while the others' files come back."""
    with lab.server() as server:
        server.put(Path(foe.__file__), FOE)
        server.attach_blank_disk("DEAD0001")
        server.put(Path(as_mirror.__file__), "/run/as_mirror.py")
        server.run("python3 /run/as_mirror.py /dev/vdb")
        part = next(part for part in GPT.partitions if part.mount_point == "/home")
        server.run(f"mkdir /run/first && mount /dev/vdb{part.number} /run/first")
        server.put(Path(postman.__file__), "/run/postman.py")
        server.run("python3 /run/postman.py /run/first anna 0 100")
        server.run("install --directory --mode 700 /root/vault && echo mine > /root/vault/key7")
        fill = "mkdir mailbox; for i in $(seq 0 1999); do echo theirs > mailbox/key$i; done"
        server.run(f"cd /run/first/bela && {fill}; chown --recursive bela: . && sync -f .")
        server.run(f"runuser -u bela -- mkdir {HOME}/mailbox")
        server.run(f"runuser -u bela -- ln --symbolic /root/vault {HOME}/mailbox-link")
        server.run("umount /run/first && modprobe fuse")
        server.run(f"systemd-run --quiet --unit cloud python3 {FOE} fuse {HOME} bela /dev/vda1")
        server.run(f"until grep --quiet ' {HOME}/cloud ' /proc/mounts; do sleep 0.2; done")
        # Python keeps what it compiles: not in what is compared.
        server.run("rescue restore --dry-run")
        before = tree(server, "/")
        server.run(f"systemd-run --quiet --unit foe --uid bela python3 {FOE} act {HOME}")
        done = server.run("rescue restore --yes --expect-serial DEAD0001", check=False)
        server.run("systemctl stop foe")
        said = done.stdout + done.stderr
        assert done.returncode in (0, 14), said
        assert f"{HOME}/cloud" in said
        assert missing(tree(server, "/home"), range(100)) == []
        assert server.run("ls /root/vault").stdout == "key7\n"
        assert server.run("cat /root/vault/key7").stdout == "mine\n"
        ours = (*VOLATILE, *OUR_STATE, ".rescue*")
        assert differences(before, tree(server, "/"), ignore=ours) == []


def missing(homes: Manifest, numbers: range) -> list[int]:
    there = {entry.sha256 for entry in homes.values()}
    return [number for number in numbers if postman.digest(number) not in there]
