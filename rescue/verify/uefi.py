"""The UEFI path: ESP, shim and GRUB in both places, and the stub that finds grub.cfg."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from rescue.model.finding import Finding
from rescue.model.mirror.record import FilesystemPair
from rescue.model.storage.filesystem import FsKind
from rescue.model.storage.partition_type import is_esp
from rescue.model.storage.place import node_of
from rescue.system.files.rooted_tree import read_at_most
from rescue.text.grub_script import commands
from rescue.verify import grubimage
from rescue.verify.bios import check_embedded
from rescue.verify.chain import Link, Mirror, broken, ok

_ON_ROOT = re.compile(r"prefix=\(\$(?:root|\{root\})\)(.*)", re.DOTALL)
_BELOW_PREFIX = re.compile(r"\$(?:prefix|\{prefix\})(/.*)", re.DOTALL)

_LONGEST_STUB = 1024 * 1024  # bytes


def check_uefi(mirror: Mirror) -> Iterator[Finding]:
    """Follow the boot from the ESP's removable path to the stub. Raises OSError."""
    esp = find_esp(mirror)
    if esp is None:
        yield broken(Link.UEFI, "no EFI system partition with vfat is mirrored on this disk")
        return
    for folder in ("BOOT", *_distributors(mirror, esp)):
        yield from _check_folder(mirror, esp, folder)
    for stub in _stubs(mirror, esp):
        yield from _check_stub(mirror, stub)


def check_asked_for(mirror: Mirror) -> Iterator[Finding]:
    """Report if the file that this machine's firmware looks for is missing. Raises OSError."""
    esp = find_esp(mirror)
    place = esp.mount_point if esp is not None else ""
    path = f"{place}/EFI/BOOT/{mirror.asked_for}"
    if esp is None or not _image(mirror, path):
        yield broken(Link.UEFI, "this machine's firmware asks for it, and it is missing", file=path)


def find_esp(mirror: Mirror) -> FilesystemPair | None:
    """Return the mirrored file system that is the EFI system partition."""
    for pair in mirror.record.filesystems:
        part = node_of(pair.place, mirror.disk)
        if pair.kind is FsKind.VFAT and part is not None and is_esp(part):
            return pair
    return None


def _folders(mirror: Mirror, esp: FilesystemPair) -> tuple[str, ...]:
    base = mirror.tree.locate(f"{esp.mount_point}/EFI", ignore_case=True)
    return tuple(sorted(entry.name for entry in base.iterdir())) if base.is_dir() else ()


def _distributors(mirror: Mirror, esp: FilesystemPair) -> tuple[str, ...]:
    """Return the folders of EFI/ that belong to a Linux: GRUB or shim is in them.

    Where there is none, the one that this system's own name asks for.
    """
    own = [
        name
        for name in _folders(mirror, esp)
        if name.upper() != "BOOT"
        and any(
            mirror.tree.locate(f"{esp.mount_point}/EFI/{name}/{file}", ignore_case=True).is_file()
            for file in ("grubx64.efi", "shimx64.efi")
        )
    ]
    if own:
        return tuple(own)
    text = mirror.tree.text("/etc/os-release") if mirror.tree.is_file("/etc/os-release") else ""
    named = re.search(r'^ID="?([\w.-]+)', text, re.MULTILINE)
    return (named.group(1) if named else "debian",)


def _check_folder(mirror: Mirror, esp: FilesystemPair, folder: str) -> Iterator[Finding]:
    """Check the programs in one folder: the first is started by the firmware, GRUB by shim."""
    base = f"{esp.mount_point}/EFI/{folder}"
    shim = _is_shim(mirror, f"{esp.mount_point}/EFI/BOOT/BOOTX64.EFI")
    shim = shim or bool(mirror.tree.glob("/usr/lib/shim/shimx64.efi.signed"))
    if folder == "BOOT":
        names = ["BOOTX64.EFI", *(["grubx64.efi"] if shim else [])]
    else:
        names = [*(["shimx64.efi"] if shim else []), "grubx64.efi"]
    found = [finding for name in names for finding in _check_program(mirror, f"{base}/{name}")]
    yield from found or [ok(Link.UEFI, f"{' and '.join(names)} are programs for UEFI", file=base)]


