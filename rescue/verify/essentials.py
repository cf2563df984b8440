"""What any root file system needs so that a kernel can start a system from it."""

import os
import stat
import struct
from collections.abc import Iterator

from rescue.model.finding import Finding, Severity
from rescue.verify.chain import Link, Mirror, broken, note, ok

ROOT_OWNER = 0
"""The user id that must own '/'."""

_LIBC = (
    "/lib/*-linux-gnu*/libc.so.6",
    "/usr/lib/*-linux-gnu*/libc.so.6",
    "/lib64/libc.so.6",
    "/lib/libc.so.6",
)
_MOUNT_POINTS = ("/proc", "/sys", "/dev", "/run")
_PT_INTERP = 3
_LARGEST_PROGRAM = 256 * 1024 * 1024  # bytes


def check_essentials(mirror: Mirror) -> Iterator[Finding]:
    """Check init, loader, C library, the root directory, and what is mounted on. Raises OSError."""
    found = [
        *_check_init(mirror),
        *_check_libc(mirror),
        *_check_root(mirror),
        *_check_directories(mirror),
    ]
    yield from found
    if not any(finding.severity is Severity.ERROR for finding in found):
        yield ok(Link.SYSTEM, "init, loader and C library are there, / is as it must be")


def interpreter(elf: bytes) -> str:
    """Given an ELF file, return the loader it names, or '' if it is static (man 5 elf).

    Raises ValueError where it is not an ELF file.
    """
    if elf[:4] != b"\x7fELF" or len(elf) < 64:
        raise ValueError("no ELF file")
    wide = elf[4] == 2
    (offset,) = struct.unpack_from("<Q" if wide else "<I", elf, 32 if wide else 28)
    size, count = struct.unpack_from("<HH", elf, 54 if wide else 42)
    for index in range(count):
        at = offset + index * size
        if size < 32 or at + size > len(elf):
            raise ValueError("cut off")
        (kind,) = struct.unpack_from("<I", elf, at)
        if kind == _PT_INTERP:
            (start,) = struct.unpack_from("<Q" if wide else "<I", elf, at + (8 if wide else 4))
            return elf[start : start + 4096].split(b"\0")[0].decode("utf-8", "surrogateescape")
    return ""


def _check_init(mirror: Mirror) -> Iterator[Finding]:
    path = "/sbin/init"
    if not mirror.tree.is_file(path):
        yield broken(Link.SYSTEM, "is missing, or is a link that leads nowhere", file=path)
        return
    file = mirror.tree.locate(path)
    if not file.stat().st_mode & stat.S_IXUSR:
        yield broken(Link.SYSTEM, "is not executable", file=path)
        return
    try:
        loader = interpreter(mirror.tree.data(path, most=_LARGEST_PROGRAM))
    except ValueError as error:
        yield broken(Link.SYSTEM, f"is no program: {error}", file=path)
        return
    if loader and not _is_elf(mirror, loader):
        yield broken(Link.SYSTEM, "the loader of /sbin/init is missing", file=loader)


def _check_libc(mirror: Mirror) -> Iterator[Finding]:
    there = [path for pattern in _LIBC for path in mirror.tree.glob(pattern)]
    if not any(_is_elf(mirror, path) for path in there):
        yield broken(Link.SYSTEM, "the C library (libc.so.6) is missing", file=(*there, "/lib")[0])


def _is_elf(mirror: Mirror, path: str) -> bool:
    if not mirror.tree.is_file(path):
        return False
    with mirror.tree.locate(path).open("rb") as stream:
        return stream.read(4) == b"\x7fELF"


def _check_root(mirror: Mirror) -> Iterator[Finding]:
    info = mirror.tree.root.stat()
    mode = stat.S_IMODE(info.st_mode)
    if mode & 0o555 != 0o555 or mode & 0o022:
        yield broken(Link.SYSTEM, f"the root directory has mode {mode:04o}, not 0755", file="/")
    if info.st_uid != ROOT_OWNER:
        yield broken(Link.SYSTEM, f"the root directory belongs to user {info.st_uid}", file="/")
    if os.statvfs(mirror.tree.root).f_bavail == 0:
        yield note(Link.SYSTEM, "the root file system is full", file="/")


def _check_directories(mirror: Mirror) -> Iterator[Finding]:
    for path in _MOUNT_POINTS:
        if not mirror.tree.is_dir(path):
            yield broken(Link.SYSTEM, "the directory to mount on is missing", file=path)
    passwd = "/etc/passwd"
    text = mirror.tree.text(passwd) if mirror.tree.is_file(passwd) else ""
    if not text.startswith("root:") and "\nroot:" not in text:
        yield broken(Link.SYSTEM, "is missing or does not know root", file=passwd)
