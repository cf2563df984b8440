"""The USB rescue medium: its layout, its note about itself, the plan to write it."""

from dataclasses import dataclass, replace
from uuid import UUID, uuid5

from rescue.model.mirror.role import Role
from rescue.model.storage.identity import DiskId, spelled
from rescue.text.grub_env import environment_block
from rescue.units import MIB, Bytes

MEDIUM_VERSION = 1
SECTOR = 512
"""The image counts in these; a stick with larger sectors is refused."""

_NAMESPACE = UUID("7c6f9d1e-0b0b-4c57-9a5e-2002032620a1")


def _fixed_id(name: str) -> str:
    """Return eight hex digits that are the same in every build of the image."""
    return uuid5(_NAMESPACE, name).hex[:8]


MEDIUM_TABLE = _fixed_id("table")
"""The disk signature of every medium: what it is recognised by."""

BOOT_LABEL = "RESCUE-BOOT"
LIVE_LABEL = "RESCUE-LIVE"
LIVE_FOLDER = "live"

_BOOT_START = 2048
_BOOT_LENGTH = 28 * MIB // SECTOR
# Folders, half-used clusters and reserved sectors; FAT32's tables take 8 bytes of each cluster.
_SPARE = 4 * MIB
_CLUSTER = 2048
# With fewer than 65,525 clusters it would be read as FAT16 (Microsoft's FAT specification 1.03).
_LEAST_FAT32 = 136 * MIB


@dataclass(frozen=True, kw_only=True)
class MediumPart:
    """One vfat partition of the medium; start and length in sectors of 512 bytes.

    `type` is the MBR's code: 'ef' for what UEFI boots from, 'c' for FAT32 (LBA). `volume_id` is
    eight hex digits (man 8 mkfs.fat), `fat_bits` 16 or 32, `cluster` in bytes.
    """

    number: int
    start: int
    length: int
    type: str
    label: str
    volume_id: str
    fat_bits: int
    cluster: int = _CLUSTER
    bootable: bool = False

    def of(self, medium: str) -> "MediumPart":
        """Return it with the id that it has on one particular medium.

        `medium` is a digest of what that carries: a label, or an id that is the same on every
        medium, can be put on any disk.
        """
        return replace(self, volume_id=_fixed_id(f"{medium} {self.label}"))

    @property
    def uuid(self) -> str:
        """Its file system's UUID in udev and GRUB (blkid: '1A2B-3C4D')."""
        return f"{self.volume_id[:4]}-{self.volume_id[4:]}".upper()


BOOT_PART = MediumPart(
    number=1,
    start=_BOOT_START,
    length=_BOOT_LENGTH,
    type="ef",
    label=BOOT_LABEL,
    volume_id=_fixed_id("boot"),
    # Too small for FAT32, which UEFI does not ask of removable media (UEFI 2.10 section 13.3.1).
    fat_bits=16,
    bootable=True,
)


def live_part(content: int) -> MediumPart:
    """Return the partition that holds a rescue system of this many bytes."""
    needed = content + content // _CLUSTER * 8 + _SPARE
    length = max(-(-needed // MIB) * MIB, _LEAST_FAT32)
    return MediumPart(
        number=2,
        start=BOOT_PART.start + BOOT_PART.length,
        length=length // SECTOR,
        type="c",
        label=LIVE_LABEL,
        volume_id=_fixed_id("live"),
        fat_bits=32,
    )


def image_size(parts: tuple[MediumPart, ...]) -> Bytes:
    """Return the size of an image with these partitions, in bytes."""
    return Bytes(max(part.start + part.length for part in parts) * SECTOR)


def table_script(parts: tuple[MediumPart, ...]) -> str:
    """Return the table as sfdisk reads it (man 8 sfdisk).

    An MBR and no GPT: a GPT's second header belongs at the end of the stick, whose size an image
    does not know, and some BIOSes boot from nothing but an active MBR partition.
    """
    lines = ["label: dos", f"label-id: 0x{MEDIUM_TABLE}", "unit: sectors"]
    for part in parts:
        flag = ", bootable" if part.bootable else ""
        lines.append(
            f"{part.number} : start={part.start}, size={part.length}, type={part.type}{flag}"
        )
    return "\n".join(lines) + "\n"


def medium_note(machine: str, tokens: tuple[str, ...], parts: tuple[MediumPart, ...]) -> bytes:
    """Return what the medium's menu reads of itself: an environment block of GRUB.

    `medium_machine` is the machine-id of the server that it was made on, '' for none;
    `medium_tokens` are those of its mirrors, by which they are known; the ids are of its own file
    systems, the second one '' without a rescue system.
    """
    return environment_block(
        {
            "medium_machine": machine,
            "medium_tokens": " ".join(tokens),
            "medium_boot_uuid": parts[0].uuid,
            "medium_live_uuid": parts[1].uuid if len(parts) > 1 else "",
        }
    )


@dataclass(frozen=True, kw_only=True)
class MediumNote:
    """The medium's description of itself, `rescue/medium.json` on its first partition.

    `host` is the machine it was made on, whose recovery page it carries ('' for none);
    `versions` are the Debian packages that its boot loaders were taken from.
    """

    version: int = MEDIUM_VERSION
    role: Role = Role.MEDIUM
    host: str = ""
    rescue: str
    secure_boot: bool
    rescue_system: bool
    versions: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, kw_only=True)
class MediumImage:
    """A finished image file: size in bytes and SHA-256 of all of it."""

    path: str
    size: int
    sha256: str


@dataclass(frozen=True, kw_only=True)
class MediumPlan:
    """What would be written, and to which stick. `names`, `loses` and `notes` as in a `Plan`."""

    version: int = MEDIUM_VERSION
    target_path: str
    target_model: str = ""
    target_size: int
    disk: DiskId
    image: MediumImage
    names: tuple[str, ...] = ()
    loses: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The name by which a person identifies the stick uniquely."""
        return self.names[0] if self.names else self.disk.name

    def is_named_by(self, text: str) -> bool:
        """Whether the input names the stick, and no other attached disk."""
        return spelled(text) in self.names if self.names else self.disk.is_named_by(text)


@dataclass(frozen=True, kw_only=True)
class MediumRequest:
    """What a person asked for.

    `target` is any name of the stick; `give_up_content_of` and `accept_fixed` are the identities
    of the one disk whose content may be lost, and of the one that may be no removable disk.
    """

    target: str
    give_up_content_of: str = ""
    accept_fixed: str = ""
