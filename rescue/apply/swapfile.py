"""Swap files, made again on the mirror because the copy leaves them out."""

import os
from pathlib import Path

from rescue import paths
from rescue.apply.step_context import TreeWork
from rescue.model.mirror.step import MakeSwapFile
from rescue.model.storage.filesystem import FsKind
from rescue.system.block.mkfs import mkswap_file_argv
from rescue.system.files.atomic import sync_directory
from rescue.system.process.run import run

_MAGIC = b"SWAPSPACE2"  # linux/swap.h: at the end of the first page
_PAGE = 4096


def make_swap_file(step: MakeSwapFile, work: TreeWork) -> str:
    """Make the file, unless one of that size is there already. Raises OSError when full."""
    pair, _ = work.workspace.pair_of(step.path)
    path = work.on_mirror(step.path)
    if is_swap_file(path, size=step.size):
        return "as it was"
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(path.name + paths.TEMPORARY_SUFFIX)
    fresh.unlink(missing_ok=True)
    try:
        fd = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            if pair.kind is FsKind.BTRFS:
                # A swap file on btrfs must not be copied on write; set while it is empty.
                run(["chattr", "+C", str(fresh)])
            # Holes are refused by swapon (man 8 swapon); allocated blocks are not holes.
            os.posix_fallocate(fd, 0, step.size)
            run(mkswap_file_argv(str(fresh)))
            os.fsync(fd)
        finally:
            os.close(fd)
        fresh.replace(path)
    except BaseException:
        fresh.unlink(missing_ok=True)
        raise
    sync_directory(path.parent)
    work.keep_folder_times(step.path)
    return "made"


def is_swap_file(path: Path, *, size: int) -> bool:
    """Whether a file of that size (bytes) with a swap header is there."""
    if path.is_symlink() or not path.is_file() or path.stat().st_size != size:
        return False
    with path.open("rb") as file:
        file.seek(_PAGE - len(_MAGIC))
        return file.read(len(_MAGIC)) == _MAGIC
