"""Real tools on image files: what mkfs, sfdisk and mkswap made is read back."""

import subprocess
from pathlib import Path

import parted
import pytest

from rescue.discover.contents import read_content
from rescue.discover.disks import Usage, read_disk
from rescue.model.storage.filesystem import FileSystem, FsKind, FsOptions, SwapArea
from rescue.model.storage.identity import DiskId
from rescue.model.storage.layer import Content, Foreign, Nothing
from rescue.system.block import blockinfo
from rescue.system.block.block_tree import DiskNode
from rescue.system.block.mkfs import mkfs_argv
from rescue.system.block.read_table import read_table
from rescue.units import MIB, Bytes

UUID = "11111111-2222-4333-8444-555555555555"


def image(folder: Path, *, mib: int, name: str = "image") -> Path:
    path = folder / name
    with path.open("wb") as file:
        file.truncate(mib * MIB)
    return path


def made(path: Path, *argv: str, stdin: str = "") -> Content:
    subprocess.run([*argv, str(path)], input=stdin.encode(), check=True, capture_output=True)
    return read_content(str(path), told=None)


def test_nothing_is_nothing_and_what_is_not_there_is_not_nothing(tmp_path: Path) -> None:
    assert read_content(str(image(tmp_path, mib=2)), told=None) == Nothing()
    assert read_content(str(tmp_path / "gone"), told=None) == Foreign(kind="unreadable")


MADE = {
    "ext4 as grub 2.06 wants it": ("mkfs.ext4", "-q", "-O", "^64bit,^metadata_csum"),
    "ext4 with all the new": ("mkfs.ext4", "-q", "-O", "inline_data,casefold,quota,orphan_file"),
    "ext4 with few inodes": ("mkfs.ext4", "-q", "-b", "4096", "-I", "512", "-N", "4096"),
    "ext3": ("mkfs.ext3", "-q"),
    "ext2": ("mkfs.ext2", "-q", "-b", "1024", "-I", "128"),
    "xfs": ("mkfs.xfs", "-q"),
    "xfs of old": ("mkfs.xfs", "-q", "-m", "reflink=0,bigtime=0,inobtcount=0", "-i", "size=1024"),
    "btrfs": ("mkfs.btrfs", "-q"),
    "btrfs of old": ("mkfs.btrfs", "-q", "-O", "^no-holes", "-R", "^free-space-tree"),
    "vfat": ("mkfs.vfat", "-F", "16"),
}


@pytest.mark.parametrize("recipe", MADE)
def test_what_is_made_from_what_was_read_reads_the_same(tmp_path: Path, recipe: str) -> None:
    first = made(image(tmp_path, mib=320), *MADE[recipe])
    assert isinstance(first, FileSystem)
    assert first.options != FsOptions()
    again = image(tmp_path, mib=320, name="again")
    subprocess.run(mkfs_argv(first, str(again)), check=True, capture_output=True)
    assert read_content(str(again), told=None) == first


def test_a_label_is_read_as_it_is(tmp_path: Path) -> None:
    content = made(image(tmp_path, mib=16), "mkfs.ext4", "-q", "-L", 'my "röot"', "-U", UUID)
    assert isinstance(content, FileSystem)
    assert (content.kind, content.uuid, content.label) == (FsKind.EXT4, UUID, 'my "röot"')


def test_ext2_is_not_taken_for_ext4(tmp_path: Path) -> None:
    content = made(image(tmp_path, mib=16), "mkfs.ext2", "-q", "-b", "1024", "-I", "128")
    assert isinstance(content, FileSystem)
    assert content.kind is FsKind.EXT2
    assert (content.options.block_size, content.options.inode_size) == (1024, 128)
    assert "extent" not in content.options.features


def test_an_xfs_with_its_log_elsewhere_is_not_made_again(tmp_path: Path) -> None:
    log = image(tmp_path, mib=64, name="log")
    content = made(image(tmp_path, mib=320), "mkfs.xfs", "-q", "-l", f"logdev={log},size=16384b")
    assert isinstance(content, Foreign)
    assert content.kind == "xfs with its log on another device"


def test_xfs_keeps_what_an_old_grub_needs(tmp_path: Path) -> None:
    argv = ("mkfs.xfs", "-q", "-m", "reflink=0,bigtime=0,inobtcount=0", "-i", "size=1024")
    content = made(image(tmp_path, mib=320), *argv, "-L", "xroot")
    assert isinstance(content, FileSystem)
    assert (content.kind, content.label) == (FsKind.XFS, "xroot")
    assert content.options.inode_size == 1024
    assert {"crc=1", "reflink=0", "bigtime=0", "inobtcount=0"} <= set(content.options.features)


def test_btrfs_on_one_device_and_over_two(tmp_path: Path) -> None:
    one = made(image(tmp_path, mib=128), "mkfs.btrfs", "-q", "-O", "^no-holes", "-L", "b")
    assert isinstance(one, FileSystem)
    assert one.options == FsOptions(
        block_size=4096, features=("^no-holes", "extref", "skinny-metadata")
    )
    other = image(tmp_path, mib=128, name="other")
    two = made(image(tmp_path, mib=128), "mkfs.btrfs", "-q", "-f", str(other))
    assert isinstance(two, Foreign)
    assert two.kind == "btrfs over 2 devices"


