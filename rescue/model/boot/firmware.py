"""How a machine boots: firmware, GRUB's platforms, kernels, and how long each phase takes."""

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


_PC = ("", "x86_64", "i386", "i486", "i586", "i686")


@dataclass(frozen=True, kw_only=True)
class BootState:
    """How the running system was started, and the other ways it could be started.

    `distributor` is the folder of the ESP below EFI/ that this system's GRUB uses ('debian');
    `platforms` are the GRUB platforms whose modules are installed. `boot_id` is random for each
    boot (man 4 random).

    `architecture` is the kernel's name for the machine ('x86_64'), '' where it is not known;
    `board` is the model that a device tree names. `efi_bits` are those of a UEFI firmware.
    `loader` is the name that the loader of this system reports, '' if it reports none;
    `grub_menu` is whether GRUB has a menu here that names a kernel.
    """

    firmware: Firmware
    command_line: str = ""
    distributor: str = ""
    platforms: tuple[GrubPlatform, ...] = ()
    kernels: tuple[str, ...] = ()
    boot_id: str = ""
    architecture: str = ""
    board: str = ""
    efi_bits: int = 64
    loader: str = ""
    grub_menu: bool = True

    @property
    def is_pc(self) -> bool:
        """Whether this machine is started by BIOS or by UEFI for x86."""
        return self.architecture in _PC

    @property
    def removable(self) -> str:
        """The file in EFI/BOOT that a UEFI firmware of its bits asks for (UEFI 2.10, 3.5.1.1)."""
        return "BOOTIA32.EFI" if self.efi_bits == 32 else "BOOTX64.EFI"


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
