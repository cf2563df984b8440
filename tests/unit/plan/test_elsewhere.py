"""What lies wholly on other disks is left out of a mirror, whatever its layer; the rest is not."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from rescue.apply.bootfiles import translated
from rescue.discover.names import Names
from rescue.errors import ExitCode
from rescue.model.mirror.elsewhere import elsewhere, stack
from rescue.model.mirror.identifiers import IdentifierMap
from rescue.model.mirror.plan import MirrorRequest, Plan
from rescue.model.mirror.step import WriteBootFiles
from rescue.model.storage.device import DeviceKind
from rescue.model.storage.disk import Disk
from rescue.model.storage.filesystem import SwapArea
from rescue.model.storage.layer import Container, Content, Foreign
from rescue.model.storage.machine import Machine
from rescue.model.storage.mount import FstabEntry, Mount, Swap
from rescue.plan.checks.drift import again
from rescue.plan.mirror import plan_mirror
from rescue.plan.prepare import left_to_ask, plan_prepare
from rescue.text.fstab import crypttab_with_nofail, with_nofail
from tests.builders import (
    bare_disk,
    enrolled,
    ext4,
    layered,
    part,
    prepared,
    refused,
    request,
    server,
    volume,
    with_disk,
    with_partition,
)

DATA = "/dev/vdc"


def data_disk(content: Content | None = None, *, whole: bool = False, path: str = DATA) -> Disk:
    disk = bare_disk(path, f"DATA{path[-1]}")
    if whole:
        return replace(disk, content=content or ext4(8))
    return with_partition(disk, part(1, 1, 100, content or ext4(8), device=path, serial="DATA"))


def mounted(machine: Machine, device: str, fstype: str = "ext4", number: str = "") -> Machine:
    mount = Mount(device=device, target="/data", fstype=fstype, major_minor=number)
    return replace(machine, mounts=(*machine.mounts, mount))


def line(
    machine: Machine, device: str, *options: str, spec: str = "", fstype: str = "ext4"
) -> Machine:
    entry = FstabEntry(
        spec=spec or device,
        target="none" if fstype == "swap" else "/data",
        fstype=fstype,
        options=options or ("defaults",),
        device=device,
    )
    return replace(machine, fstab=(*machine.fstab, entry))


def by_hand_on_luks(machine: Machine) -> Machine:
    machine = with_disk(machine, data_disk(Container(kind="crypto_LUKS", uuid="c")))
    crypt = volume("/dev/mapper/vault", f"{DATA}1", kind=DeviceKind.CRYPT)
    return mounted(layered(machine, crypt), "/dev/mapper/vault")


def pulled_stick(machine: Machine) -> Machine:
    return mounted(machine, "/dev/sdx1", "vfat", "8:241")


def pulled_volume(machine: Machine) -> Machine:
    return mounted(layered(machine, volume("/dev/mapper/vg-data")), "/dev/mapper/vg-data")


def lvm(machine: Machine) -> Machine:
    member = Container(kind="LVM2_member", uuid="l")
    machine = with_disk(machine, data_disk(member))
    machine = with_disk(machine, data_disk(member, path="/dev/vdd"))
    both = volume("/dev/mapper/srv_vg-data", f"{DATA}1", "/dev/vdd1")
    return mounted(layered(machine, both), "/dev/mapper/srv_vg-data")


def lvm_on_luks_on_md(machine: Machine) -> Machine:
    machine = with_disk(machine, data_disk(Container(kind="linux_raid_member", uuid="m")))
    machine = layered(
        machine,
        volume("/dev/md0", f"{DATA}1", kind=DeviceKind.ARRAY),
        volume("/dev/mapper/vault", "/dev/md0", kind=DeviceKind.CRYPT),
        volume("/dev/mapper/vg-data", "/dev/mapper/vault"),
    )
    return mounted(machine, "/dev/mapper/vg-data")


def zfs(machine: Machine) -> Machine:
    machine = with_disk(machine, data_disk(Foreign(kind="zfs_member", label="tank")))
    return mounted(machine, "tank/data", "zfs", "0:55")


def whole_disk(machine: Machine) -> Machine:
    return mounted(with_disk(machine, data_disk(whole=True)), DATA)


def btrfs_over_two(machine: Machine) -> Machine:
    member = Foreign(kind="btrfs over 2 devices", uuid="b")
    machine = with_disk(machine, data_disk(member))
    machine = with_disk(machine, data_disk(member, path="/dev/vdd"))
    return mounted(machine, f"{DATA}1", "btrfs", "0:44")


def bcachefs(machine: Machine) -> Machine:
    machine = with_disk(machine, data_disk(Foreign(kind="bcachefs")))
    machine = with_disk(machine, data_disk(Foreign(kind="bcachefs"), path="/dev/vdd"))
    return mounted(machine, f"{DATA}1:/dev/vdd1", "bcachefs", "0:45")


def internal_disk(machine: Machine) -> Machine:
    return mounted(with_disk(machine, data_disk()), f"{DATA}1")


def fuseblk(machine: Machine) -> Machine:
    machine = with_disk(machine, data_disk(Foreign(kind="ntfs")))
    return mounted(machine, f"{DATA}1", "fuseblk", "254:33")


BY_HAND: dict[str, tuple[Callable[[Machine], Machine], str]] = {
    "LUKS by hand": (by_hand_on_luks, "/dev/mapper/vault (encrypted device on /dev/vdc)"),
    "a pulled stick": (pulled_stick, "/dev/sdx1 (a disk that is not there)"),
    "a volume of a pulled disk": (pulled_volume, "(LVM volume on a disk that is not there)"),
    "LVM over two disks": (lvm, "(LVM volume on /dev/vdc and /dev/vdd)"),
    "LVM on LUKS on md": (
        lvm_on_luks_on_md,
        "/dev/mapper/vg-data (LVM volume on encrypted device /dev/mapper/vault on RAID array "
        "/dev/md0 on /dev/vdc)",
    ),
    "ZFS": (zfs, "tank/data (ZFS pool tank on /dev/vdc)"),
    "a whole disk": (whole_disk, "another disk, /dev/vdc,"),
    "btrfs over two disks": (btrfs_over_two, "/dev/vdc1"),
    "bcachefs": (bcachefs, "/dev/vdc1:/dev/vdd1"),
    "an internal disk": (internal_disk, "/dev/vdc1"),
    "ntfs by FUSE": (fuseblk, "/dev/vdc1"),
}


@pytest.mark.parametrize("what", BY_HAND)
def test_what_is_mounted_by_hand_from_other_disks_is_noted_and_left_out(what: str) -> None:
    change, said = BY_HAND[what]
    plan = prepared(change(server()))
    (note,) = [note for note in plan.notes if "/data" in note]
    assert said in note
    assert "not mirrored" in note
    assert settings(plan).nofail == ()


@pytest.mark.parametrize("what", BY_HAND)
def test_a_nightly_run_goes_on_beside_it(what: str) -> None:
    change, _ = BY_HAND[what]
    there = enrolled()
    plan = nightly(change(there.machine))
    assert plan.notes == ()


@pytest.mark.parametrize("what", BY_HAND)
@pytest.mark.parametrize("option", ["nofail", "noauto", "x-systemd.automount"])
def test_a_line_that_the_boot_does_not_wait_for_is_as_good_as_by_hand(
    what: str, option: str
) -> None:
    change, _ = BY_HAND[what]
    machine = change(server())
    device = machine.mounts[-1].device
    prepared(line(machine, device, option, fstype=machine.mounts[-1].fstype))


@pytest.mark.parametrize("what", BY_HAND)
def test_what_the_boot_waits_for_is_asked_for_and_then_remembered(what: str) -> None:
    change, _ = BY_HAND[what]
    machine = change(server())
    device, fstype = machine.mounts[-1].device, machine.mounts[-1].fstype
    gone = "pulled" in what
    machine = line(machine, "" if what == "a pulled stick" else device, spec=device, fstype=fstype)
    (refusal,) = refused(plan_prepare(machine, request()))
    assert refusal.code is (ExitCode.DRIFTED if what == "a pulled stick" else ExitCode.UNSUPPORTED)
    assert "/data" in refusal.reason
    assert "--leave-out /data" in refusal.hint
    assert [each.what for each in left_to_ask(machine, request())] == ["/data"]

    plan = prepared(machine, request(leave_out=("/data",)))
    (note,) = [note for note in plan.notes if "/data" in note]
    assert "missing on the mirror, which boots without it" in note or gone
    assert settings(plan).nofail == ("/data",)
    assert plan.record.left_out == ("/data",)
    assert left_to_ask(machine, request(leave_out=("/data",))) == ()


def settings(plan: Plan) -> WriteBootFiles:
    return next(s for s in plan.steps if isinstance(s, WriteBootFiles) and not s.menus)


def nightly(machine: Machine, left_out: tuple[str, ...] = ()) -> Plan:
    record = replace(enrolled().record, left_out=left_out, fstab=())
    plan = plan_mirror(machine, record, record, MirrorRequest())
    assert isinstance(plan, Plan), plan
    return plan


def test_a_night_does_not_end_for_a_new_data_disk_but_says_what_is_missing() -> None:
    machine = line(internal_disk(enrolled().machine), f"{DATA}1")
    plan = nightly(machine)
    (note,) = plan.notes
    assert "/data" in note
    assert "not been confirmed" in note
    assert settings(plan).nofail == ("/data",)
    quiet = nightly(machine, ("/data",))
    assert quiet.notes == ()
    assert settings(quiet).nofail == ("/data",)


def test_hundreds_of_volumes_are_one_note() -> None:
    machine = zfs(server())
    mounts = (replace(machine.mounts[-1], target=f"/tank/{n:03}") for n in range(300))
    plan = prepared(replace(machine, mounts=(*machine.mounts, *mounts)))
    (note,) = [note for note in plan.notes if "/tank" in note]
    assert note.startswith("301 are on other disks")
    assert note.endswith("and 296 more")


def test_the_command_that_prepares_again_does_not_ask_again() -> None:
    record = replace(enrolled().record, left_out=("/data", "/srv/my data"))
    assert again(record).endswith("--erase MIR0001 --leave-out /data --leave-out '/srv/my data'")


def test_swap_on_another_disk() -> None:
    swap = SwapArea(uuid="s")
    machine = with_disk(server(), data_disk(swap))
    active = Swap(path=f"{DATA}1", is_file=False, size=4096)
    by_hand = replace(machine, swaps=(*machine.swaps, active))
    assert any(f"swap {DATA}1" in note for note in prepared(by_hand).notes)
    listed = line(by_hand, f"{DATA}1", spec="UUID=s", fstype="swap")
    (refusal,) = refused(plan_prepare(listed, request()))
    assert "--leave-out UUID=s" in refusal.hint
    assert settings(prepared(listed, request(leave_out=("UUID=s",)))).nofail == ("UUID=s",)


@pytest.mark.parametrize("target", ["/var", "/usr", "/boot", "/boot/efi"])
@pytest.mark.parametrize("option", ["defaults", "nofail"])
def test_a_part_of_the_system_on_another_disk_is_refused(target: str, option: str) -> None:
    machine = with_disk(server(), data_disk())
    mounts = tuple(m for m in machine.mounts if m.target != target)
    lines = tuple(e for e in machine.fstab if e.target != target)
    mount = Mount(device=f"{DATA}1", target=target, fstype="ext4")
    entry = FstabEntry(
        spec="UUID=x", target=target, fstype="ext4", options=(option,), device=f"{DATA}1"
    )
    machine = replace(machine, mounts=(*mounts, mount), fstab=(*lines, entry))
    answer = refused(plan_prepare(machine, request(leave_out=(target,))))
    assert any(
        each.code is ExitCode.UNSUPPORTED
        and target in each.reason
        and "no mirror would" in each.reason
        for each in answer
    )


def test_a_layer_that_lies_partly_on_the_system_s_disk_is_refused_with_all_layers_named() -> None:
    machine = with_disk(server(), data_disk(Container(kind="LVM2_member", uuid="l")))
    machine = layered(
        machine,
        volume("/dev/mapper/vault", "/dev/vda1", kind=DeviceKind.CRYPT),
        volume("/dev/mapper/vg-data", "/dev/mapper/vault", f"{DATA}1"),
        volume("/dev/mapper/vg-srv", "/dev/mapper/vault"),
    )
    machine = mounted(machine, "/dev/mapper/vg-data")
    srv = Mount(device="/dev/mapper/vg-srv", target="/srv", fstype="xfs")
    machine = replace(machine, mounts=(*machine.mounts, srv))
    first, second = refused(plan_prepare(machine, request()))
    assert "/data is on /dev/mapper/vg-data (LVM volume on encrypted device" in first.reason
    assert "/srv is on /dev/mapper/vg-srv (LVM volume on encrypted device" in second.reason


def test_a_root_on_layers_names_them_and_everything_else_there_at_once() -> None:
    machine = server()
    machine = layered(
        machine,
        volume("/dev/mapper/vault", "/dev/vda4", kind=DeviceKind.CRYPT),
        volume("/dev/mapper/vg-root", "/dev/mapper/vault"),
        volume("/dev/mapper/vg-home", "/dev/mapper/vault"),
    )
    mounts = (
        Mount(device="/dev/mapper/vg-root", target="/", fstype="ext4"),
        Mount(device="/dev/mapper/vg-home", target="/home", fstype="ext4"),
    )
    lines = tuple(e for e in machine.fstab if e.target not in ("/", "/home", "none"))
    kept = tuple(m for m in machine.mounts if m.target not in ("/", "/home"))
    machine = replace(machine, mounts=(*kept, *mounts), fstab=lines)
    root, home = refused(plan_prepare(machine, request()))
    layers = "(LVM volume on encrypted device /dev/mapper/vault on /dev/vda)"
    assert f"/dev/mapper/vg-root {layers}" in root.reason
    assert f"/home is on /dev/mapper/vg-home {layers}" in home.reason


def test_a_drbd_device_does_not_tell_where_it_is() -> None:
    machine = layered(server(), volume("/dev/drbd0", kind=DeviceKind.DRBD))
    (refusal,) = refused(plan_prepare(mounted(machine, "/dev/drbd0"), request()))
    assert "DRBD device" in refusal.reason


def test_a_file_system_in_user_space_is_no_disk_whatever_it_calls_itself() -> None:
    machine = mounted(server(), "/dev/vda1", "fuse.sshfs", "0:52")
    assert not [note for note in prepared(machine).notes if "/data" in note]
    assert Names(numbers={}).of_mount(machine.mounts[-1]).device == "fuse.sshfs"


@pytest.mark.parametrize("option", ["defaults", "noauto"])
def test_a_volume_group_called_srv_vg_is_no_optical_drive(option: str) -> None:
    machine = line(lvm(server()), "/dev/mapper/srv_vg-data", option, spec="/dev/srv_vg/data")
    notes = prepared(machine, request(leave_out=("/data",))).notes
    assert any("srv_vg" in note for note in notes)


def test_an_optical_drive_is_one_by_what_it_is() -> None:
    machine = layered(server(), volume("/dev/scd0", kind=DeviceKind.OPTICAL))
    machine = line(mounted(machine, "/dev/scd0", "udf"), "/dev/scd0", "noauto", fstype="udf")
    assert not [note for note in prepared(machine).notes if "/data" in note]


def test_leaving_out_what_is_not_on_another_disk_is_a_slip_of_the_pen() -> None:
    (refusal,) = refused(plan_prepare(server(), request(leave_out=("/hme",))))
    assert (refusal.code, "/hme" in refusal.reason) == (ExitCode.USAGE, True)


def test_what_is_on_the_mirror_s_own_disk_is_the_guard_s_concern() -> None:
    machine = mounted(with_disk(server(), data_disk()), f"{DATA}1")
    assert elsewhere(machine, "/dev/vda", but_not=DATA) == ()
    assert stack(machine, f"{DATA}1").disks == (DATA,)


# --- the mirror's own fstab and crypttab ------------------------------------------------------

FSTAB = r"""# /data ext4 defaults
UUID=a  /data   ext4    defaults        0       2
UUID=b  /srv/my\040data/ ext4 noatime
UUID=c  /srv/H\303\266r xfs rw 0 0
UUID=d  /quiet  ext4    nofail  0 2
/dev/e  /bare   ext4
UUID=f  none    swap    sw      0 0
UUID=g  /other  ext4    defaults 0 2
"""


def test_nofail_is_added_where_it_is_needed_and_nothing_else_is_touched() -> None:
    places = ("/data", "/srv/my data", "/srv/Hör", "/quiet", "/bare", "UUID=f")
    assert with_nofail(FSTAB, places).splitlines() == [
        "# /data ext4 defaults",
        "UUID=a  /data   ext4    defaults,nofail        0       2",
        r"UUID=b  /srv/my\040data/ ext4 noatime,nofail",
        r"UUID=c  /srv/H\303\266r xfs rw,nofail 0 0",
        "UUID=d  /quiet  ext4    nofail  0 2",
        "/dev/e  /bare   ext4 defaults,nofail",
        "UUID=f  none    swap    sw,nofail      0 0",
        "UUID=g  /other  ext4    defaults 0 2",
    ]
    assert with_nofail(FSTAB, ()) == FSTAB


def test_the_boot_waits_for_no_encrypted_device_of_another_disk_open_or_closed() -> None:
    table = "# vault x\nvault UUID=v none luks,discard\nbare UUID=w\nlazy UUID=r none luks,noauto\n"
    assert crypttab_with_nofail(table).splitlines() == [
        "# vault x",
        "vault UUID=v none luks,discard,nofail",
        "bare UUID=w none luks,nofail",
        "lazy UUID=r none luks,noauto",
    ]
    for machine in (by_hand_on_luks(server()), server()):
        step = settings(prepared(machine))
        written = translated(table.encode(), IdentifierMap(), path="/etc/crypttab", step=step)
        assert b"luks,discard,nofail" in written
