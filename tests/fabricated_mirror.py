"""A whole mirror made of nothing: tree, disk image and record, good in every link of its boot.

No program is started for it, so that each fault can be tried in milliseconds.
"""

import lzma
import os
import random
import struct
from dataclasses import dataclass, replace
from pathlib import Path

from rescue.model.boot.firmware import GrubPlatform
from rescue.model.mirror.identifiers import DeviceNames, DevicePair, IdentifierMap
from rescue.model.mirror.record import DiskRef, FilesystemPair, MirrorRecord, SwapPair
from rescue.model.storage.disk import Disk, Partition, PartitionTable, TableKind
from rescue.model.storage.filesystem import FileSystem, FsKind, SwapArea
from rescue.model.storage.identity import DiskId
from rescue.model.storage.layer import Content, Nothing
from rescue.model.storage.place import OnPartition
from rescue.units import Bytes, Sectors

DATA = Path(__file__).parent / "data" / "verify"
KERNELS = ("6.1.0-18-amd64", "6.1.0-17-amd64")
SECTOR = 512
MIB = 2048  # sectors
LINUX = "0FC63DAF-8483-4772-8E79-3D69D8477DE4"
GRUB_CODE = b"\x90" * 0x118 + b"GRUB \0Geom\0Hard Disk\0Read\0 Error\r\n\0"


def source_uuid(number: int) -> str:
    """Return the UUID of what the source has on that partition."""
    return "AAAA-1111" if number == 2 else f"5a5a5a5a-0000-4000-8000-00000000000{number}"


def mirror_uuid(number: int) -> str:
    """Return the UUID of what the mirror has on that partition."""
    return "BBBB-2222" if number == 2 else f"c0c0c0c0-0000-4000-8000-00000000000{number}"


def partuuid(number: int, *, mirror: bool = True) -> str:
    """Return a PARTUUID."""
    return f"{'c0c0c0c0' if mirror else '5a5a5a5a'}-1111-4000-8000-00000000000{number}"


@dataclass(frozen=True, kw_only=True)
class FabricatedMirror:
    """What `audit` is given."""

    tree: Path
    disk: Disk
    record: MirrorRecord

    @property
    def image(self) -> Path:
        """The disk's image file."""
        return Path(self.disk.path)

    def edit(self, path: str, old: str, new: str) -> None:
        """Replace something in a file of the tree, which must be there."""
        file = self.tree / path.lstrip("/")
        text = file.read_text()
        assert old in text, f"{old!r} is not in {path}"
        file.write_text(text.replace(old, new))

    def write(self, path: str, data: bytes | str, *, mode: int = 0o644) -> Path:
        """Write a file of the tree."""
        return write(self.tree, path, data, mode=mode)

    def poke(self, sector: int, data: bytes) -> None:
        """Write onto the disk."""
        with self.image.open("r+b") as device:
            device.seek(sector * SECTOR)
            device.write(data)


def write(tree: Path, path: str, data: bytes | str, *, mode: int = 0o644) -> Path:
    """Write a file, with the directories it needs."""
    file = tree / path.lstrip("/")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(data.encode() if isinstance(data, str) else data)
    file.chmod(mode)
    return file


def fabricate(base: Path, *, kind: TableKind = TableKind.GPT) -> FabricatedMirror:
    """Make a good mirror below a directory: BIOS and UEFI with GPT, BIOS alone with MBR."""
    tree = base / "tree"
    tree.mkdir()
    tree.chmod(0o755)
    disk = make_disk(base / "disk.img", kind)
    record = make_record(disk, kind)
    _make_system(tree)
    _make_boot(tree)
    if kind is TableKind.GPT:
        _make_esp(tree)
    core = core_image(prefix=f"(,{'gpt' if kind is TableKind.GPT else 'msdos'}3)/grub")
    mirror = FabricatedMirror(tree=tree, disk=disk, record=record)
    install_bios(mirror, boot_image(), core, at=2048 if kind is TableKind.GPT else 1)
    return mirror


