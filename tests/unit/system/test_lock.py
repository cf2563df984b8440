"""One run at a time, and one that waits for its turn."""

import fcntl
from pathlib import Path
from threading import Timer

import pytest

from rescue.errors import BusyError
from rescue.system.process.lock import is_held, only_one_run


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


def test_the_lock_of_another_file_is_not_ours_whatever_its_number_begins_with(
    tmp_path: Path,
) -> None:
    path, locks = tmp_path / "lock", tmp_path / "locks"
    path.touch()
    inode = path.stat().st_ino
    line = "1: FLOCK  ADVISORY  WRITE 700 08:02:{} 0 EOF\n"
    locks.write_text(line.format(f"{inode}7") + line.format(f"7{inode}"))
    assert not is_held(path, locks=locks)
    locks.write_text(line.format(inode))
    assert is_held(path, locks=locks)


def test_the_kernel_tells_of_a_lock_that_is_held(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with only_one_run(path):
        assert is_held(path)
    assert not is_held(path)
