"""What a file system tree holds, taken and compared without rsync.

Run in a guest as `python3 manifest.py DIRECTORY` it prints one JSON object a line; only the
standard library is needed. `parse` and `differences` are for the tests that read it.
"""

import fnmatch
import hashlib
import json
import os
import stat
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, fields
from pathlib import Path

_KINDS = {
    stat.S_IFREG: "file",
    stat.S_IFDIR: "directory",
    stat.S_IFLNK: "symlink",
    stat.S_IFCHR: "character device",
    stat.S_IFBLK: "block device",
    stat.S_IFIFO: "fifo",
    stat.S_IFSOCK: "socket",
}


@dataclass(frozen=True)
class Entry:
    """One name in a tree. Two trees are equal if all fields of all entries are."""

    path: str
    """Below the tree's root, which is `.`; bytes that are no UTF-8 as surrogates."""
    kind: str
    mode: str
    owner: str
    mtime_ns: int
    size: int | None
    """Bytes; only of files: a directory's size depends on its history."""
    sha256: str | None
    target: str | None
    device: str | None
    sparse: bool | None
    """Whether a file occupies less than its size, by more than a few zeros at its very end."""
    xattrs: dict[str, str]
    """Values in hexadecimal; access lists and capabilities are among them."""
    links: list[str]
    """All names of the same inode in this tree, sorted; empty if there is only one."""


_LEAST_HOLE = 1024
"""Bytes. A file whose last block would hold a few zeros alone has one block less with rsync."""

Manifest = dict[str, Entry]


def take(root: Path) -> Iterator[Entry]:
    """Read a tree, one file system only: what is mounted below is left out."""
    base = os.fsencode(root)
    found = dict(_walk(base, b".", os.lstat(base).st_dev))
    groups: dict[int, list[str]] = defaultdict(list)
    for path, status in found.items():
        if not stat.S_ISDIR(status.st_mode) and status.st_nlink > 1:
            groups[status.st_ino].append(os.fsdecode(path))
    for path, status in found.items():
        links = sorted(groups.get(status.st_ino, []))
        yield _entry(base + b"/" + path, os.fsdecode(path), status, links)


def _walk(base: bytes, path: bytes, device: int) -> Iterator[tuple[bytes, os.stat_result]]:
    status = os.lstat(base + b"/" + path)
    if status.st_dev != device:
        return
    yield path, status
    if stat.S_ISDIR(status.st_mode):
        for name in sorted(os.listdir(base + b"/" + path)):
            yield from _walk(base, name if path == b"." else path + b"/" + name, device)


def _entry(full: bytes, path: str, status: os.stat_result, links: list[str]) -> Entry:
    kind = _KINDS[stat.S_IFMT(status.st_mode)]
    is_file, is_device = kind == "file", kind.endswith("device")
    number = f"{os.major(status.st_rdev)}:{os.minor(status.st_rdev)}"
    names = os.listxattr(full, follow_symlinks=False)
    return Entry(
        path=path,
        kind=kind,
        mode=f"{stat.S_IMODE(status.st_mode):04o}",
        owner=f"{status.st_uid}:{status.st_gid}",
        mtime_ns=status.st_mtime_ns,
        size=status.st_size if is_file else None,
        sha256=_hash(full) if is_file else None,
        target=os.fsdecode(os.readlink(full)) if kind == "symlink" else None,
        device=number if is_device else None,
        sparse=status.st_size - status.st_blocks * 512 >= _LEAST_HOLE if is_file else None,
        xattrs={name: os.getxattr(full, name, follow_symlinks=False).hex() for name in names},
        links=links if len(links) > 1 else [],
    )


def _hash(path: bytes) -> str:
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def parse(text: str) -> Manifest:
    """Read what this script printed."""
    entries = (Entry(**json.loads(line)) for line in text.splitlines())
    return {entry.path: entry for entry in entries}


def differences(
    left: Manifest,
    right: Manifest,
    *,
    ignore: Iterable[str] = (),
    ignore_fields: Iterable[str] = (),
) -> list[str]:
    """Return a sentence for each difference, in the order of the paths; none if equal.

    `ignore` holds patterns of whole paths, in which `*` also stands for slashes.
    """
    patterns, skipped = tuple(ignore), {*ignore_fields, "path"}
    found: list[str] = []
    for path in sorted({*left, *right}):
        if any(fnmatch.fnmatchcase(path, pattern) for pattern in patterns):
            continue
        one, other = left.get(path), right.get(path)
        if one is None or other is None:
            present = one or other
            assert present is not None
            side = "left" if other is None else "right"
            found.append(f"{path!r}: only on the {side} ({present.kind})")
        else:
            found.extend(_field_differences(one, other, skipped))
    return found


def _field_differences(one: Entry, other: Entry, skipped: set[str]) -> Iterator[str]:
    for field in fields(Entry):
        before, after = getattr(one, field.name), getattr(other, field.name)
        if field.name not in skipped and before != after:
            yield f"{one.path!r}: {field.name} {before!r} on the left, {after!r} on the right"


if __name__ == "__main__":
    for each in take(Path(sys.argv[1])):
        print(json.dumps(asdict(each)))
