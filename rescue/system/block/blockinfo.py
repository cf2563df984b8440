"""Block devices, mounts, fstab and swap as util-linux reports them, parsed at the border.

One pure function for each kind of output, and one function that runs the tool and parses. The
tools are those of util-linux 2.38 (Debian 12): `man 8 blkid`, `man 8 findmnt`, `man 5 fstab`.
"""

import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rescue.errors import RescueError
from rescue.model.storage.mount import FstabEntry, Mount, Swap
from rescue.system.process.answer import rows_of, text_of, understood
from rescue.system.process.run import run
from rescue.text.identifier_scanner import unoctal
from rescue.units import whole_number

FSTAB = "/etc/fstab"
SWAPS = "/proc/swaps"

_NO_LIST = "findmnt did not answer with a list of file systems"
_REPORT = "report this with the output of 'findmnt --json'"

_BLKID_NOTHING = 2
"""blkid's exit code for 'no signature', and for 'could not be read' alike."""

_BLKID_AMBIVALENT = 8
"""blkid's exit code for several signatures that contradict each other."""


@dataclass(frozen=True, kw_only=True)
class Signature:
    """What libblkid recognised on one device; empty where it recognised nothing.

    `type`, `usage` and `version` are libblkid's words ('vfat', 'filesystem', 'FAT32');
    `table_kind` and `table_uuid` are of a partition table on the device itself ('gpt', 'dos').
    `ambivalent` is true where several signatures contradict each other.
    """

    type: str = ""
    usage: str = ""
    version: str = ""
    uuid: str = ""
    label: str = ""
    table_kind: str = ""
    table_uuid: str = ""
    ambivalent: bool = False


def probe_argv(path: str) -> list[str]:
    """Return the command that probes one device, past every cache.

    Not `-o export`: in the C locale it writes 'ö' as 'M-CM-6', while the _ENC values of
    `-o udev` keep valid UTF-8 and escape the rest reversibly.
    """
    return ["blkid", "-p", "-o", "udev", path]


def probe(path: str) -> Signature | None:
    """Probe a device or image file; None where it cannot be read (not root, read error, gone)."""
    try:
        os.close(os.open(path, os.O_RDONLY | os.O_CLOEXEC))
    except OSError:
        return None
    done = run(probe_argv(path), ok=(0, _BLKID_NOTHING, _BLKID_AMBIVALENT))
    if done.returncode == _BLKID_NOTHING and done.stderr.strip():
        return None
    if done.returncode == _BLKID_AMBIVALENT:
        return Signature(ambivalent=True)
    return parse_signature(parse_properties(done.stdout))


def parse_properties(text: str) -> dict[str, str]:
    """Given lines KEY=value as `blkid -o udev` writes them, return them as a mapping."""
    # Not splitlines, to which a label can hold the end of a line, and a value of its own behind.
    pairs = (line.partition("=") for line in text.split("\n"))
    return {key: value for key, sep, value in pairs if sep}


def parse_signature(properties: Mapping[str, str]) -> Signature:
    """Given udev properties (of udev's database or of blkid), return the signature they tell."""
    return Signature(
        type=properties.get("ID_FS_TYPE", ""),
        usage=properties.get("ID_FS_USAGE", ""),
        version=properties.get("ID_FS_VERSION", ""),
        uuid=decode(properties.get("ID_FS_UUID_ENC", properties.get("ID_FS_UUID", ""))),
        label=decode(properties.get("ID_FS_LABEL_ENC", properties.get("ID_FS_LABEL", ""))),
        table_kind=properties.get("ID_PART_TABLE_TYPE", ""),
        table_uuid=properties.get("ID_PART_TABLE_UUID", ""),
        ambivalent="ID_FS_AMBIVALENT" in properties,
    )


def decode(text: str) -> str:
    """Given a value that libblkid encoded for udev (\\x20 for a blank), return what it means."""
    data = re.sub(
        rb"\\x([0-9a-fA-F]{2})",
        lambda found: bytes([int(found[1], 16)]),
        text.encode("utf-8", "surrogateescape"),
    )
    return data.decode("utf-8", "surrogateescape")


MOUNTS_ARGV = (
    "findmnt",
    "--kernel",
    "--json",
    "--list",
    "--nofsroot",
    "--output",
    "SOURCE,TARGET,FSTYPE,OPTIONS,FSROOT,MAJ:MIN",
)
"""Lists what the kernel has mounted, in the order of /proc/self/mountinfo."""


def mounts() -> tuple[Mount, ...]:
    """Return what is mounted now, as this process sees it, in the kernel's order."""
    return parse_mounts(run(MOUNTS_ARGV).stdout)


