"""The partition layouts the lab's server comes in: where everything lies and what it is called."""

import uuid
from dataclasses import dataclass
from enum import StrEnum

SECTOR = 512
MIB = 1024 * 1024
NAMESPACE = uuid.UUID("5a3c1a52-5f0c-4d6e-9a5a-200203200000")
"""Every identifier of an image is derived from this and a name: the same on every build."""


class Table(StrEnum):
    """Kind of partition table, in sfdisk's words."""

    GPT = "gpt"
    MBR = "dos"


class Content(StrEnum):
    """What a partition holds."""

    BIOS_BOOT = "bios-boot"
    EXT4 = "ext4"
    VFAT = "vfat"
    SWAP = "swap"
    EXTENDED = "extended"


@dataclass(frozen=True)
class Partition:
    """One partition. `start` and `size` are in MiB; `type_` and `options` in sfdisk's words."""

    role: str
    number: int
    start: int
    size: int
    type_: str
    content: Content
    mount_point: str = ""
    label: str = ""
    options: str = ""


@dataclass(frozen=True)
class Layout:
    """A disk's partitions, and the identifiers derived from the layout's name."""

    name: str
    table: Table
    size: int
    partitions: tuple[Partition, ...]

    @property
    def root(self) -> Partition:
        """The partition mounted on `/`."""
        return next(part for part in self.partitions if part.mount_point == "/")

    @property
    def disk_id(self) -> str:
        """GUID of a GPT, signature of an MBR, as sfdisk's `label-id`."""
        full = uuid.uuid5(NAMESPACE, f"{self.name}/disk")
        return str(full).upper() if self.table is Table.GPT else f"0x{full.hex[:8]}"

    def file_system_uuid(self, part: Partition) -> str:
        """UUID of a file system or swap; for vfat in the form XXXX-XXXX."""
        full = uuid.uuid5(NAMESPACE, f"{self.name}/{part.role}/file system")
        if part.content is Content.VFAT:
            return f"{full.hex[:4]}-{full.hex[4:8]}".upper()
        return str(full)

    def partuuid(self, part: Partition) -> str:
        """PARTUUID: GUID of a GPT partition, or signature and number on an MBR."""
        if self.table is Table.MBR:
            return f"{self.disk_id.removeprefix('0x')}-{part.number:02x}"
        return str(uuid.uuid5(NAMESPACE, f"{self.name}/{part.role}/partition"))

    def sfdisk_script(self) -> str:
        """Return the table as input for sfdisk."""
        lines = [f"label: {self.table}", f"label-id: {self.disk_id}", "unit: sectors", ""]
        for part in self.partitions:
            start, size = (value * MIB // SECTOR for value in (part.start, part.size))
            fields = [f"{part.number} : start={start}, size={size}, type={part.type_}"]
            if self.table is Table.GPT:
                fields.append(f"uuid={self.partuuid(part).upper()}")
            fields.extend(filter(None, [part.options]))
            lines.append(", ".join(fields))
        return "\n".join(lines) + "\n"

    def names(self) -> dict[str, str]:
        """Return the identifiers as the fstab templates call them, for example `root_uuid`."""
        found: dict[str, str] = {}
        for part in self.partitions:
            found[f"{part.role}_uuid"] = self.file_system_uuid(part)
            found[f"{part.role}_partuuid"] = self.partuuid(part)
        return found


_LINUX = "0FC63DAF-8483-4772-8E79-3D69D8477DE4"
_LINUX_HOME = "933AC7E1-2EB4-4F13-B844-0E14E2AEF915"
_BIOS_BOOT = "21686148-6449-6E6F-744E-656564454649"
_ESP = "C12A7328-F81F-11D2-BA4B-00A0C93EC93B"
_SWAP = "0657FD6D-A4AB-43C4-84E5-0933C84B4F4F"

GPT = Layout(
    name="gpt",
    table=Table.GPT,
    size=6144,
    partitions=(
        Partition("bios", 1, 1, 1, _BIOS_BOOT, Content.BIOS_BOOT),
        Partition(
            "esp", 2, 2, 126, _ESP, Content.VFAT, "/boot/efi", options='name="EFI System Partition"'
        ),
        Partition(
            "boot", 3, 128, 384, _LINUX, Content.EXT4, "/boot", options="attrs=LegacyBIOSBootable"
        ),
        Partition("root", 4, 512, 3072, _LINUX, Content.EXT4, "/", options='name="Debian root"'),
        Partition("home", 5, 3584, 1024, _LINUX_HOME, Content.EXT4, "/home", "home"),
        Partition("swap", 6, 4608, 512, _SWAP, Content.SWAP),
    ),
)
"""GPT that boots by BIOS and by UEFI; unequal types, names and attributes on purpose."""

MBR = Layout(
    name="mbr",
    table=Table.MBR,
    size=6144,
    partitions=(
        Partition("boot", 1, 1, 384, "83", Content.EXT4, "/boot", "boot", options="bootable"),
        Partition("extended", 2, 385, 5500, "5", Content.EXTENDED),
        Partition("root", 5, 386, 3072, "83", Content.EXT4, "/"),
        Partition("home", 6, 3459, 1024, "83", Content.EXT4, "/home", "home"),
        Partition("swap", 7, 4484, 512, "82", Content.SWAP, label="swap"),
    ),
)
"""MBR with one primary partition and the rest logical, each with a gap for its EBR."""

LAYOUTS = {layout.name: layout for layout in (GPT, MBR)}
