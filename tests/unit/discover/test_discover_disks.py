"""Uses and tables of disks, from values and without reading a disk."""

from dataclasses import replace
from pathlib import Path

import pytest

from rescue.discover.contents import from_signature, read_content
from rescue.discover.disks import Usage, read_disk, table_from_udev
from rescue.discover.layers import not_in_the_table, read_layer, subvolumes
from rescue.discover.machine import kinds_in_use
from rescue.discover.names import Names
from rescue.model.mirror.elsewhere import Side, stack
from rescue.model.storage.device import Device, DeviceKind
from rescue.model.storage.disk import PartitionKind, TableKind, Use, UseKind
from rescue.model.storage.filesystem import FileSystem, FsKind, SwapArea
from rescue.model.storage.graph import graph_of
from rescue.model.storage.identity import DiskId
from rescue.model.storage.layer import Container, Foreign, Nothing
from rescue.model.storage.mount import Mount, Swap
from rescue.system.block.block_tree import DiskNode, LayerNode, OtherNode, PartitionNode
from rescue.system.block.blockinfo import Signature
from rescue.units import Bytes, Sectors
from tests.builders import server

ROOT = Mount(device="/dev/x1", target="/", fstype="ext4", major_minor="8:1")
BIND = Mount(device="/dev/x1", target="/srv/b", fstype="ext4", root="/b", major_minor="8:1")
SUBVOLUME = Mount(device="/dev/x2", target="/home", fstype="btrfs", major_minor="0:31")
SWAP = Swap(path="/dev/x3", is_file=False, size=4096)
USAGE = Usage(mounts=(ROOT, BIND, SUBVOLUME), swaps=(SWAP,))

LV = LayerNode(path="/dev/mapper/vg-root")
CRYPT = LayerNode(path="/dev/mapper/crypt", holders=(LV,))


def part(number: int, *, type_: str, told: Signature | None = None) -> PartitionNode:
    return PartitionNode(
        path=f"/nonexistent/x{number}",
        major_minor=f"8:{number}",
        number=number,
        start=Sectors(2048 * number),
        length=Sectors(2048),
        type=type_,
        uuid=f"0badcafe-0{number}",
        signature=told,
    )


def node(*parts: PartitionNode, told: Signature | None) -> DiskNode:
    return DiskNode(
        path="/nonexistent/x",
        major_minor="8:0",
        id=DiskId(serial="S"),
        size=Bytes(1 << 30),
        logical_sector=512,
        physical_sector=512,
        model="",
        transport="",
        read_only=False,
        removable=False,
        signature=told,
        partitions=parts,
    )


def test_every_mount_point_of_a_device_is_a_use() -> None:
    uses = USAGE.of("/dev/x1", major_minor="8:1")
    assert [use.where for use in uses] == ["/", "/srv/b"]


def test_a_btrfs_mount_is_found_by_name_since_its_number_is_no_disks() -> None:
    assert USAGE.of("/dev/x2", major_minor="8:2") == (Use(kind=UseKind.MOUNTED, where="/home"),)


def test_swap_and_every_layer_above_are_uses() -> None:
    assert USAGE.of("/dev/x3", major_minor="8:3") == (Use(kind=UseKind.SWAP, where="/dev/x3"),)
    uses = USAGE.of("/dev/x4", major_minor="8:4", holders=(CRYPT,))
    assert uses == (
        Use(kind=UseKind.HOLDER, where="/dev/mapper/crypt"),
        Use(kind=UseKind.HOLDER, where="/dev/mapper/vg-root"),
    )


def test_without_root_a_disk_is_what_udev_remembers() -> None:
    swap = part(5, type_="0x82", told=Signature(type="swap", uuid="u", label="l"))
    empty = part(1, type_="0x83", told=Signature())
    told = Signature(table_kind="dos", table_uuid="0badcafe")
    disk = read_disk(node(empty, part(2, type_="0x5"), swap, told=told), Usage())
    assert disk.table is not None
    assert (disk.table.kind, disk.table.uuid) == (TableKind.MBR, "0badcafe")
    assert disk.table.partition(1).content == Nothing()
    assert disk.table.partition(2).kind is PartitionKind.EXTENDED
    assert disk.table.partition(5).kind is PartitionKind.LOGICAL
    assert disk.table.partition(5).content == SwapArea(uuid="u", label="l")


