"""The image of the medium, assembled in a file: table, boot code, boot partition, rescue system."""

import hashlib
import os
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Self

import rescue
from rescue import paths
from rescue.errors import RescueError
from rescue.medium.loaders import EFI_LOADER, EFI_MODULES, PC_MODULES, Loaders, loaders, packages
from rescue.model.boot.firmware import GrubPlatform
from rescue.model.medium import (
    BOOT_PART,
    LIVE_FOLDER,
    SECTOR,
    MediumImage,
    MediumNote,
    MediumPart,
    image_size,
    live_part,
    medium_note,
    table_script,
)
from rescue.model.mirror.record import MirrorRecord
from rescue.model.storage.machine import Machine
from rescue.store.codec import to_json
from rescue.system.boot import boot_image
from rescue.system.process.run import run, which

_TOOLS = (
    ("grub-mkimage", "grub-common"),
    ("sfdisk", "fdisk"),
    ("mkfs.vfat", "dosfstools"),
    ("mcopy", "mtools"),
)
_BOOT_CODE = 440
"""Bytes of the first sector before the disk signature and the table."""

_CHUNK = 4 * 1024 * 1024


@dataclass(frozen=True, kw_only=True)
class Contents:
    """What this very medium carries beside the boot loaders.

    `host` and `machine` (its machine-id) are of the server that it is made for, `tokens` those of
    its mirrors.
    `recovery_files` are small files at its top ('recovery.html'); `live` is the folder with
    vmlinuz, initrd.img and filesystem.squashfs, None without a rescue system.
    """

    host: str = ""
    machine: str = ""
    tokens: tuple[str, ...] = ()
    recovery_files: Mapping[str, bytes] = field(default_factory=dict)
    live: Path | None = None

    @classmethod
    def of(
        cls, machine: Machine, records: Iterable[MirrorRecord], files: Mapping[str, bytes]
    ) -> Self:
        """Return what a medium of this machine carries that knows these mirrors."""
        tokens = tuple(each.secret.token for each in records if each.secret.is_drawn)
        return cls(
            host=machine.host, machine=machine.machine_id, tokens=tokens, recovery_files=files
        )


def build_image(target: Path, contents: Contents) -> MediumImage:
    """Build the image and put it at `target`, whole or not at all.

    The same packages, files and rescue system give the same bytes. Raises RescueError where a
    program or GRUB's modules are missing, CommandError where a program fails.
    """
    _expect_tools()
    found = loaders()
    with tempfile.TemporaryDirectory(prefix=paths.MEDIUM_PREFIX, dir=target.parent) as folder:
        image = Path(folder) / "image"
        _build(image, Path(folder), found, contents)
        made = seal(image)
        image.replace(target)
    return MediumImage(path=str(target), size=made.size, sha256=made.sha256)


def seal(image: Path) -> MediumImage:
    """Return size and SHA-256 of an image file."""
    with image.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        return MediumImage(path=str(image), size=os.fstat(file.fileno()).st_size, sha256=digest)


def _expect_tools() -> None:
    missing = {package: tool for tool, package in _TOOLS if which(tool) is None}
    if missing:
        raise RescueError(
            f"not installed, and needed to make a medium: {', '.join(missing.values())}",
            hint=f"apt install {' '.join(missing)}",
        )


def _build(image: Path, work: Path, found: Loaders, contents: Contents) -> None:
    live = _live_files(contents.live)
    parts = _parts(live, medium=_digest(found, contents, live))
    image.touch(mode=0o600)
    os.truncate(image, image_size(parts))
    run(boot_image.table_argv(image), stdin=table_script(parts))
    _write_boot_code(image, work, found)
    time = boot_image.fixed_time(found.newest)
    _fill(parts[0], image, _boot_files(work, found, contents, parts), time)
    if live:
        _fill(parts[1], image, live, time)


def _parts(live: Mapping[str, Path], *, medium: str) -> tuple[MediumPart, ...]:
    parts = [BOOT_PART]
    if live:
        parts.append(live_part(sum(path.stat().st_size for path in live.values())))
    return tuple(part.of(medium) for part in parts)


