"""GRUB's platforms on the mirror, and the swap area that it resumes from."""

from dataclasses import dataclass

from rescue.errors import ExitCode
from rescue.model.boot.firmware import Firmware, GrubPlatform
from rescue.model.finding import Refusal
from rescue.model.mirror.record import SwapPair
from rescue.model.storage.disk import Disk, Partition, TableKind
from rescue.model.storage.filesystem import FsKind
from rescue.model.storage.machine import Machine
from rescue.model.storage.partition_type import is_bios_boot, is_esp
from rescue.model.storage.place import node_of
from rescue.plan.checks.loader import loader_notes, loader_refusals
from rescue.plan.layout.contents import names
from rescue.plan.layout.survey import Survey

BOOTED_BY = {Firmware.BIOS: GrubPlatform.I386_PC, Firmware.UEFI: GrubPlatform.X86_64_EFI}
_NAME = {GrubPlatform.I386_PC: "BIOS", GrubPlatform.X86_64_EFI: "UEFI"}
_NEEDS = {
    GrubPlatform.I386_PC: "a BIOS boot partition",
    GrubPlatform.X86_64_EFI: "a mounted EFI system partition (vfat)",
}
DEFAULT_DISTRIBUTOR = "debian"


@dataclass(frozen=True, kw_only=True)
class GrubChoice:
    """The platforms that can be installed, or why the one that is needed cannot.

    `esp` is the mount point of the EFI system partition, or ''.
    """

    platforms: tuple[GrubPlatform, ...]
    esp: str
    refusals: tuple[Refusal, ...]
    notes: tuple[str, ...]


def choose_platforms(machine: Machine, found: Survey) -> GrubChoice:
    """Given the machine and its surveyed disk, choose the platforms.

    The one that this machine was started by must work; the other is installed as well where
    its modules and its partition are there, so that the mirror also starts in another machine.
    """
    if foreign := loader_refusals(machine):
        return GrubChoice(platforms=(), esp="", refusals=foreign, notes=())
    esp = esp_mount_point(found)
    places = {GrubPlatform.I386_PC: _has_bios_place(found.disk), GrubPlatform.X86_64_EFI: bool(esp)}
    needed = BOOTED_BY[machine.boot.firmware]
    chosen, refusals, notes = [], [], list(loader_notes(machine))
    for platform, place in places.items():
        installed = platform in machine.boot.platforms
        if place and installed:
            chosen.append(platform)
        elif platform is needed:
            refusals.append(_refusal(platform, place=place))
        else:
            notes.append(_note(platform, place=place))
    return GrubChoice(
        platforms=tuple(chosen), esp=esp, refusals=tuple(refusals), notes=tuple(notes)
    )


def esp_mount_point(found: Survey) -> str:
    """Return where the EFI system partition of the surveyed disk is mounted, or ''."""
    places = (
        member.mount_point
        for member in found.mounted
        if is_esp(member.part) and member.filesystem.kind is FsKind.VFAT
    )
    return next(places, "")


def resume_uuid(machine: Machine, disk: Disk, swaps: tuple[SwapPair, ...]) -> str:
    """Return the UUID of the mirror's swap area that it resumes from, or '' for none.

    It is the counterpart of the one that the kernel's command line names, otherwise of the largest,
    as initramfs-tools chooses (man 7 initramfs-tools, resume).
    """
    words = machine.boot.command_line.split()
    asked = [word.removeprefix("resume=") for word in words if word.startswith("resume=")]
    if not swaps or "noresume" in words or asked[-1:] == ["none"]:
        return ""
    for pair in swaps:
        part = node_of(pair.place, disk)
        if asked and part is not None and asked[-1] in _spellings(part):
            return pair.mirror_uuid
    return max(swaps, key=lambda pair: _length(node_of(pair.place, disk))).mirror_uuid


def _length(part: Partition | None) -> int:
    return part.length if part is not None else 0


def _spellings(part: Partition) -> tuple[str, ...]:
    """Return the ways in which a kernel command line names a swap partition."""
    uuid, label = names(part.content)
    return part.path, *part.links, f"UUID={uuid}", f"PARTUUID={part.uuid}", f"LABEL={label}"


def _has_bios_place(disk: Disk) -> bool:
    """Whether GRUB for BIOS has room: the gap behind an MBR, or a BIOS boot partition."""
    if disk.table is not None and disk.table.kind is TableKind.MBR:
        return True
    return any(is_bios_boot(part) for part in disk.partitions)


def _refusal(platform: GrubPlatform, *, place: bool) -> Refusal:
    if place:
        return Refusal(
            code=ExitCode.FAILED,
            reason=f"this machine boots with {_NAME[platform]}, and GRUB's modules for it "
            f"({platform}) are not installed",
            hint=f"apt install {platform.debian_package}",
        )
    return Refusal(
        code=ExitCode.UNSUPPORTED,
        reason=f"this machine boots with {_NAME[platform]}, and its disk does not have "
        f"{_NEEDS[platform]}",
        hint="the mirror could not be made bootable; if it exists, mount it and try again",
    )


def _note(platform: GrubPlatform, *, place: bool) -> str:
    if place:
        return (
            f"the mirror will not boot with {_NAME[platform]}: GRUB's modules are not installed "
            f"(apt install {platform.debian_package})"
        )
    return (
        f"the mirror will not boot with {_NAME[platform]}: the disk does not have "
        f"{_NEEDS[platform]}"
    )
