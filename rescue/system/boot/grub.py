"""The door to grub-install (man 8 grub-install, with Debian's options)."""

from pathlib import Path

from rescue.model.boot.firmware import GrubPlatform
from rescue.system.files.atomic import digest

MODULES = Path("/usr/lib/grub")
SHIM = Path("/usr/lib/shim")


def bios_argv(tree: Path, device: str) -> list[str]:
    """Return the command that puts GRUB for BIOS onto a disk, its modules into the tree."""
    return [
        "grub-install",
        "--target=i386-pc",
        f"--boot-directory={tree}/boot",
        "--recheck",
        device,
    ]


def efi_argv(tree: Path, *, esp: str, distributor: str) -> list[str]:
    """Return the command that puts GRUB (and shim) for UEFI into the tree's ESP.

    `esp` is its mount point on the tree. --force-extra-removable is Debian's: EFI/BOOT is
    filled too, so that the firmware finds it without an entry in NVRAM.
    """
    return [
        "grub-install",
        "--target=x86_64-efi",
        f"--efi-directory={tree}{esp}",
        f"--boot-directory={tree}/boot",
        f"--bootloader-id={distributor}",
        "--no-nvram",
        "--force-extra-removable",
        "--recheck",
    ]


def files_digest(platform: GrubPlatform, *, root: Path = Path("/")) -> str:
    """Return one digest of all files grub-install copies for a platform, to notice an upgrade."""
    folders = [MODULES / platform.value]
    if platform is GrubPlatform.X86_64_EFI:
        folders += [MODULES / f"{platform.value}-signed", SHIM]
    inside = [root / str(folder).lstrip("/") for folder in folders]
    return digest(path for folder in inside if folder.is_dir() for path in folder.iterdir())
