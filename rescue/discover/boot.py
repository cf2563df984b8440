"""How the running system was booted, and what could boot it."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from rescue.model.boot.firmware import BootState, Firmware, GrubPlatform

_FALLBACK_DISTRIBUTOR = "debian"
_EFI = "sys/firmware/efi"
_LOADER_INFO = f"{_EFI}/efivars/LoaderInfo-4a67b082-0a4c-41cf-b6c7-440b29bb8c4f"
_STARTS_A_KERNEL = re.compile(r"^[ \t]*(linux\w*|multiboot2?|blscfg)\b", re.MULTILINE)


def read_boot(root: Path = Path("/"), *, architecture: str = "") -> BootState:
    """Return the boot state of the system whose files are at `root` (with its /proc and /sys).

    `architecture` is the kernel's word for the machine (man 2 uname).
    """
    modules = root / "usr/lib/grub"
    return BootState(
        firmware=Firmware.UEFI if (root / _EFI).exists() else Firmware.BIOS,
        command_line=read_text(root / "proc/cmdline").strip(),
        distributor=distributor(
            [read_text(path) for path in _grub_defaults(root)],
            parse_os_release(read_text(root / "etc/os-release")),
        ),
        platforms=tuple(p for p in GrubPlatform if (modules / p.value / "modinfo.sh").exists()),
        kernels=tuple(sorted(_kernels(root / "boot"))),
        boot_id=read_text(root / "proc/sys/kernel/random/boot_id").strip(),
        architecture=architecture,
        board=read_text(root / "proc/device-tree/model").strip("\0\n "),
        efi_bits=32 if read_text(root / _EFI / "fw_platform_size").strip() == "32" else 64,
        loader=_loader(root / _LOADER_INFO),
        grub_menu=_has_kernels(root / "boot/grub/grub.cfg"),
    )


def _loader(variable: Path) -> str:
    """Return the name that the boot loader of this system reports, or '' if it reports none.

    It is text in UTF-16 behind four bytes of attributes (systemd's Boot Loader Interface).
    """
    try:
        return variable.read_bytes()[4:].decode("utf-16-le", "replace").strip("\0 ")
    except OSError:
        return ""


def _has_kernels(menu: Path) -> bool:
    """Whether a GRUB menu names a kernel; an unreadable menu is assumed to."""
    try:
        return bool(_STARTS_A_KERNEL.search(menu.read_text("utf-8", "replace")))
    except PermissionError:
        return True
    except OSError:
        return False


def distributor(grub_defaults: Sequence[str], os_release: Mapping[str, str]) -> str:
    """Return the folder below EFI/ that grub-install of this system uses.

    Given the texts of /etc/default/grub and /etc/default/grub.d/*.cfg in the order they are read
    in, the last GRUB_DISTRIBUTOR counts, up to its first blank and in lower case (grub-install.c).
    Debian's own is a shell command that asks the distribution for its name: that is the ID of
    os-release, and no shell is run for it.
    """
    found = ""
    for text in grub_defaults:
        for match in re.finditer(r"^[ \t]*GRUB_DISTRIBUTOR=(.*)$", text, re.MULTILINE):
            found = match[1].strip()
    if not found or "`" in found or "$" in found:
        found = os_release.get("ID", "")
    words = found.strip("\"'").split()
    return words[0].lower() if words else _FALLBACK_DISTRIBUTOR


def parse_os_release(text: str) -> dict[str, str]:
    """Given /etc/os-release (man 5 os-release), return its values without their quotes."""
    pairs = (line.strip().partition("=") for line in text.split("\n"))
    return {key: value.strip("\"'") for key, sep, value in pairs if sep and not key.startswith("#")}


def read_text(path: Path) -> str:
    """Return a small text file; '' where it is missing or may not be read."""
    try:
        return path.read_text("utf-8", "surrogateescape")
    except OSError:
        return ""


def _grub_defaults(root: Path) -> list[Path]:
    folder = root / "etc/default"
    return [folder / "grub", *sorted((folder / "grub.d").glob("*.cfg"))]


def _kernels(boot: Path) -> list[str]:
    # dpkg leaves its unfinished files beside it: they are not versions that can be started.
    found = (path.name.removeprefix("vmlinuz-") for path in boot.glob("vmlinuz-*"))
    return [version for version in found if ".dpkg-" not in version]
