"""The boot loader's files on the medium, and where each of them comes from."""

from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

from rescue.errors import RescueError
from rescue.medium.recipe import recipe_folder
from rescue.model.boot.firmware import GrubPlatform
from rescue.system.boot.grub import MODULES, SHIM

EFI_LOADER = "EFI/BOOT/BOOTX64.EFI"
"""What UEFI starts from a removable medium (UEFI 2.10 section 3.5.1.1)."""

_SIGNED_GRUB = Path(f"{GrubPlatform.X86_64_EFI}-signed/grubx64.efi.signed")
_MEMTEST = {
    "boot/memtest.bin": "memtest86+x64.bin",
    "boot/memtest.efi": "memtest86+x64.efi",
}
_PACKAGES = (
    "grub-common",
    "grub-pc-bin",
    "grub-efi-amd64-bin",
    "grub-efi-amd64-signed",
    "shim-signed",
    "memtest86+",
)

PC_MODULES = ("biosdisk", "part_msdos", "part_gpt", "fat", "normal", "configfile", "echo", "test")
"""In GRUB's core image for BIOS: enough to reach the menu and the other modules."""

EFI_MODULES = (
    *("part_msdos", "part_gpt", "fat", "ext2", "xfs", "btrfs", "normal", "configfile", "echo"),
    *("test", "regexp", "loadenv", "search", "search_fs_uuid", "linux", "chain", "efifwsetup"),
    *("sleep", "minicmd", "all_video", "boot", "ls"),
)
"""In our own image for UEFI, where Debian's signed one is not installed."""


@dataclass(frozen=True, kw_only=True)
class Loaders:
    """The boot part's files: each place on the medium, and the file copied to it.

    `own_efi` says that GRUB's image for UEFI has to be made: nothing signed is installed.
    `boot_sector` and `platforms` are what GRUB's tools are given.
    """

    files: dict[str, Path]
    own_efi: bool
    boot_sector: Path

    @property
    def secure_boot(self) -> bool:
        """Whether it starts through Debian's signed shim and GRUB."""
        return not self.own_efi

    @property
    def newest(self) -> int:
        """Time of the newest of the packages' files, in seconds since the epoch.

        The same packages give the same time, whenever the image is made.
        """
        ours = recipe_folder()
        return max(
            int(path.stat().st_mtime)
            for path in self.files.values()
            if not path.is_relative_to(ours)
        )


def loaders(*, modules: Path = MODULES, shim: Path = SHIM, boot: Path = Path("/boot")) -> Loaders:
    """Return the files of the installed packages that go onto the medium.

    Raises RescueError where GRUB's modules for BIOS or UEFI are missing: a medium must start on
    both.
    """
    files = {"boot/grub/grub.cfg": recipe_folder() / "grub.cfg"}
    for platform in GrubPlatform:
        found = _modules(modules / platform)
        if not found:
            raise RescueError(
                f"GRUB's modules for {platform} are not in {modules}: "
                "the medium would not start on every machine",
                hint=f"apt install {platform.debian_package}",
            )
        files |= {f"boot/grub/{platform}/{path.name}": path for path in found}
    signed = {
        EFI_LOADER: shim / "shimx64.efi.signed",
        "EFI/BOOT/grubx64.efi": modules / _SIGNED_GRUB,
        "EFI/BOOT/mmx64.efi": shim / "mmx64.efi.signed",
    }
    has_signed = all(path.is_file() for path in signed.values())
    if has_signed:
        files |= signed | {"EFI/debian/grub.cfg": recipe_folder() / "signed.cfg"}
        # With these lists GRUB tries each module for a file system it does not know; under Secure
        # Boot each try is an error on the screen. What is needed is built into the signed one.
        lists = f"boot/grub/{GrubPlatform.X86_64_EFI}/*.lst"
        files = {place: path for place, path in files.items() if not fnmatch(place, lists)}
    files |= {place: boot / name for place, name in _MEMTEST.items() if (boot / name).is_file()}
    return Loaders(
        files=dict(sorted(files.items())),
        own_efi=not has_signed,
        boot_sector=modules / GrubPlatform.I386_PC / "boot.img",
    )


def packages() -> tuple[str, ...]:
    """Return the Debian packages that the boot part is made of."""
    return _PACKAGES


def _modules(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if path.suffix in (".mod", ".lst"))