def test_a_disk_of_which_nothing_is_known_is_not_called_empty() -> None:
    disk = read_disk(node(told=None), Usage())
    assert disk.table is None
    assert disk.content == Foreign(kind="unreadable")


def test_a_gpt_from_udev_spells_guids_as_sfdisk_does() -> None:
    told = Signature(table_kind="gpt", table_uuid="AB")
    table = table_from_udev(
        node(part(1, type_="c12a7328-f81f-11d2-ba4b-00a0c93ec93b"), told=told), told
    )
    assert table.partition(1).type == "C12A7328-F81F-11D2-BA4B-00A0C93EC93B"
    assert table.partition(1).flags == ("boot", "esp")


def other(path: str, kind: DeviceKind, told: Signature | None) -> OtherNode:
    device = Device(key=path, kind=kind, path=path, made_of=("/nonexistent/x1",))
    return OtherNode(major_minor="253:0", device=device, signature=told)


def test_a_layer_holds_and_is_used_as_any_device() -> None:
    told = Signature(type="crypto_LUKS", uuid="c")
    assert read_content("/nonexistent/x", told=told) == Container(kind="crypto_LUKS", uuid="c")
    inner = other("/dev/mapper/crypt", DeviceKind.CRYPT, Signature(type="swap", uuid="s"))
    swap = Swap(path="/dev/mapper/crypt", is_file=False, size=4096)
    layer = read_layer(inner, Usage(swaps=(swap,)))
    assert layer.content == SwapArea(uuid="s")
    assert layer.uses == (Use(kind=UseKind.SWAP, where="/dev/mapper/crypt"),)
    assert layer.made_of == ("/nonexistent/x1",)


def test_what_is_on_no_disk_is_not_probed() -> None:
    image = other("/nonexistent/loop0", DeviceKind.LOOP, Signature(type="ext4", uuid="i"))
    assert read_layer(image, Usage()).content == FileSystem(kind=FsKind.EXT4, uuid="i")
    unseen = other("/nonexistent/sr0", DeviceKind.OPTICAL, None)
    assert read_layer(unseen, Usage()).content == Nothing()
    lost = other("/nonexistent/dm-0", DeviceKind.MAPPED, None)
    assert read_layer(lost, Usage()).content == Foreign(kind="unreadable")


def test_subvolumes_that_are_mounted_are_devices_of_their_own() -> None:
    options = ("rw", "subvolid=256", "subvol=/@home")
    home = replace(SUBVOLUME, root="/@home", options=options)
    bound = replace(home, target="/srv/anna", root="/@home/anna")
    top = replace(SUBVOLUME, target="/mnt/top", options=("rw", "subvolid=5", "subvol=/"))
    (found,) = subvolumes((home, bound, top, ROOT), ())
    assert (found.key, found.name, found.made_of) == ("/dev/x2[/@home]", "@home", ("/dev/x2",))
    assert found.uses == (Use(kind=UseKind.MOUNTED, where="/home"),)


def test_a_path_of_a_multipath_device_holds_what_udev_says() -> None:
    told = Signature(type="mpath_member")
    path = read_disk(node(part(1, type_="0x83"), told=told), Usage())
    assert (path.table, path.content) == (None, Foreign(kind="mpath_member"))


def test_signatures_that_are_not_made_again_are_named() -> None:
    assert from_signature(Signature(type="ntfs", label="C")) == Foreign(kind="ntfs", label="C")
    assert from_signature(Signature(ambivalent=True)) == Foreign(kind="ambivalent")
    table = Signature(table_kind="dos", table_uuid="1")
    assert from_signature(table) == Foreign(kind="partition table (dos)", uuid="1")
    assert from_signature(Signature()) == Nothing()


