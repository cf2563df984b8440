"""Partition types: what a partition table says that each of its partitions is for.

GUIDs of a GPT in capital letters, as sfdisk writes them: UEFI 2.10 section 5.3.3, GRUB's manual
('BIOS installation'), the Discoverable Partitions Specification (uapi-group.org). Codes of an MBR
table are hexadecimal numbers without leading zeroes.
"""

from rescue.model.storage.disk import Partition

ESP = "C12A7328-F81F-11D2-BA4B-00A0C93EC93B"
"""The EFI system partition, where the firmware looks for boot loaders."""

ESP_OF_MBR = "EF"
"""The same in an MBR table."""

BIOS_BOOT = "21686148-6449-6E6F-744E-656564454649"
"""Where GRUB for BIOS keeps its core image on a disk with a GPT."""

LINUX = "0FC63DAF-8483-4772-8E79-3D69D8477DE4"
"""Any file system of Linux."""

LVM = "E6D6D379-F507-44C2-A23C-238F2A3DF928"
RAID = "A19D880F-05FC-4D3B-A006-743F0F84911E"
SWAP = "0657FD6D-A4AB-43C4-84E5-0933C84B4F4F"
PREP = "9E1A2D38-C612-4316-AA26-8B49521E5A8B"
"""Where PowerPC's firmware looks for a boot loader."""

HOME = "933AC7E1-2EB4-4F13-B844-0E14E2AEF915"
SRV = "3B8F8425-20E0-4F3B-907F-1A25A76F98E8"
VAR_TMP = "7EC6F557-3BC5-4ACA-B293-16EF5DF639D1"
EXTENDED_BOOT = "BC13C2FF-59E6-4262-A352-B275FD6F7172"
"""The second partition of a boot loader's, beside the ESP ('XBOOTLDR')."""


def is_esp(part: Partition) -> bool:
    """Whether the firmware looks for boot loaders there."""
    return part.type.upper() in (ESP, ESP_OF_MBR)


def is_bios_boot(part: Partition) -> bool:
    """Whether GRUB for BIOS keeps its core image there."""
    return part.type.upper() == BIOS_BOOT
