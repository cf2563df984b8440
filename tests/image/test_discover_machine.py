"""The machine the tests run on, and loop devices: discover on the real thing."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from rescue.discover.contents import read_content
from rescue.discover.disks import Usage
from rescue.discover.layers import subvolumes
from rescue.discover.machine import discover, subvolumes_of
from rescue.discover.names import Names
from rescue.errors import ExitCode, RefusedError
from rescue.model.storage.disk import UseKind
from rescue.model.storage.filesystem import FileSystem, FsKind
from rescue.model.storage.layer import Foreign
from rescue.model.storage.machine import MACHINE_VERSION, Machine
from rescue.model.storage.mount import Mount
from rescue.plan.prepare import plan_prepare
from rescue.store.codec import from_json, to_json
from rescue.system.block import blockinfo, udev
from rescue.ui.layers import loose_lines
from rescue.units import MIB
from tests.builders import refused, request, server


def test_a_machine_round_trips_through_json() -> None:
    machine = discover()
    assert machine.host == os.uname().nodename
    assert machine.mount_at("/") is not None
    again = from_json(to_json(machine), Machine, known_version=MACHINE_VERSION, where="test")
    assert again == machine


def test_memory_and_loop_devices_are_no_disks() -> None:
    listed = {disk.path for disk in udev.list_disks()}
    numbered = {path: Path(path).stat().st_rdev for path in listed}
    assert not [path for path, number in numbered.items() if os.major(number) in (1, 2, 7, 11)]


def test_identity_is_asked_of_whole_disks_only() -> None:
    for disk in udev.list_disks():
        assert udev.disk_id(disk.path) == disk.id
        assert udev.partition_paths(disk.path) == {p.number: p.path for p in disk.partitions}
    with pytest.raises(RefusedError, match="no disk at"):
        udev.disk_id("/dev/nonexistent")
    with pytest.raises(RefusedError, match="not a disk"):
        udev.disk_id("/dev/null")


@contextmanager
def loop(image: Path, *, mib: int) -> Iterator[str]:
    """Attach a fresh image to a loop device, and detach it at the end."""
    if os.geteuid() != 0:
        pytest.skip("attaching a loop device needs root")
    with image.open("wb") as file:
        file.truncate(mib * MIB)
    attach = ["losetup", "--find", "--show", str(image)]
    device = subprocess.run(attach, check=True, capture_output=True, text=True).stdout.strip()
    try:
        yield device
    finally:
        subprocess.run(["losetup", "--detach", device], check=True)


@contextmanager
def mounted(device: str, target: Path, *options: str) -> Iterator[None]:
    target.mkdir()
    subprocess.run(["mount", *options, device, str(target)], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", str(target)], check=True)


@pytest.mark.root
def test_an_ext4_with_its_journal_elsewhere_is_not_made_again(tmp_path: Path) -> None:
    with loop(tmp_path / "j", mib=32) as journal, loop(tmp_path / "fs", mib=64) as device:
        mkfs = ["mkfs.ext4", "-q", "-b", "4096"]
        subprocess.run([*mkfs, "-O", "journal_dev", journal], check=True)
        subprocess.run([*mkfs, "-J", f"device={journal}", device], check=True)
        assert getattr(read_content(journal, told=None), "kind", "") == "jbd"
        content = read_content(device, told=None)
    assert isinstance(content, Foreign)
    assert content.kind == "ext with its journal on another device"


@pytest.mark.root
@pytest.mark.parametrize("kind", [FsKind.EXT4, FsKind.XFS, FsKind.BTRFS])
def test_a_mounted_file_system_is_read_and_its_uses_are_seen(tmp_path: Path, kind: FsKind) -> None:
    target = tmp_path / "here we are"
    with loop(tmp_path / "image", mib=320) as device:
        subprocess.run([f"mkfs.{kind}", "-q", device], check=True, capture_output=True)
        before = read_content(device, told=None)
        with mounted(device, target):
            (target / "file").write_text("makes the file system dirty")
            content = read_content(device, told=None)
            mounts = tuple(Names(numbers={}).of_mount(mount) for mount in blockinfo.mounts())
            uses = Usage(mounts=mounts).of(device, major_minor="")
    assert isinstance(content, FileSystem)
    assert content.kind is kind
    assert content.options.block_size > 0
    # Being mounted is a state: what mkfs would be told is the same.
    assert content == before
    assert [(use.kind, use.where) for use in uses] == [(UseKind.MOUNTED, str(target))]


@pytest.mark.root
def test_the_subvolumes_of_a_mounted_btrfs_are_seen_and_stand_against_a_mirror(
    tmp_path: Path,
) -> None:
    target = tmp_path / "home"
    with loop(tmp_path / "image", mib=160) as device:
        subprocess.run(["mkfs.btrfs", "-q", device], check=True, capture_output=True)
        with mounted(device, target):
            (target / "bela").mkdir()
            assert seen_at(target).subvolumes == ()
            for inside in ("anna", "anna/deep", "bela/vm\nimages"):
                create = ["btrfs", "subvolume", "create", str(target / inside)]
                subprocess.run(create, check=True, capture_output=True)
            # Empty ones (/var/lib/machines) are the same on the mirror as empty folders.
            assert seen_at(target).subvolumes == ("anna",)
            (target / "anna/letter").write_text("rsync stops at the border of anna")
            (target / "anna/deep/letter").write_text("and of deep")
            (target / "bela/vm\nimages/disk").write_text("and of this")
            subvolumes = seen_at(target).subvolumes
    assert subvolumes == ("anna", "anna/deep", "bela/vm\nimages")
    machine = server()
    mounts = tuple(
        replace(m, fstype="btrfs", subvolumes=subvolumes) if m.target == "/home" else m
        for m in machine.mounts
    )
    (refusal,) = refused(plan_prepare(replace(machine, mounts=mounts), request()))
    assert refusal.code is ExitCode.UNSUPPORTED
    assert "/home/anna, /home/anna/deep, '/home/bela/vm\\nimages'" in refusal.reason


@pytest.mark.root
def test_a_subvolume_is_a_device_on_the_image_file_that_it_lies_in(tmp_path: Path) -> None:
    top, home = tmp_path / "top", tmp_path / "home"
    with loop(tmp_path / "image", mib=160) as device:
        mkfs = ["mkfs.btrfs", "-q", "-L", "pool", device]
        subprocess.run(mkfs, check=True, capture_output=True)
        with mounted(device, top):
            for inside in ("@home", "@home/deep"):
                create = ["btrfs", "subvolume", "create", str(top / inside)]
                subprocess.run(create, check=True, capture_output=True)
            (listed, *deep) = subvolumes([seen_at(top)], [seen_at(top)])
            with mounted(device, home, "-o", "subvol=@home"):
                machine = discover()
    assert [each.name for each in (listed, *deep)] == ["@home", "@home/deep"]
    mount = machine.mount_at(str(home))
    assert mount is not None
    subvolume, image = machine.chain(mount)
    assert subvolume.key == f"{device}[/@home]"
    assert [use.where for use in subvolume.uses] == [str(home)]
    assert (image.path, image.name, image.size) == (device, str(tmp_path / "image"), 160 * MIB)
    assert {use.where for use in image.uses} == {str(top), str(home)}
    lines = loose_lines(machine.graph)
    at = next(number for number, line in enumerate(lines) if str(tmp_path / "image") in line)
    assert lines[at + 1] == f"  @home: btrfs subvolume on {home}"


def test_where_the_tool_fails_the_subvolumes_are_not_known(tmp_path: Path) -> None:
    (tmp_path / "no btrfs").mkdir()
    mount = Mount(device="/dev/x", target=str(tmp_path / "no btrfs"), fstype="btrfs")
    assert subvolumes_of(mount) is None


def seen_at(target: Path) -> Mount:
    """Return what is mounted there, with the subvolumes that `discover` would see."""
    mount = next(mount for mount in blockinfo.mounts() if mount.target == str(target))
    return replace(mount, subvolumes=subvolumes_of(mount))
