"""Commands that make a bootable image in a file: GRUB's images, vfat filled without a mount."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from rescue.model.boot.firmware import GrubPlatform
from rescue.model.medium import SECTOR, MediumPart


def fixed_time(seconds: int) -> Mapping[str, str]:
    """Return the environment in which mkfs.vfat, mtools and GRUB write this time, and no other.

    https://reproducible-builds.org/specs/source-date-epoch/; mtools writes local time.
    """
    return {"SOURCE_DATE_EPOCH": str(seconds), "TZ": "UTC"}


def core_argv(
    platform: GrubPlatform, modules: Sequence[str], output: Path, *, prefix: str
) -> list[str]:
    """Return the command that makes GRUB's core image (man 1 grub-mkimage)."""
    return [
        "grub-mkimage",
        f"--format={platform}",
        f"--output={output}",
        f"--prefix={prefix}",
        *modules,
    ]


def table_argv(image: Path) -> list[str]:
    """Return the command that writes the table it is given on standard input (man 8 sfdisk)."""
    return ["sfdisk", "--quiet", "--no-reread", "--no-tell-kernel", str(image)]


def vfat_argv(part: MediumPart, image: Path) -> list[str]:
    """Return the command that makes a partition's vfat within the image (man 8 mkfs.fat).

    mtools wants whole tracks: with 64 heads of 32 sectors a cylinder is one MiB.
    """
    return [
        "mkfs.vfat",
        "--invariant",
        "-g",
        "64/32",
        "-F",
        str(part.fat_bits),
        "-s",
        str(part.cluster // SECTOR),
        "-i",
        part.volume_id,
        "-n",
        part.label,
        f"--offset={part.start}",
        str(image),
        str(part.length * SECTOR // 1024),
    ]


def folders_argv(part: MediumPart, image: Path, folders: Sequence[str]) -> list[str]:
    """Return the command that makes folders on a partition, parents first (man 1 mmd)."""
    return ["mmd", "-i", _drive(part, image), *(f"::/{folder}" for folder in folders)]


def copy_argv(part: MediumPart, image: Path, sources: Sequence[Path], target: str) -> list[str]:
    """Return the command that copies files onto a partition (man 1 mcopy).

    `target` is the new name of one source, or ends with '/' for a folder.
    """
    files = [str(path) for path in sources]
    return ["mcopy", "-i", _drive(part, image), *files, f"::/{target}"]


def package_version_argv(package: str) -> list[str]:
    """Return the command that prints the version of an installed package (man 1 dpkg-query)."""
    return ["dpkg-query", "--show", "--showformat=${db:Status-Status} ${Version}", package]


def _drive(part: MediumPart, image: Path) -> str:
    """Return mtools' name of a file system that begins at an offset of a file."""
    return f"{image}@@{part.start * SECTOR}"
