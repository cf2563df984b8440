"""The working folders of a restore on a file system that may be somebody's home.

What is laid under their names before by anybody else is left alone, and in nobody's way.
"""

import os
import secrets
import shutil
import stat
from pathlib import Path

from rescue import paths


def own_names(root: Path) -> frozenset[str]:
    """Return the names at a file system's root that belong to a restore: only root's folders.

    They are never compared, and none of them comes back. None of a root that cannot be read.
    """
    prefixes = (paths.REPLACED_FOLDER, paths.OLD_REPLACED_FOLDER, paths.RESTORE_FOLDER)
    try:
        with os.scandir(root) as entries:
            names = [entry.name for entry in entries if entry.name.startswith(prefixes)]
        return frozenset(name for name in names if _is_roots_own(root / name))
    except OSError:
        return frozenset()


def work_folder(root: Path) -> Path:
    """Make a folder for a restore's files in progress, removing what an interrupted one left.

    Its name is random: an rsync that outlives its killed restore for a moment finds nothing of
    ours.
    """
    for name in own_names(root):
        if name.startswith(paths.RESTORE_FOLDER):
            clear(root / name)
    return _drawn(root, paths.RESTORE_FOLDER)


def replaced_folder(root: Path) -> Path:
    """Make the folder for what restores replace, or find it."""
    folder = root / paths.REPLACED_FOLDER
    try:
        folder.mkdir(mode=0o700)
    except FileExistsError:
        return folder if _is_roots_own(folder) else _drawn(root, paths.REPLACED_FOLDER)
    return folder


def clear(folder: Path) -> None:
    """Remove a folder of ours; another process may be removing it at the same time."""
    shutil.rmtree(folder, ignore_errors=True)


def _drawn(root: Path, name: str) -> Path:
    folder = root / f"{name}~{secrets.token_hex(16)}"
    folder.mkdir(mode=0o700)
    return folder


def _is_roots_own(folder: Path) -> bool:
    seen = folder.lstat()
    return stat.S_ISDIR(seen.st_mode) and seen.st_uid == 0 and not seen.st_mode & 0o077
