"""GRUB on the mirror, for BIOS and UEFI, installed again only where the source's changed."""

import shutil
from dataclasses import replace
from pathlib import Path

from rescue.apply.step_context import TreeWork
from rescue.errors import RescueError
from rescue.model.boot.firmware import GrubPlatform
from rescue.model.mirror.record import MirrorRecord
from rescue.model.mirror.step import InstallGrub
from rescue.system.boot import grub
from rescue.system.files.atomic import sync_filesystem
from rescue.system.process.run import run

_TIMEOUT = 900.0  # seconds; 7 s under emulation


def install_grub(step: InstallGrub, work: TreeWork) -> str:
    """Run grub-install unless the mirror already has exactly these files. Raises CommandError.

    Nothing is written to the machine's NVRAM, now or when the mirror boots.
    """
    tree = work.workspace.tree()
    fresh = grub.files_digest(step.platform, root=work.site.source_root)
    known = digests_of(work.record)
    if known.get(step.platform.value) == fresh and _is_installed(step, work):
        return "as it was"
    work.check_disk()
    if step.platform is GrubPlatform.I386_PC:
        run(grub.bios_argv(tree, work.device), timeout=_TIMEOUT)
    else:
        run(grub.efi_argv(tree, esp=step.esp, distributor=step.distributor), timeout=_TIMEOUT)
        complete_removable(tree / step.esp.lstrip("/"), distributor=step.distributor)
        sync_filesystem(tree / step.esp.lstrip("/"))
    sync_filesystem(tree / "boot")
    if not _is_installed(step, work):
        raise RescueError(
            f"grub-install for {step.platform} said it was done, and its files are not there",
            hint=f"see whether {step.platform.debian_package} is whole: 'dpkg --verify'",
        )
    known[step.platform.value] = fresh
    text = " ".join(f"{name}={value}" for name, value in sorted(known.items()))
    work.record = replace(work.record, grub_digest=text)
    return "installed"


def digests_of(record: MirrorRecord) -> dict[str, str]:
    """Return the digest of each platform; the record keeps them as 'i386-pc=... x86_64-efi=...'."""
    pairs = (word.partition("=") for word in record.grub_digest.split())
    return {name: value for name, sep, value in pairs if sep}


def complete_removable(esp: Path, *, distributor: str) -> None:
    """Make EFI/BOOT start GRUB by itself, and never the fallback that writes NVRAM.

    shim, started as BOOTX64.EFI, prefers fbx64.efi in its own folder; that reads BOOTX64.CSV of
    each EFI/* and writes a boot entry for it (shim's README.fallback). Without it, shim starts
    grubx64.efi from its own folder.
    """
    own, removable = esp / "EFI" / distributor, esp / "EFI" / "BOOT"
    for path in removable.glob("*"):
        if path.name.lower() == "fbx64.efi":
            path.unlink()
    for name in ("grubx64.efi", "mmx64.efi"):
        if (own / "shimx64.efi").is_file() and (own / name).is_file():
            target = removable / name
            if not target.is_file() or target.read_bytes() != (own / name).read_bytes():
                shutil.copyfile(own / name, target)


def _is_installed(step: InstallGrub, work: TreeWork) -> bool:
    tree = work.workspace.tree()
    if not (tree / "boot/grub" / step.platform.value / "normal.mod").is_file():
        return False
    if step.platform is GrubPlatform.I386_PC:
        return (tree / "boot/grub" / step.platform.value / "core.img").is_file()
    efi = tree / step.esp.lstrip("/") / "EFI"
    return (efi / step.distributor / "grubx64.efi").is_file() and (
        efi / "BOOT" / "BOOTX64.EFI"
    ).is_file()