def make_disk(image: Path, kind: TableKind) -> Disk:
    """Make an empty image and the disk as `discover` would see it."""
    with image.open("wb") as device:
        device.truncate(64 * MIB * SECTOR)
    contents: dict[int, tuple[str, Content]] = {
        1: ("21686148-6449-6E6F-744E-656564454649", Nothing()),
        2: (
            "C12A7328-F81F-11D2-BA4B-00A0C93EC93B",
            FileSystem(kind=FsKind.VFAT, uuid=mirror_uuid(2)),
        ),
        3: (LINUX, FileSystem(kind=FsKind.EXT4, uuid=mirror_uuid(3))),
        4: (LINUX, FileSystem(kind=FsKind.EXT4, uuid=mirror_uuid(4), label="mirror-root")),
        5: (LINUX, FileSystem(kind=FsKind.EXT4, uuid=mirror_uuid(5))),
        6: ("0657FD6D-A4AB-43C4-84E5-0933C84B4F4F", SwapArea(uuid=mirror_uuid(6))),
    }
    parts = tuple(
        Partition(
            number=number,
            start=Sectors(number * MIB),
            length=Sectors(MIB),
            type=type_ if kind is TableKind.GPT else "83",
            uuid=partuuid(number),
            content=content,
            path=f"/dev/vdb{number}",
            links=(f"/dev/disk/by-id/virtio-MIRROR-part{number}",),
        )
        for number, (type_, content) in contents.items()
        if kind is TableKind.GPT or number > 2
    )
    table = PartitionTable(kind=kind, uuid="c0c0c0c0-2222-4000-8000-000000000000", partitions=parts)
    return Disk(
        path=str(image),
        id=DiskId(serial="MIRROR"),
        size=Bytes(64 * MIB * SECTOR),
        logical_sector=512,
        physical_sector=512,
        table=table,
    )


def make_record(disk: Disk, kind: TableKind) -> MirrorRecord:
    """Return the record that fits the disk."""
    points = {4: "/", 3: "/boot", 2: "/boot/efi", 5: "/home"}
    if kind is TableKind.MBR:
        points.pop(2)
    devices = [
        DevicePair(
            old=DeviceNames(
                uuid=source_uuid(part.number) if part.number > 1 else "",
                partuuid=partuuid(part.number, mirror=False),
                label="source-root" if part.number == 4 else "",
                paths=(f"/dev/vda{part.number}",),
            ),
            new=DeviceNames(
                uuid=mirror_uuid(part.number) if part.number > 1 else "", partuuid=part.uuid
            ),
        )
        for part in disk.partitions
    ]
    return MirrorRecord(
        name="mirror",
        host="server",
        machine_id="0" * 32,
        source=DiskRef(id=DiskId(serial="SRC"), table_uuid="5a5a5a5a-2222-4000-8000-000000000000"),
        mirror=DiskRef(id=disk.id, table_uuid=disk.table.uuid if disk.table else ""),
        filesystems=tuple(
            FilesystemPair(
                mount_point=point,
                kind=FsKind.VFAT if number == 2 else FsKind.EXT4,
                place=OnPartition(number=number),
                source_uuid=source_uuid(number),
                mirror_uuid=mirror_uuid(number),
                mirror_partuuid=partuuid(number),
            )
            for number, point in points.items()
        ),
        swaps=(
            SwapPair(
                place=OnPartition(number=6), source_uuid=source_uuid(6), mirror_uuid=mirror_uuid(6)
            ),
        ),
        identifiers=IdentifierMap(
            pairs=(
                DevicePair(old=DeviceNames(paths=("/dev/vda",)), new=DeviceNames()),
                *devices,
            )
        ),
        platforms=tuple(GrubPlatform) if kind is TableKind.GPT else (GrubPlatform.I386_PC,),
    )