def test_only_file_systems_of_disks_in_use_ask_for_tools() -> None:
    xfs = read_disk(node(told=Signature(type="xfs", uuid="u")), Usage())
    assert isinstance(xfs.content, FileSystem)
    assert kinds_in_use(graph_of([xfs], ())) == frozenset()
    mounted = Mount(device="/nonexistent/x", target="/", fstype="xfs", major_minor="8:0")
    used = read_disk(node(told=Signature(type="xfs", uuid="u")), Usage(mounts=(mounted,)))
    assert kinds_in_use(graph_of([used], ())) == {FsKind.XFS}
    inner = Signature(type="btrfs", uuid="b")
    above = replace(
        read_layer(other("/dev/mapper/crypt", DeviceKind.CRYPT, inner), Usage()),
        made_of=(used.path,),
    )
    assert kinds_in_use(graph_of([used], [above])) == {FsKind.XFS, FsKind.BTRFS}


def test_a_mount_gets_the_name_of_the_device_with_its_number() -> None:
    names = Names(numbers={"8:1": "/dev/sda1"})
    kernel = Mount(device="/dev/root", target="/", fstype="ext4", major_minor="8:1")
    assert names.of_mount(kernel).device == "/dev/sda1"
    tmpfs = Mount(device="tmpfs", target="/run", fstype="tmpfs", major_minor="0:23")
    assert names.of_mount(tmpfs) == tmpfs


@pytest.mark.parametrize("kind", ["fuse", "fuse.sshfs", "fuse.ext4", "tmpfs"])
def test_what_calls_itself_a_disk_is_none(kind: str) -> None:
    """A user's FUSE mount says of itself what it likes (fsname, man 8 mount.fuse)."""
    names = Names(numbers={"8:1": "/dev/sda1"})
    for called in ("/dev/sda1", "/dev/sda", "/dev/sda1:/dev/sda2", "x:/dev/sda1"):
        mount = Mount(device=called, target="/home/eve/x", fstype=kind, major_minor="0:57")
        assert names.of_mount(mount).device == kind
        used = Usage(mounts=(mount,)).of("/dev/sda1", major_minor="8:1")
        assert used == ()


def test_a_fuse_file_system_on_a_disk_is_one() -> None:
    names = Names(numbers={"8:1": "/dev/sda1"})
    ntfs = Mount(device="/dev/sda1", target="/mnt", fstype="fuseblk", major_minor="8:1")
    assert names.of_mount(ntfs).device == "/dev/sda1"
    assert not ntfs.is_of_a_user


def test_what_a_user_lays_over_his_own_file_system_is_not_the_one_that_is_mirrored() -> None:
    own = Mount(device="/dev/sda3", target="/home/eve", fstype="ext4", major_minor="8:3")
    over = Mount(device="fuse.x", target="/home/eve", fstype="fuse.x", major_minor="0:57")
    machine = replace(server(), mounts=(*server().mounts, own, over))
    assert machine.mount_at("/home/eve") == own
    assert replace(machine, mounts=(over,)).mount_at("/home/eve") == over
    assert machine.mount_at("/nowhere") is None


def test_what_is_no_block_device_has_no_name_but_a_swap_file_keeps_its_own(
    tmp_path: Path,
) -> None:
    names = Names(numbers={})
    assert names.of_path("/dev/null") == ""
    assert names.of_path("/dev/nonexistent") == ""
    assert names.of_path(str(tmp_path)) == ""
    assert names.of_swap("/swapfile") == "/swapfile"


def test_a_partition_that_only_the_kernel_has_still_lies_on_its_disk() -> None:
    disk = node(part(1, type_="0x83", told=Signature()), told=Signature(table_kind="dos"))
    gone = replace(read_disk(disk, Usage()), table=None)
    (device,) = not_in_the_table((disk,), (gone,), Usage())
    assert (device.path, device.made_of) == ("/nonexistent/x1", ("/nonexistent/x",))
    machine = replace(server(), disks=(gone,), devices=(device,))
    assert stack(machine, device.path).side("/nonexistent/x") is Side.OWN
