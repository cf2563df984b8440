"""Paths in a dead disk's tree: symbolic links resolved within that tree.

On a dead disk an absolute link means its own root, and its file systems are mounted apart.
"""

import os
import stat
from collections.abc import Callable
from pathlib import Path, PurePosixPath

_MOST_LINKS = 40
"""As many as the kernel follows (man 7 path_resolution)."""


def real_folder(path: str, place: Callable[[str], Path | None]) -> str:
    """Return the folder that an absolute path leads to, following links; '' if there is none.

    `place` gives where a path of the tree is seen, None where its file system is not.
    """
    done = PurePosixPath("/")
    todo = [part for part in PurePosixPath(path).parts if part != "/"]
    links = 0
    while todo:
        part = todo.pop(0)
        if part == "..":
            done = done.parent
            continue
        seen = place(str(done / part))
        try:
            mode = os.lstat(seen).st_mode if seen is not None else 0
            if seen is not None and stat.S_ISLNK(mode):
                links += 1
                target = PurePosixPath(os.readlink(seen))  # noqa: PTH115
                done = PurePosixPath("/") if target.is_absolute() else done
                todo = [each for each in target.parts if each != "/"] + todo
                if links > _MOST_LINKS:
                    return ""
                continue
        except OSError:
            return ""
        if not stat.S_ISDIR(mode):
            return ""
        done /= part
    return str(done)