def _make_system(tree: Path) -> None:
    for name in ("proc", "sys", "dev", "run", "home", "boot", "usr/sbin", "usr/lib64"):
        (tree / name).mkdir(parents=True)
    libraries = "/usr/lib/x86_64-linux-gnu"
    write(tree, "/usr/lib/systemd/systemd", elf("/lib64/ld-linux-x86-64.so.2"), mode=0o755)
    write(tree, f"{libraries}/ld-linux-x86-64.so.2", elf(""), mode=0o755)
    write(tree, f"{libraries}/libc.so.6", elf(""), mode=0o755)
    for link, target in (
        ("sbin", "usr/sbin"),
        ("lib", "usr/lib"),
        ("lib64", "usr/lib64"),
        # Absolute, as some systems have it: it must be followed inside the tree.
        ("usr/sbin/init", "/lib/systemd/systemd"),
        ("usr/lib64/ld-linux-x86-64.so.2", f"{libraries}/ld-linux-x86-64.so.2"),
    ):
        os.symlink(target, tree / link)
    write(tree, "/etc/passwd", "root:x:0:0:root:/root:/bin/bash\n")
    write(tree, "/etc/os-release", 'PRETTY_NAME="Debian GNU/Linux 12"\nID=debian\n')
    write(tree, "/etc/fstab", (DATA / "fstab").read_text())
    write(tree, "/etc/crypttab", f"# <name> <device>\n#old UUID={source_uuid(5)} none\n")
    write(tree, "/etc/default/grub", 'GRUB_DEFAULT=0\nGRUB_CMDLINE_LINUX=""\n')
    write(tree, "/etc/initramfs-tools/conf.d/resume", f"RESUME=UUID={mirror_uuid(6)}\n")
    write(tree, "/swapfile", b"\0" * 4086 + b"SWAPSPACE2" + b"\0" * 4096, mode=0o600)
    for version in KERNELS:
        folder = f"/usr/lib/modules/{version}"
        write(tree, f"{folder}/kernel/fs/ext4/ext4.ko", b"\x7fELF")
        write(tree, f"{folder}/kernel/fs/jbd2/jbd2.ko", b"\x7fELF")
        listing = "kernel/fs/ext4/ext4.ko: kernel/fs/jbd2/jbd2.ko\nkernel/fs/jbd2/jbd2.ko:\n"
        write(tree, f"{folder}/modules.dep", listing)


def _make_boot(tree: Path) -> None:
    write(tree, "/boot/grub/grub.cfg", (DATA / "grub.cfg").read_text())
    for platform in GrubPlatform:
        write(tree, f"/boot/grub/{platform}/normal.mod", b"\x7fELF")
    for version in KERNELS:
        write(tree, f"/boot/vmlinuz-{version}", bzimage(version))
        write(tree, f"/boot/initrd.img-{version}", initramfs(version))


def _make_esp(tree: Path) -> None:
    esp = "/boot/efi/EFI"
    shim = efi_image(tail="grubx64.efi".encode("utf-16-le"))
    grub = efi_image(tail=module_info_64("/EFI/debian"))
    # As vfat may spell it.
    write(tree, f"{esp}/BOOT/bootx64.efi", shim)
    write(tree, f"{esp}/BOOT/grubx64.efi", grub)
    write(tree, f"{esp}/debian/shimx64.efi", shim)
    write(tree, f"{esp}/debian/grubx64.efi", grub)
    write(
        tree,
        f"{esp}/debian/grub.cfg",
        f"search.fs_uuid {mirror_uuid(3)} root hd0,gpt3 \n"
        "set prefix=($root)'/grub'\nconfigfile $prefix/grub.cfg\n",
    )


def elf(loader: str) -> bytes:
    """Return an ELF file for x86-64 that names a loader, or none."""
    count = 1 if loader else 0
    head = b"\x7fELF\x02\x01\x01" + bytes(9)
    head += struct.pack("<HHIQQQIHHHHHH", 3, 62, 1, 0, 64, 0, 0, 64, 56, count, 0, 0, 0)
    program = struct.pack("<IIQQQQQQ", 3, 4, 120, 0, 0, len(loader) + 1, 0, 1) if count else b""
    return head + program + loader.encode() + b"\0" + bytes(64)


def bzimage(version: str) -> bytes:
    """Return a file with a kernel's header (Linux, Documentation/arch/x86/boot.rst)."""
    setup, units = 3, 64
    image = bytearray((setup + 1) * 512 + units * 16)
    image[0x1F1] = setup
    struct.pack_into("<I", image, 0x1F4, units)
    image[0x1FE:0x206] = b"\x55\xaa\xeb\x6aHdrS"
    struct.pack_into("<H", image, 0x20E, 0x100)
    text = f"{version} (debian-kernel@lists.debian.org) #1 SMP".encode()
    image[0x300 : 0x300 + len(text)] = text
    return bytes(image)


def cpio(files: dict[str, bytes]) -> bytes:
    """Return an uncompressed 'newc' archive."""
    out = bytearray()
    for inode, (name, data) in enumerate({**files, "TRAILER!!!": b""}.items()):
        raw = name.encode() + b"\0"
        fields = (inode, 0o100644, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(raw), 0)
        out += b"070701" + b"".join(b"%08X" % field for field in fields) + raw
        out += bytes(-len(out) % 4) + data
        out += bytes(-len(out) % 4)
    return bytes(out) + bytes(-len(out) % 512)


