"""Backup superblocks, and repairs with them, on throw-away copies only."""

import re
import tempfile
from dataclasses import dataclass

from rescue.model.storage.filesystem import FsKind
from rescue.system.block import loop
from rescue.system.process.run import CommandError, run

BLOCK_SIZES = (4096, 1024, 2048)
"""Of ext2/3/4, in bytes, the usual ones first."""

_E2FSCK_WELL = (0, 1, 2, 3)
"""e2fsck: nothing to do, errors corrected, 'reboot' (man 8 e2fsck); 4 and above are left over."""

_XFS_LOG_DIRTY = 2


@dataclass(frozen=True, kw_only=True)
class Backup:
    """A copy of ext's superblock: its block, and the size of blocks in bytes."""

    block: int
    block_size: int

    @property
    def mount_option(self) -> str:
        """The kernel counts it in units of 1024 bytes (man 5 ext4)."""
        return f"sb={self.block * self.block_size // 1024}"


def positions_argv(path: str, block_size: int) -> list[str]:
    """Return the command that reports where mke2fs would put the copies, without writing (-n)."""
    return ["mke2fs", "-n", "-F", "-t", "ext4", "-b", str(block_size), path]


def positions(size: int) -> tuple[Backup, ...]:
    """Return where copies of an ext superblock can be on `size` bytes, the likeliest first."""
    found = []
    # mke2fs does not even count on a read-only device: it gets an empty file of that size.
    with tempfile.NamedTemporaryFile(dir="/run", prefix="rescue-") as empty:
        empty.truncate(size)
        for block_size in BLOCK_SIZES:
            text = run(positions_argv(empty.name, block_size), ok=(0, 1)).stdout
            found += [Backup(block=at, block_size=block_size) for at in parse_positions(text)]
    return tuple(found)


def parse_positions(text: str) -> tuple[int, ...]:
    """Given what `mke2fs -n` prints, return the blocks it names; none on a small device."""
    _, _, after = text.partition("Superblock backups stored on blocks:")
    return tuple(int(number) for number in re.findall(r"[0-9]{1,19}", after))


def uuid_argv(device: str, backup: Backup) -> list[str]:
    """Return the command that prints one copy (man 8 dumpe2fs)."""
    where = ["-o", f"superblock={backup.block}", "-o", f"blocksize={backup.block_size}"]
    return ["dumpe2fs", "-h", *where, device]


def find_backup(device: str, *, uuid: str) -> Backup | None:
    """Return the first readable copy that belongs to the file system of that UUID."""
    for backup in positions(loop.sectors(device) * 512):
        if _uuid(uuid_argv(device, backup)) == uuid.lower():
            return backup
    return None


_PRIMARY = {
    FsKind.XFS: ("xfs_db", "-r", "-c", "uuid"),
    FsKind.BTRFS: ("btrfs", "inspect-internal", "dump-super"),
}


def primary_argv(kind: FsKind, device: str) -> list[str]:
    """Return the command of the kind's own tools that prints the superblock, UUID among it."""
    return [*_PRIMARY.get(kind, ("dumpe2fs", "-h")), device]


def primary_uuid(kind: FsKind, device: str) -> str:
    """Return the UUID in the first superblock, '' where it cannot be read.

    libblkid gives up a whole device for one bad sector at its end, where it looks for RAID.
    """
    return _uuid(primary_argv(kind, device))


def _uuid(argv: list[str]) -> str:
    try:
        # 1: the superblock was printed, and something behind it is damaged.
        said = run(argv, ok=(0, 1)).stdout
    except CommandError:
        return ""
    found = re.search(r"^(?:Filesystem UUID:|UUID =|fsid)\s+(\S+)", said, re.MULTILINE)
    return found[1].lower() if found else ""


def repair_argv(kind: FsKind, device: str, backup: Backup | None) -> list[str]:
    """Return the command that repairs a file system whose superblock is gone.

    e2fsck replays the journal as well, since a copy of the superblock does not say whether it
    must be. XFS looks for another superblock by itself.
    """
    if kind.is_ext:
        other = ["-b", str(backup.block), "-B", str(backup.block_size)] if backup else []
        return ["e2fsck", "-f", "-y", *other, device]
    if kind is FsKind.XFS:
        return ["xfs_repair", device]
    return ["btrfs", "rescue", "super-recover", "-y", device]


def repair(kind: FsKind, device: str, backup: Backup | None) -> None:
    """Repair a file system on a throw-away copy. Raises CommandError where that fails."""
    argv = repair_argv(kind, device, backup)
    if kind.is_ext:
        run(argv, ok=_E2FSCK_WELL, timeout=24 * 3600)
    elif kind is FsKind.XFS:
        done = run(argv, ok=(0, _XFS_LOG_DIRTY), timeout=24 * 3600)
        if done.returncode == _XFS_LOG_DIRTY:
            # The log cannot be replayed without a superblock to mount by.
            run([*argv[:1], "-L", device], timeout=24 * 3600)
    else:
        # 2: a superblock was rewritten (man 8 btrfs-rescue).
        run(argv, ok=(0, 2), timeout=3600)