def _image(mirror: Mirror, path: str) -> bytes:
    file = mirror.tree.locate(path, ignore_case=True)
    return read_at_most(file, grubimage.MOST) if file.is_file() else b""


def _is_shim(mirror: Mirror, path: str) -> bool:
    return grubimage.is_shim(_image(mirror, path))


def _check_program(mirror: Mirror, path: str) -> Iterator[Finding]:
    image = _image(mirror, path)
    if not image:
        yield broken(Link.UEFI, "is missing on the EFI system partition", file=path)
    elif not grubimage.is_pe(image):
        yield broken(Link.UEFI, "is not a program for 64-bit UEFI", file=path)
    else:
        embedded = grubimage.embedded_in_efi(image) or grubimage.Embedded()
        yield from check_embedded(mirror, embedded, Link.UEFI, path)


def _stubs(mirror: Mirror, esp: FilesystemPair) -> tuple[str, ...]:
    """Return the stubs that this ESP's GRUBs read, and those that lie there.

    The signed GRUB has '/EFI/debian' built in as its prefix, wherever it is started from; one
    made by grub-install for this disk alone has '(,gpt3)/grub' and needs no stub.
    """
    wanted: dict[str, None] = {}
    known = False
    folders = _distributors(mirror, esp)
    for folder in ("BOOT", *folders):
        base = f"{esp.mount_point}/EFI/{folder}"
        for name in ("grubx64.efi", "BOOTX64.EFI"):
            embedded = grubimage.embedded_in_efi(_image(mirror, f"{base}/{name}"))
            known = known or embedded is not None
            if embedded and embedded.prefix.startswith("/"):
                wanted[f"{esp.mount_point}{embedded.prefix}/grub.cfg"] = None
        if mirror.tree.locate(f"{base}/grub.cfg", ignore_case=True).is_file():
            wanted[f"{base}/grub.cfg"] = None
    if not known:
        wanted[f"{esp.mount_point}/EFI/{folders[0]}/grub.cfg"] = None
    return tuple(wanted)


@dataclass(frozen=True, kw_only=True)
class Stub:
    """The continuation of a file on the ESP: a file system's UUID, and the path of a menu on it."""

    uuid: str
    config: str


def parse_stub(text: str) -> Stub | None:
    """Given the text of a stub, return where it continues, or None if it does not say."""
    found = dict[str, str]()
    for command in commands(text):
        match command:
            case ("search.fs_uuid", uuid, *_):
                found.setdefault("uuid", uuid)
            case ("search", *rest) if "--fs-uuid" in rest:
                values = [word for word in rest if not word.startswith("-")]
                found.setdefault("uuid", values[-1] if values else "")
            case ("set", value) if place := _ON_ROOT.fullmatch(value):
                found.setdefault("prefix", place[1])
            case ("configfile", value) if place := _BELOW_PREFIX.fullmatch(value):
                found.setdefault("config", place[1])
    if len(found) < 3:
        return None
    return Stub(uuid=found["uuid"], config=found["prefix"] + found["config"])


def _check_stub(mirror: Mirror, path: str) -> Iterator[Finding]:
    """Check a stub of three lines: search.fs_uuid, set prefix, configfile."""
    file = mirror.tree.locate(path, ignore_case=True)
    if not file.is_file():
        yield broken(Link.STUB, "GRUB on the ESP reads this file, and it is missing", file=path)
        return
    stub = parse_stub(read_at_most(file, _LONGEST_STUB).decode("utf-8", "replace"))
    if stub is None:
        yield broken(Link.STUB, "does not say where grub.cfg is", file=path)
        return
    pair = mirror.pair_of_uuid(stub.uuid)
    if pair is None or mirror.own.filesystem(stub.uuid) is None:
        whose = "the source's" if mirror.is_source_uuid(stub.uuid) else "not the mirror's"
        yield broken(Link.STUB, f"looks for file system {stub.uuid}: {whose}", file=path)
        return
    target = mirror.path_on(pair, stub.config)
    if not mirror.tree.is_file(target):
        yield broken(Link.STUB, f"goes on to {target}, which is not there", file=path)
    else:
        yield ok(Link.STUB, f"goes on to {target}", file=path)