def parse_mounts(text: str) -> tuple[Mount, ...]:
    """Given the JSON of MOUNTS_ARGV, return the mounts. Raises RescueError if it is invalid."""
    with understood(_NO_LIST, hint=_REPORT):
        return tuple(
            Mount(
                device=text_of(row, "source", ""),
                target=text_of(row, "target"),
                fstype=text_of(row, "fstype", ""),
                options=_options(text_of(row, "options", "")),
                root=text_of(row, "fsroot", "") or "/",
                major_minor=text_of(row, "maj:min", "").strip(),
            )
            for row in _rows(text)
        )


def used(target: str) -> int:
    """Return the bytes that the files of a mounted file system take; 0 where it does not say."""
    try:
        told = os.statvfs(target)
    except OSError:
        return 0
    return (told.f_blocks - told.f_bfree) * told.f_frsize


def fstab_argv(path: str = FSTAB, *, evaluate: bool = False) -> list[str]:
    """Return the command that lists an fstab in its own order.

    With `evaluate` SOURCE is no longer what the file says but the device it resolves to.
    """
    how = ["--evaluate"] if evaluate else []
    columns = ["--output", "SOURCE,TARGET,FSTYPE,OPTIONS"]
    return ["findmnt", "--tab-file", path, *how, "--json", "--list", *columns]


def fstab(path: str = FSTAB) -> tuple[FstabEntry, ...]:
    """Return the lines of an fstab, each with the device node that it resolves to.

    An empty or missing file gives none. Raises RescueError where it changed in between.
    """
    if not Path(path).exists():
        return ()
    # findmnt ends with 1 when there is nothing to list.
    said = run(fstab_argv(path), ok=(0, 1)).stdout
    resolved = run(fstab_argv(path, evaluate=True), ok=(0, 1)).stdout
    return parse_fstab(said, resolved)


def parse_fstab(text: str, resolved: str) -> tuple[FstabEntry, ...]:
    """Given the JSON of fstab as written and as resolved, return the entries.

    `device` is the path that libmount resolved, whether or not anything is there. Raises
    RescueError where one is not a listing, and where the two are not of the same file.
    """
    with understood(_NO_LIST, hint=_REPORT):
        entries = [_entry(row) for row in _rows(text)]
        found = [(_place(row), text_of(row, "source", "")) for row in _rows(resolved)]
    if [entry.target for entry in entries] != [target for target, _ in found]:
        raise RescueError("the fstab changed while it was read", hint="run the command again")
    return tuple(
        replace(entry, device=path if path.startswith("/dev/") else "")
        for entry, (_, path) in zip(entries, found, strict=True)
    )


def _entry(row: Mapping[str, Any]) -> FstabEntry:
    return FstabEntry(
        spec=_unquoted(text_of(row, "source", "")),
        target=_place(row),
        fstype=text_of(row, "fstype", ""),
        options=_options(text_of(row, "options", "")),
    )


def _place(row: Mapping[str, Any]) -> str:
    """Return a line's mount point; swap has none, and fstab spells that so (man 5 fstab)."""
    return text_of(row, "target", "none")


def swaps(path: str = SWAPS) -> tuple[Swap, ...]:
    """Return the active swap areas; a swap file's size is the file's own."""
    text = Path(path).read_bytes().decode("utf-8", "surrogateescape")
    return tuple(_with_file_size(swap) for swap in parse_swaps(text))


def parse_swaps(text: str) -> tuple[Swap, ...]:
    """Given the text of /proc/swaps (man 5 proc), return the areas with the kernel's size.

    A line without a size is not the kernel's, and is left out.
    """
    rows = (line.split() for line in text.split("\n")[1:])
    sized = ((row, whole_number(row[2])) for row in rows if len(row) >= 3)
    return tuple(
        Swap(path=unoctal(row[0]), is_file=row[1] == "file", size=size * 1024)
        for row, size in sized
        if size is not None
    )


def _with_file_size(swap: Swap) -> Swap:
    # The kernel's figure leaves out the header page: a file made after it would be too small.
    try:
        size = Path(swap.path).stat().st_size if swap.is_file else swap.size
    except OSError:
        return swap
    return Swap(path=swap.path, is_file=swap.is_file, size=size)


def _unquoted(spec: str) -> str:
    """Return TAG=value for TAG="value", which libmount accepts in fstab."""
    tag, sep, value = spec.partition("=")
    if sep and len(value) > 1 and value[0] == value[-1] and value[0] in "\"'":
        return f"{tag}={value[1:-1]}"
    return spec


def _options(text: str) -> tuple[str, ...]:
    """Split mount options at the commas that no quotes hold (man 8 mount, SELinux contexts)."""
    return tuple(re.findall(r'(?:[^,"]|"[^"]*")+', text))


def _rows(text: str) -> Sequence[dict[str, Any]]:
    """Return findmnt's list of rows; it prints nothing at all where there are none."""
    return rows_of(json.loads(text)["filesystems"]) if text.strip() else []
