"""Kernels and their modules: a file that is a kernel, whole, and all that depmod listed for it."""

import os
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from rescue.model.finding import Finding
from rescue.verify.chain import Link, Mirror, broken, ok

_HEADER_BYTES = 0x10000


@dataclass(frozen=True, kw_only=True)
class KernelImage:
    """The header of a bzImage: its version, and the bytes that the file must have at least."""

    version: str
    size: int


def parse_bzimage(head: bytes) -> KernelImage | None:
    """Given the first 64 KiB of a file, return its header; None if it is not an x86 kernel.

    Source: Documentation/arch/x86/boot.rst of Linux ('HdrS' at 0x202, setup_sects, syssize in
    units of 16 bytes, kernel_version as an offset behind 0x200).
    """
    if len(head) < 0x210 or head[0x1FE:0x200] != b"\x55\xaa" or head[0x202:0x206] != b"HdrS":
        return None
    setup_sectors = head[0x1F1] or 4
    (units,) = struct.unpack_from("<I", head, 0x1F4)
    (offset,) = struct.unpack_from("<H", head, 0x20E)
    words = head[0x200 + offset :][:256].split(b"\0")[0].decode("ascii", "replace").split()
    version = words[0] if offset and words else ""
    return KernelImage(version=version, size=(setup_sectors + 1) * 512 + units * 16)


def check_kernel(mirror: Mirror, path: str) -> tuple[str, tuple[Finding, ...]]:
    """Look at a kernel and its modules; return its version ('' where unknown) and the findings.

    Raises OSError.
    """
    if not mirror.tree.is_file(path):
        return "", (broken(Link.KERNEL, "the kernel is missing", file=path),)
    file = mirror.tree.locate(path)
    with file.open("rb") as stream:
        image = parse_bzimage(stream.read(_HEADER_BYTES))
    if image is None:
        return "", (broken(Link.KERNEL, "this file is no kernel", file=path),)
    size = file.stat().st_size
    if size < image.size:
        message = f"the kernel is cut off: {size} of {image.size} bytes"
        return "", (broken(Link.KERNEL, message, file=path),)
    version = image.version or re.sub(r"^.*vmlinuz-?", "", path)
    findings = (ok(Link.KERNEL, f"kernel {version}", file=path), *_check_modules(mirror, version))
    return version, findings


def _check_modules(mirror: Mirror, version: str) -> Iterator[Finding]:
    folder = f"/lib/modules/{version}"
    listing = f"{folder}/modules.dep"
    if not mirror.tree.is_file(listing) or not mirror.tree.is_dir(f"{folder}/kernel"):
        yield broken(Link.MODULES, f"kernel {version} has no modules", file=folder)
        return
    wanted = {line.partition(":")[0] for line in mirror.tree.text(listing).split("\n") if line}
    base = mirror.tree.locate(folder)
    # One walk instead of a look at each: there are thousands.
    seen = {
        os.path.relpath(os.path.join(where, name), base)  # noqa: PTH118 - bytes for speed
        for where, _, names in os.walk(base)
        for name in names
    }
    missing = sorted(wanted - seen)
    if not wanted:
        yield broken(Link.MODULES, "the list of modules is empty", file=listing)
    elif missing:
        message = f"{len(missing)} of {len(wanted)} modules are missing, the first: {missing[0]}"
        yield broken(Link.MODULES, message, file=folder)
    else:
        yield ok(Link.MODULES, f"{len(wanted)} modules for {version}", file=folder)
