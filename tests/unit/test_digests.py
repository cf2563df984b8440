"""Digests of every file, remembered from week to week."""

import sqlite3
from pathlib import Path

import pytest

from rescue.errors import UsageError
from rescue.model.content import Known
from rescue.system.digests import opened

FILE = Known(size=1 << 40, mtime_ns=-1, ctime_ns=1_700_000_000_123_456_789, digest=b"\0" * 16)
ODD = "home/\udcff\n'; drop table digest"


def test_what_was_recorded_is_found_again(tmp_path: Path) -> None:
    path = tmp_path / "rescue" / "digests.sqlite"
    with opened(path) as digests:
        digests.put("/", ODD, FILE)
        digests.commit()
    with opened(path) as digests:
        assert not digests.begun_anew
        assert digests.get("/", ODD) == FILE
        assert digests.get("/home", ODD) is None
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700


def test_what_was_not_committed_is_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "digests.sqlite"
    with opened(path) as digests:
        digests.put("/", "a", FILE)
        digests.commit()
        digests.put("/", "b", FILE)
    with opened(path) as digests:
        assert digests.get("/", "a") == FILE
        assert digests.get("/", "b") is None


def test_files_that_are_gone_are_forgotten_file_system_by_file_system(tmp_path: Path) -> None:
    path = tmp_path / "digests.sqlite"
    with opened(path) as digests:
        for point, name in (("/", "gone"), ("/", "seen"), ("/", "doubted"), ("/home", "other")):
            digests.put(point, name, FILE)
        digests.commit()
    with opened(path) as digests:
        digests.put("/", "seen", FILE)
        digests.keep("/", "doubted")
        digests.forget_others("/")
        digests.commit()
        assert digests.get("/", "gone") is None
        assert digests.get("/", "seen") == digests.get("/", "doubted") == FILE
        assert digests.get("/home", "other") == FILE


def test_more_than_fits_into_memory_at_once(tmp_path: Path) -> None:
    with opened(tmp_path / "digests.sqlite") as digests:
        for number in range(2500):
            digests.put("/", f"file {number}", FILE)
        assert digests.get("/", "file 2499") == FILE
        assert digests.get("/", "file 0") == FILE


@pytest.mark.parametrize("what", ["no database", "a page that rotted"])
def test_one_that_is_damaged_is_put_aside_and_begun_anew(tmp_path: Path, what: str) -> None:
    path = tmp_path / "digests.sqlite"
    with opened(path) as digests:
        for number in range(2500):
            digests.put("/", f"file {number}", FILE)
        digests.commit()
    data = bytearray(path.read_bytes())
    if what == "no database":
        data[:100] = b"\xff" * 100
    else:
        data[8192:12288] = b"\xff" * 4096
    path.write_bytes(data)
    with opened(path) as digests:
        assert digests.begun_anew
        assert digests.get("/", "file 1") is None
        digests.put("/", "a", FILE)
        digests.commit()
    assert (tmp_path / "digests.sqlite.damaged").read_bytes() == data


def test_one_of_a_newer_rescue_is_refused_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "digests.sqlite"
    with opened(path):
        pass
    database = sqlite3.connect(path)
    database.execute("PRAGMA user_version = 99")
    database.close()
    with pytest.raises(UsageError, match="newer rescue"), opened(path):
        pass
    assert path.exists()
