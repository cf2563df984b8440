"""File system features, read so that mkfs can make an equal file system that boots.

Each kind's own tool reads the superblock; it works on mounted file systems and on image files.
"""

import re
from collections.abc import Mapping, Sequence

from rescue.model.storage.filesystem import ExtSettings, FsKind, FsOptions
from rescue.system.process.run import CommandError, run
from rescue.units import whole_number

_EXT_STATE = frozenset(
    {"needs_recovery", "orphan_present", "read-only", "shared_blocks", "snapshot_bitmap"}
)
"""Words in dumpe2fs' list of features that tell a state, or that mke2fs does not make."""

_XFS_FEATURES = (
    "crc",
    "finobt",
    "sparse",
    "rmapbt",
    "reflink",
    "bigtime",
    "inobtcount",
    "nrext64",
    "ftype",
)
"""The switches of mkfs.xfs (options -m, -i and -n) by the names that xfs_info prints."""

_BTRFS_FEATURES = {
    "MIXED_GROUPS": "mixed-bg",
    "EXTENDED_IREF": "extref",
    "RAID56": "raid56",
    "SKINNY_METADATA": "skinny-metadata",
    "NO_HOLES": "no-holes",
    "RAID1C34": "raid1c34",
    "ZONED": "zoned",
}
"""dump-super's incompatible flags that `mkfs.btrfs -O` has a name for. GRUB and the kernel must
know these to read it; the others appear through use or always. The free-space tree does not
hinder a reader, and btrfs-progs 6.2 does not know it as a feature.
"""

_BTRFS_DEFAULTS = ("extref", "no-holes", "skinny-metadata")
"""What mkfs.btrfs adds by default, and must be asked to leave out ('^no-holes')."""

_FAT_BITS = {"FAT12": 12, "FAT16": 16, "FAT32": 32}


def options_argv(kind: FsKind, device: str) -> list[str]:
    """Return the command that prints the superblock of a file system of that kind.

    vfat has none: libblkid's VERSION says all that is needed.
    """
    if kind.is_ext:
        return ["dumpe2fs", "-h", device]
    if kind is FsKind.XFS:
        # Read-only, and on the device: xfs_info wants a mount point where it is mounted.
        return ["xfs_db", "-r", "-c", "info", device]
    return ["btrfs", "inspect-internal", "dump-super", device]


def read_options(kind: FsKind, device: str, *, version: str) -> tuple[FsOptions, str]:
    """Return a file system's options, and anything that makes it impossible to recreate.

    `version` is libblkid's VERSION. The second value is '' or names a part that lies on another
    device ('btrfs over 2 devices'). Where the kind's tool is missing, or cannot read the
    superblock, the options are left to mkfs.
    """
    if kind is FsKind.VFAT:
        return FsOptions(fat_bits=_FAT_BITS.get(version, 0)), ""
    try:
        text = run(options_argv(kind, device)).stdout
    except CommandError:
        return FsOptions(), ""
    if kind.is_ext:
        return parse_dumpe2fs(text), _journal_elsewhere(text)
    if kind is FsKind.XFS:
        return parse_xfs_info(text), _xfs_elsewhere(text)
    return parse_dump_super(text), _btrfs_elsewhere(text)


def parse_dumpe2fs(text: str) -> FsOptions:
    """Given the output of `dumpe2fs -h` (man 8 dumpe2fs), return the options of mke2fs."""
    said = {key: value.strip() for key, value in _fields(text, ":")}
    features = said.get("Filesystem features", "").split()
    return FsOptions(
        block_size=_count(said.get("Block size", "")),
        inode_size=_count(said.get("Inode size", "")),
        inode_count=_count(said.get("Inode count", "")),
        features=tuple(sorted(word for word in features if word not in _EXT_STATE)),
        ext=_ext_settings(said),
    )


def parse_xfs_info(text: str) -> FsOptions:
    """Given what `xfs_db -c info` prints (man 8 xfs_info), return the options of mkfs.xfs.

    Features are 'crc=1', 'reflink=0', ... in the order of mkfs.xfs' manual.
    """
    words = dict(re.findall(r"(?<![a-z0-9])([a-z0-9]+)=([0-9]+)", text))
    data = re.search(r"^data\s.*?\bbsize=([0-9]+)", text, re.MULTILINE)
    return FsOptions(
        block_size=_count(data[1] if data else ""),
        inode_size=_count(words.get("isize", "")),
        features=tuple(f"{name}={words[name]}" for name in _XFS_FEATURES if name in words),
    )


def parse_dump_super(text: str) -> FsOptions:
    """Given `btrfs inspect-internal dump-super`, return the options of mkfs.btrfs.

    `block_size` is the sector size; features are by mkfs.btrfs' names, sorted, and '^name' where
    the source lacks what a new file system would have.
    """
    said = dict(re.findall(r"^(\w+)\s+(\S+)", text, re.MULTILINE))
    flags = re.search(r"^incompat_flags\s+\S+\n\s+\(([^)]*)\)", text, re.MULTILINE)
    words = re.findall(r"[A-Z][A-Z0-9_]+", flags[1]) if flags else []
    has = {_BTRFS_FEATURES[word] for word in words if word in _BTRFS_FEATURES}
    lacks = {f"^{name}" for name in _BTRFS_DEFAULTS if name not in has}
    return FsOptions(
        block_size=_count(said.get("sectorsize", "")), features=tuple(sorted(has | lacks))
    )


_ERRORS = {"Continue": "continue", "Remount read-only": "remount-ro", "Panic": "panic"}
_QUOTAS = {"User": "usrquota", "Group": "grpquota", "Project": "prjquota"}


def _ext_settings(said: Mapping[str, str]) -> ExtSettings | None:
    blocks, kept = _count(said.get("Block count", "")), said.get("Reserved block count", "")
    errors = _ERRORS.get(said.get("Errors behavior", ""), "")
    reserved = whole_number(kept)
    if not blocks or reserved is None or not errors:
        return None
    words = said.get("Default mount options", "").split()
    return ExtSettings(
        reserved=round(100 * reserved / blocks, 2),
        errors=errors,
        mount_defaults=tuple(sorted(word for word in words if word != "(none)")),
        quotas=tuple(name for who, name in _QUOTAS.items() if f"{who} quota inode" in said),
    )


def _journal_elsewhere(text: str) -> str:
    return "ext with its journal on another device" if "\nJournal device:" in text else ""


def _xfs_elsewhere(text: str) -> str:
    if re.search(r"^log\s+=external", text, re.MULTILINE):
        return "xfs with its log on another device"
    if re.search(r"^realtime\s*=external", text, re.MULTILINE):
        return "xfs with a realtime device"
    return ""


def _btrfs_elsewhere(text: str) -> str:
    count = re.search(r"^num_devices\s+(\d+)", text, re.MULTILINE)
    return f"btrfs over {count[1]} devices" if count and int(count[1]) > 1 else ""


def _fields(text: str, separator: str) -> Sequence[tuple[str, str]]:
    pairs = (line.partition(separator) for line in text.split("\n"))
    return [(key, value) for key, sep, value in pairs if sep]


def _count(text: str) -> int:
    return whole_number(text) or 0
