"""Files that rsync reads its orders from: no command line holds as many (man 2 execve)."""

import os
from collections.abc import Iterable


def name_list(names: Iterable[str]) -> bytes:
    """Return what a file for --files-from and --from0 holds: names relative to the root.

    rsync takes a line that begins with '#' or ';' for a comment, though it ends with a zero byte.
    """
    return b"".join(b"./" + os.fsencode(name) + b"\0" for name in names)
