"""Digests of every file, remembered from week to week."""

import json
import shlex
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from rescue.errors import RescueError, UsageError
from rescue.model.run.rot import Known
from rescue.system.files.digests import opened

FILE = Known(size=1 << 40, mtime_ns=-1, ctime_ns=1_700_000_000_123_456_789, digest=b"\0" * 16)
ODD = "home/\udcff\n'; drop table digest"

FILL = "cat /dev/zero > filler 2>&1 || true"
READ_ONLY = "mount -o remount,ro ."

USE = """
import contextlib, json, sys
from pathlib import Path
from rescue.errors import RescueError
from rescue.system.files.digests import opened
from tests.unit.system.test_digests import FILE

said = {}
try:
    with opened(Path("digests.sqlite")) as digests:
        said["known"] = digests.get("/", "a") == FILE
        said["anew"] = digests.begun_anew
        for number in range(int(sys.argv[1])):
            digests.put("/", f"file {number}", FILE)
        digests.commit()
except RescueError as error:
    said["error"], said["hint"] = error.message, error.hint
with contextlib.suppress(RescueError), opened(Path("digests.sqlite")) as digests:
    said["after"] = digests.get("/", "a") == FILE and not digests.begun_anew
said["files"] = sorted(path.name for path in Path().iterdir() if path.name != "filler")
print(json.dumps(said))
"""


def used_where(place: Path, trouble: str, *, puts: int) -> dict[str, object]:
    """Record on a file system of one MiB, then use what is there after a command made trouble."""
    place.mkdir()
    with opened(place.with_name("good.sqlite")) as digests:
        digests.put("/", "a", FILE)
        digests.commit()
    steps = (
        f"mount -t tmpfs -o size=1m none {shlex.quote(str(place))}",
        f"cd {shlex.quote(str(place))}",
        "cp ../good.sqlite digests.sqlite",
        trouble,
        shlex.join([sys.executable, "-c", USE, str(puts)]),
    )
    done = subprocess.run(
        ["unshare", "--user", "--map-root-user", "--mount", "sh", "-ec", "\n".join(steps)],
        capture_output=True,
        text=True,
        env={"PATH": "/usr/bin:/bin:/usr/sbin:/sbin", "PYTHONPATH": str(Path.cwd())},
        check=False,
    )
    if done.returncode != 0 and "unshare:" in done.stderr:
        pytest.skip(f"no file system can be mounted here: {done.stderr.strip()}")
    assert done.returncode == 0, done.stderr
    said: dict[str, object] = json.loads(done.stdout)
    return said


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


@pytest.mark.parametrize("what", ["no database", "a page that rotted", "no bytes"])
def test_one_that_is_damaged_is_put_aside_and_begun_anew(tmp_path: Path, what: str) -> None:
    path = tmp_path / "digests.sqlite"
    with opened(path) as digests:
        for number in range(2500):
            digests.put("/", f"file {number}", FILE)
        digests.commit()
    data = bytearray(path.read_bytes())
    if what == "no database":
        data[:100] = b"\xff" * 100
    elif what == "no bytes":
        data.clear()
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


def test_on_a_full_file_system_they_are_read_and_none_is_lost(tmp_path: Path) -> None:
    said = used_where(tmp_path / "var", FILL, puts=0)
    assert said == {"known": True, "anew": False, "after": True, "files": ["digests.sqlite"]}


@pytest.mark.parametrize("trouble", [FILL, "true"])
def test_a_file_system_that_is_full_when_they_are_written_is_said(
    tmp_path: Path, trouble: str
) -> None:
    said = used_where(tmp_path / "var", trouble, puts=100_000)
    assert said.pop("error") == (
        "the digests of last time, digests.sqlite, cannot be used: database or disk is full"
    )
    assert "they are kept; see 'df'" in str(said.pop("hint"))
    assert said == {"known": True, "anew": False, "after": True, "files": ["digests.sqlite"]}


def test_a_read_only_file_system_is_said_and_they_stay(tmp_path: Path) -> None:
    said = used_where(tmp_path / "var", READ_ONLY, puts=0)
    assert said["error"] == (
        "the digests of last time, digests.sqlite, cannot be used: Read-only file system"
    )
    assert said["files"] == ["digests.sqlite"]


def overwritten_in_use(path: Path, data: bytes) -> None:
    with opened(path) as digests:
        path.write_bytes(data)
        digests.get("/", "file 1")


def test_damage_that_shows_in_the_middle_is_said_and_the_next_time_put_aside(
    tmp_path: Path,
) -> None:
    path = tmp_path / "digests.sqlite"
    with opened(path) as digests:
        for number in range(2500):
            digests.put("/", f"file {number}", FILE)
        digests.commit()
    data = bytearray(path.read_bytes())
    data[24:28] = b"\xff" * 4  # the count of changes (sqlite.org/fileformat.html): read no cache
    data[4096:] = b"\xff" * len(data[4096:])
    with pytest.raises(RescueError, match="are damaged") as caught:
        overwritten_in_use(path, bytes(data))
    assert "same command again" in caught.value.hint
    with opened(path) as digests:
        assert digests.begun_anew
