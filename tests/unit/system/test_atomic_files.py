"""A file is replaced whole or not at all, by two writers at once, too; a cut one leaves nothing."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from rescue.paths import TEMPORARY_SUFFIX
from rescue.system.files.atomic import fresh_file, write_atomic

CUT = """
import os, signal, sys
from pathlib import Path
from rescue.system.files.atomic import fresh_file

with fresh_file(Path(sys.argv[1]), mode=0o600) as file:
    file.write(b"half")
    file.flush()
    os.kill(os.getpid(), signal.SIGKILL)
"""


def temporary(folder: Path) -> list[str]:
    return [each.name for each in folder.iterdir() if each.name.endswith(TEMPORARY_SUFFIX)]


def cut(path: Path) -> None:
    """Write a file, and be killed in the middle of it."""
    argv = [sys.executable, "-c", CUT, str(path)]
    assert subprocess.run(argv, check=False).returncode == -signal.SIGKILL


def test_two_writers_at_once_each_write_a_whole_file(tmp_path: Path) -> None:
    path, failures = tmp_path / "rescue.prom", list[BaseException]()
    texts = [bytes([letter]) * 50_000 for letter in b"ab"]

    def write(text: bytes) -> None:
        try:
            for _ in range(15):
                write_atomic(path, text)
        except BaseException as error:
            failures.append(error)

    writers = [threading.Thread(target=write, args=(text,)) for text in texts]
    for writer in writers:
        writer.start()
    while any(writer.is_alive() for writer in writers):
        if path.exists():
            assert path.read_bytes() in texts
    assert failures == []
    assert temporary(tmp_path) == []


def test_what_is_written_is_no_metrics_file_yet_and_its_name_is_never_the_same(
    tmp_path: Path,
) -> None:
    path = tmp_path / "rescue.prom"
    names = set()
    for _ in range(3):
        with fresh_file(path, mode=0o600):
            names |= set(temporary(tmp_path))
    assert len(names) == 3
    assert not any(name.endswith(".prom") for name in names)


def test_the_next_writer_removes_what_a_cut_one_left_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "rescue.prom"
    cut(path)
    assert len(temporary(tmp_path)) == 1
    others = [f"rescue.prom.d{TEMPORARY_SUFFIX}", f"x.rescue.prom{TEMPORARY_SUFFIX}"]
    (tmp_path / f"rescue.prom{TEMPORARY_SUFFIX}").write_text("of an older rescue")
    for other in others:
        (tmp_path / other).touch()
    write_atomic(path, b"new")
    assert path.read_bytes() == b"new"
    assert sorted(temporary(tmp_path)) == sorted(others)


def test_the_file_of_a_writer_that_is_at_it_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "dump.sql"
    with fresh_file(path, mode=0o600) as file:
        file.write(b"the slow one")
        write_atomic(path, b"the quick one")
        assert len(temporary(tmp_path)) == 1
        assert path.read_bytes() == b"the quick one"
    assert path.read_bytes() == b"the slow one"


@pytest.mark.parametrize("laid", ["link", "fifo"])
def test_what_somebody_laid_there_is_neither_followed_nor_waited_for(
    tmp_path: Path, laid: str
) -> None:
    victim, place = tmp_path / "victim", tmp_path / f"f{TEMPORARY_SUFFIX}"
    victim.write_text("kept")
    if laid == "link":
        place.symlink_to(victim)
    else:
        os.mkfifo(place)
    write_atomic(tmp_path / "f", b"new")
    assert victim.read_text() == "kept"
    assert (tmp_path / "f").read_bytes() == b"new"


def test_a_block_that_raises_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_text("old")
    with pytest.raises(UnicodeEncodeError), fresh_file(path, mode=0o600) as file:
        file.write("no ASCII: ü".encode("ascii"))
    assert path.read_text() == "old"
    assert temporary(tmp_path) == []