@pytest.mark.parametrize(("bits", "mib"), [(12, 2), (16, 32), (32, 64)])
def test_fat_of_every_size(tmp_path: Path, bits: int, mib: int) -> None:
    argv = ("mkfs.vfat", "-F", str(bits), "-i", "12ab34cd", "-n", "ESP")
    assert made(image(tmp_path, mib=mib), *argv) == FileSystem(
        kind=FsKind.VFAT, uuid="12AB-34CD", label="ESP", options=FsOptions(fat_bits=bits)
    )


def test_swap(tmp_path: Path) -> None:
    assert made(image(tmp_path, mib=8), "mkswap", "-U", UUID, "-L", "sw") == SwapArea(
        uuid=UUID, label="sw"
    )


def test_a_device_within_a_device_is_not_empty(tmp_path: Path) -> None:
    content = made(image(tmp_path, mib=16), "sfdisk", stdin="label: gpt\nsize=4M\n")
    assert isinstance(content, Foreign)
    assert content.kind == "partition table (gpt)"


GPT_TYPES = {
    "C12A7328-F81F-11D2-BA4B-00A0C93EC93B": "",
    "21686148-6449-6E6F-744E-656564454649": "",
    "E6D6D379-F507-44C2-A23C-238F2A3DF928": "",
    "A19D880F-05FC-4D3B-A006-743F0F84911E": "RequiredPartition",
    "0657FD6D-A4AB-43C4-84E5-0933C84B4F4F": "",
    "933AC7E1-2EB4-4F13-B844-0E14E2AEF915": "",
    "0FC63DAF-8483-4772-8E79-3D69D8477DE4": "LegacyBIOSBootable",
}
MBR_SCRIPT = """label: dos
start=2048,size=2M,type=83,bootable
size=2M,type=c
size=60M,type=f
size=2M,type=82
size=2M,type=8e
size=2M,type=fd
size=2M,type=ef
"""


def libparted_flags(path: Path) -> dict[int, tuple[str, ...]]:
    disk = parted.newDisk(parted.getDevice(str(path)))
    words = {part.number: part.getFlagsAsString() for part in disk.partitions}
    return {n: tuple(sorted(text.split(", "))) if text else () for n, text in words.items()}


def test_flags_are_those_that_libparted_sees(tmp_path: Path) -> None:
    gpt = image(tmp_path, mib=64)
    rows = "".join(f'size=2M,type={t},attrs="{a}"\n' for t, a in GPT_TYPES.items())
    made(gpt, "sfdisk", stdin=f"label: gpt\n{rows}")
    mbr = image(tmp_path, mib=64, name="mbr")
    made(mbr, "sfdisk", stdin=MBR_SCRIPT.replace("size=60M", "size=50M"))
    for path in (gpt, mbr):
        table = read_table(str(path))
        ours = {part.number: part.flags for part in table.partitions}
        assert ours == libparted_flags(path)
        assert len(ours) >= 7


def test_a_partition_the_kernel_does_not_know_is_not_called_empty(tmp_path: Path) -> None:
    path = image(tmp_path, mib=16)
    made(path, "sfdisk", stdin="label: dos\nlabel-id: 0x0badcafe\nsize=4M\n")
    node = DiskNode(
        path=str(path),
        major_minor="8:0",
        id=DiskId(serial="S"),
        size=Bytes(16 * MIB),
        logical_sector=512,
        physical_sector=512,
        model="",
        transport="",
        read_only=False,
        removable=False,
    )
    disk = read_disk(node, Usage())
    assert disk.table is not None
    assert disk.table.uuid == "0badcafe"
    assert disk.partitions[0].content == Foreign(kind="unreadable")
    assert disk.partitions[0].path == ""


def test_fstab_with_comments_quotes_and_escapes(tmp_path: Path) -> None:
    path = tmp_path / "fstab"
    path.write_text(
        "# a comment\n"
        f'UUID="{UUID}" /mnt/a\\040b ext4 defaults,noatime 0 2\n\n'
        "LABEL=foo none swap sw 0 0\n"
        "tmpfs /tmp tmpfs\n"
    )
    data, swap, tmpfs = blockinfo.fstab(str(path))
    assert (data.spec, data.target) == (f"UUID={UUID}", "/mnt/a b")
    assert data.options == ("defaults", "noatime")
    assert (swap.spec, swap.target, swap.fstype, swap.device) == ("LABEL=foo", "none", "swap", "")
    assert (tmpfs.options, tmpfs.is_block) == ((), False)


def test_an_empty_fstab_is_no_error(tmp_path: Path) -> None:
    path = tmp_path / "fstab"
    path.write_text("# nothing\n")
    assert blockinfo.fstab(str(path)) == ()
    assert blockinfo.fstab(str(tmp_path / "none")) == ()
