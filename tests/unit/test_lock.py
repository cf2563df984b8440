"""One run at a time, and one that waits for its turn."""

import fcntl
from pathlib import Path
from threading import Timer

import pytest

from rescue.errors import BusyError
from rescue.system.lock import only_one_run


def test_a_run_that_waits_gets_the_lock_when_the_other_is_done(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with path.open("w") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        Timer(0.2, lambda: fcntl.flock(other, fcntl.LOCK_UN)).start()
        with only_one_run(path, patience=60):
            assert path.read_text().strip().isdecimal()


def test_patience_ends(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with path.open("w") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        for patience in (0.0, 0.1):
            with pytest.raises(BusyError), only_one_run(path, patience=patience):
                pass
