"""Lists of paths for rsync's --files-from, where nobody else can write."""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import NamedTemporaryFile

from rescue.apply.workspace import WORK


@contextmanager
def listed(paths: Iterable[str]) -> Iterator[Path]:
    """Give a file that lists the paths, each ended by a zero byte."""
    WORK.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # Beside the run's own small file system: the list can be long.
    with NamedTemporaryFile(dir=WORK.parent, prefix="names-") as file:
        for path in paths:
            file.write(os.fsencode(path) + b"\0")
        file.flush()
        yield Path(file.name)
