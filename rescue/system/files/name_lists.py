"""Lists of paths for rsync's --files-from, where nobody else can write."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import NamedTemporaryFile

from rescue.paths import RUNTIME
from rescue.system.rsync.rule_files import name_list


@contextmanager
def listed(paths: Iterable[str]) -> Iterator[Path]:
    """Yield a file that lists the paths, which are relative to the root of a file system."""
    RUNTIME.mkdir(mode=0o700, parents=True, exist_ok=True)
    # Beside the run's own small file system: the list can be long.
    with NamedTemporaryFile(dir=RUNTIME, prefix="names-") as file:
        file.write(name_list(paths))
        file.flush()
        yield Path(file.name)