def initramfs_files(version: str) -> dict[str, bytes]:
    """Return what a small initramfs holds."""
    return {
        "init": b"#!/bin/sh\n",
        f"usr/lib/modules/{version}/modules.dep": b"",
        "conf/conf.d/resume": f"RESUME=UUID={mirror_uuid(6)}\n".encode(),
        "usr/bin/busybox": b"\x7fELF" + bytes(range(256)) * 16,
    }


def initramfs(version: str, more: dict[str, bytes] | None = None) -> bytes:
    """Return an initramfs: microcode in a first archive, the rest in a second, nothing packed."""
    first = cpio({"kernel/x86/microcode/GenuineIntel.bin": b"\1" * 100})
    return first + cpio({**initramfs_files(version), **(more or {})})


def boot_image() -> bytes:
    """Return a boot.img."""
    code = bytearray(512)
    code[:3] = b"\xeb\x63\x90"
    struct.pack_into("<HQ", code, 0x5A, 0x8000, 1)
    code[0x68 : 0x68 + len(GRUB_CODE)] = GRUB_CODE
    code[0x1FE:] = b"\x55\xaa"
    return bytes(code)


def _objects(prefix: str, config: str) -> bytes:
    out = b""
    for kind, text in ((2, config), (3, prefix)):
        raw = text.encode() + b"\0"
        raw += bytes(-len(raw) % 4)
        out += struct.pack("<II", kind, 8 + len(raw)) + raw if text else b""
    return out


def module_info_64(prefix: str, config: str = "") -> bytes:
    """Return what is embedded in an EFI image of GRUB."""
    objects = _objects(prefix, config)
    return struct.pack("<4s4xQQ", b"mimg", 24, 24 + len(objects)) + objects


def core_image(*, prefix: str, config: str = "") -> bytes:
    """Return a core.img of i386-pc: its first sector, an unpacker, and a packed body."""
    objects = _objects(prefix, config)
    # The same each time: what is made of it by chance shall be found again.
    body = (
        random.Random(0).randbytes(1500)
        + struct.pack("<4sII", b"mimg", 12, 12 + len(objects))
        + objects
    )
    filters = [{"id": lzma.FILTER_LZMA1, "lc": 3, "lp": 0, "pb": 2, "dict_size": 1 << 16}]
    packed = lzma.compress(body, format=lzma.FORMAT_RAW, filters=filters)
    first = bytearray(b"\x52\x56\xbe" + b"\x90" * 300 + bytes(512 - 303))
    unpacker = bytearray(b"\xcc" * 600)
    struct.pack_into("<IIII", unpacker, 8, len(packed), len(body), 0, 400)
    sectors = (len(unpacker) + len(packed) + 511) // 512
    struct.pack_into("<QHH", first, 500, 2, sectors, 0x820)
    return bytes(first) + bytes(unpacker) + packed


def efi_image(*, tail: bytes) -> bytes:
    """Return a PE image for x86-64."""
    head = bytearray(0x80)
    head[:2] = b"MZ"
    struct.pack_into("<I", head, 0x3C, 0x80)
    return bytes(head) + b"PE\0\0\x64\x86" + bytes(200) + tail


def install_bios(mirror: FabricatedMirror, boot_img: bytes, core_img: bytes, *, at: int) -> None:
    """Do what grub-install does with both images, patches included (GRUB's util/setup.c)."""
    mirror.write("/boot/grub/i386-pc/boot.img", boot_img)
    mirror.write("/boot/grub/i386-pc/core.img", core_img)
    sector = bytearray(boot_img)
    struct.pack_into("<Q", sector, 0x5C, at)
    sector[0x66:0x68] = b"\x90\x90"
    sector[0x1B8:0x1FE] = os.urandom(70)  # the disk's own signature and table
    mirror.poke(0, bytes(sector))
    core = bytearray(core_img + bytes(-len(core_img) % 512) + os.urandom(1024))
    core[512 + 0x10 : 512 + 0x14] = b"\x34\x12\0\0"  # the redundancy that follows
    struct.pack_into("<QHH", core, 500, at + 1, len(core) // 512 - 1, 0x820)
    mirror.poke(at, bytes(core))


def without_content(disk: Disk, number: int) -> Disk:
    """Return the disk with nothing on one of its partitions."""
    assert disk.table is not None
    parts = tuple(
        replace(part, content=Nothing()) if part.number == number else part
        for part in disk.partitions
    )
    return replace(disk, table=replace(disk.table, partitions=parts))