def _digest(found: Loaders, contents: Contents, live: Mapping[str, Path]) -> str:
    """Return a SHA-256 of all that the medium carries."""
    whose = " ".join([contents.host, contents.machine, *contents.tokens])
    total = hashlib.sha256(f"{whose}\n".encode())
    for place, data in sorted(contents.recovery_files.items()):
        total.update(f"{hashlib.sha256(data).hexdigest()} {place}\n".encode())
    for place, path in sorted({**found.files, **live}.items()):
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        total.update(f"{digest} {place}\n".encode())
    return total.hexdigest()


def _boot_files(
    work: Path, found: Loaders, contents: Contents, parts: tuple[MediumPart, ...]
) -> dict[str, Path]:
    """Return all files of the boot part, making those that are specific to this medium."""
    files = dict(found.files)
    if found.own_efi:
        files[EFI_LOADER] = work / "bootx64.efi"
        argv = boot_image.core_argv(
            GrubPlatform.X86_64_EFI, EFI_MODULES, files[EFI_LOADER], prefix="/boot/grub"
        )
        run(argv, extra_env=boot_image.fixed_time(found.newest))
    note = MediumNote(
        host=contents.host,
        rescue=rescue.__version__,
        secure_boot=found.secure_boot,
        rescue_system=contents.live is not None,
        versions=_versions(),
    )
    made = {
        f"{paths.ON_MEDIUM}/medium.json": to_json(note).encode(),
        f"{paths.ON_MEDIUM}/medium.env": medium_note(contents.machine, contents.tokens, parts),
        **contents.recovery_files,
    }
    for place, data in made.items():
        files[place] = work / PurePosixPath(place).name
        files[place].write_bytes(data)
    return dict(sorted(files.items()))


def _write_boot_code(image: Path, work: Path, found: Loaders) -> None:
    """Write GRUB for BIOS: the boot sector's code, and the core image behind it.

    boot.img as it comes loads the sector after it, and grub-mkimage has written into the core
    image where the rest of it lies: directly behind (GRUB manual, 'Images').
    """
    core = work / "core.img"
    argv = boot_image.core_argv(
        GrubPlatform.I386_PC, PC_MODULES, core, prefix=f"(,msdos{BOOT_PART.number})/boot/grub"
    )
    run(argv)
    data = core.read_bytes()
    if len(data) > (BOOT_PART.start - 1) * SECTOR:
        raise RescueError(f"GRUB's core image of {len(data)} bytes does not fit before the table")
    with image.open("r+b") as file:
        file.write(found.boot_sector.read_bytes()[:_BOOT_CODE])
        file.seek(SECTOR)
        file.write(data)


def _fill(part: MediumPart, image: Path, files: dict[str, Path], time: Mapping[str, str]) -> None:
    """Make the partition's file system and copy the files, in an order of their own."""
    run(boot_image.vfat_argv(part, image), extra_env=time)
    folders = {parent for place in files for parent in PurePosixPath(place).parents}
    names = sorted(str(folder) for folder in folders - {PurePosixPath()})
    if names:
        run(boot_image.folders_argv(part, image, names), extra_env=time)
    by_folder: dict[str, list[Path]] = {}
    for place, source in files.items():
        where = PurePosixPath(place)
        if source.name == where.name:
            by_folder.setdefault(str(where.parent), []).append(source)
        else:
            run(boot_image.copy_argv(part, image, [source], place), extra_env=time)
    for folder, sources in by_folder.items():
        target = "" if folder == "." else f"{folder}/"
        argv = boot_image.copy_argv(part, image, sources, target)
        run(argv, extra_env=time, timeout=3600)


def _live_files(folder: Path | None) -> dict[str, Path]:
    if folder is None:
        return {}
    return {f"{LIVE_FOLDER}/{path.name}": path for path in sorted(folder.iterdir())}


def _versions() -> tuple[tuple[str, str], ...]:
    """Return the installed ones of the packages that the boot loaders come from."""
    found = []
    for package in packages():
        shown = run(boot_image.package_version_argv(package), ok=(0, 1)).stdout
        status, _, version = shown.partition(" ")
        if status == "installed":
            found.append((package, version))
    return tuple(found)
