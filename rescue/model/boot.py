"""How a machine starts: firmware, GRUB's platforms, kernels, and how long each part takes."""

from dataclasses import dataclass
from enum import StrEnum


class Firmware(StrEnum):
    """What starts the boot loader."""

    BIOS = "bios"
    UEFI = "uefi"


class GrubPlatform(StrEnum):
    """GRUB's platforms by their own names: the folders below /usr/lib/grub."""

    I386_PC = "i386-pc"
    X86_64_EFI = "x86_64-efi"

    @property
    def debian_package(self) -> str:
        """The Debian package that holds this platform's modules."""
        return {"i386-pc": "grub-pc-bin", "x86_64-efi": "grub-efi-amd64-bin"}[self.value]


@dataclass(frozen=True, kw_only=True)
class BootState:
    """How the running system was started and what it could be started with.

    `distributor` is the folder of the ESP below EFI/ that GRUB of this system uses ('debian');
    `platforms` are the GRUB platforms whose modules are installed. `boot_id` is drawn by the
    kernel anew at each boot (man 4 random).
    """

    firmware: Firmware
    command_line: str = ""
    distributor: str = ""
    platforms: tuple[GrubPlatform, ...] = ()
    kernels: tuple[str, ...] = ()
    boot_id: str = ""


@dataclass(frozen=True, kw_only=True)
class BootTimes:
    """How long each part of the boot took, in seconds; 0 where it did not come that far.

    `kernel` is with the initramfs; `total` is from power-on until the boot was through.
    """

    firmware: float = 0.0
    grub: float = 0.0
    kernel: float = 0.0
    userspace: float = 0.0
    total: float = 0.0
