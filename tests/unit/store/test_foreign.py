"""A disk that a stranger made: whatever lies below /.rescue, nothing waits, follows or breaks."""

import errno
import json
import os
import signal
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from rescue.errors import DamagedError, RefusedError
from rescue.model.mirror.record import RunSummary
from rescue.paths import OWN_FOLDER
from rescue.store.codec import to_stored_json
from rescue.store.history import known_runs_on_mirror
from rescue.store.records import (
    NO_TIME,
    forget_boots,
    forget_marker,
    forget_past,
    load_boots,
    load_handover,
    load_marker,
    load_paper,
    load_record,
    save_beside,
    save_marker,
)
from rescue.system.files import foreign
from tests.builders import enrolled

RUN = RunSummary(
    started=1.0,
    seconds=2.0,
    checksum=True,
    files_total=3,
    files_changed=4,
    bytes_changed=5,
    deletions=6,
)
RECORD = replace(enrolled().record, last_run=RUN)


@pytest.fixture(autouse=True)
def patience() -> Iterator[None]:
    """Whoever waits for a FIFO or reads /dev/zero to its end is woken, and fails."""

    def awake(*_: object) -> None:
        raise TimeoutError("it waited")

    before = signal.signal(signal.SIGALRM, awake)
    signal.alarm(20)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


def fifo(path: Path) -> None:
    os.mkfifo(path)


def endless(path: Path) -> None:
    path.symlink_to("/dev/zero")


def loop(path: Path) -> None:
    path.symlink_to(path.name)


def huge(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(2**42)


def another(path: Path) -> None:
    """The server's own record: the disk's maker cannot read it, and we can."""
    (path.parents[1] / "victim").write_text(to_stored_json(RECORD))
    path.symlink_to("../victim")


ODD: dict[str, Callable[[Path], object]] = {
    "a FIFO": fifo,
    "a link to /dev/zero": endless,
    "a link to itself": loop,
    "a folder": lambda path: path.mkdir(),
    "4 TiB of nothing": huge,
    "a link to another record": another,
    "brackets": lambda path: path.write_bytes(b"[" * 1_000_000),
    "braces": lambda path: path.write_bytes(b'{"a":' * 1_000_000),
    "nothing": lambda path: path.touch(),
}


@pytest.mark.parametrize("odd", ODD)
def test_whatever_has_the_name_of_a_state_file_is_damage_and_no_more(
    tmp_path: Path, odd: str
) -> None:
    folder = tmp_path / OWN_FOLDER
    folder.mkdir()
    for name in ("mirror.json", "failback.json", "booted", "runs.jsonl", "motd"):
        ODD[odd](folder / name)
    with pytest.raises(DamagedError, match=r"mirror\.json"):
        load_marker(tmp_path)
    with pytest.raises(DamagedError, match=r"failback\.json"):
        load_handover(tmp_path)
    assert set(load_boots(tmp_path)) <= {NO_TIME}
    assert known_runs_on_mirror(tmp_path) == ()


def with_field(**changes: object) -> bytes:
    data: dict[str, Any] = json.loads(to_stored_json(RECORD))
    for path, value in changes.items():
        *way, last = path.split("__")
        place = data
        for key in way:
            place = place[key]
        place[last] = value
    return json.dumps(data).encode()


@pytest.mark.parametrize(
    "changes",
    [
        {"last_complete": 1e300},
        {"last_complete": float("nan")},
        {"last_tried": float("-inf")},
        {"last_run__started": -1e300},
        {"generation": 10**300},
        {"generation": 1e300},
        {"generation": True},
        {"name": "../../etc/cron.d/x"},
        {"name": ""},
        {"name": "a\0b"},
        {"name": ["cellar"]},
        {"filesystems": []},
        {"state": "perfect"},
        {"state": 3},
        {"secret": "guessed"},
        {"secret": 7},
    ],
)
def test_values_out_of_their_range_are_damage(tmp_path: Path, changes: dict[str, object]) -> None:
    (tmp_path / OWN_FOLDER).mkdir()
    (tmp_path / OWN_FOLDER / "mirror.json").write_bytes(with_field(**changes))
    with pytest.raises(DamagedError):
        load_marker(tmp_path)
    (tmp_path / "cellar.json").write_bytes(with_field(**changes))
    with pytest.raises(DamagedError):
        load_record("cellar", tmp_path)


@pytest.mark.parametrize("place", ["/../../etc", "/home\0", "home"])
def test_a_mount_point_out_of_the_tree_is_damage(tmp_path: Path, place: str) -> None:
    pairs = json.loads(to_stored_json(RECORD))["filesystems"]
    pairs[-1]["mount_point"] = place
    (tmp_path / OWN_FOLDER).mkdir()
    (tmp_path / OWN_FOLDER / "mirror.json").write_bytes(with_field(filesystems=pairs))
    with pytest.raises(DamagedError):
        load_marker(tmp_path)


def victim(folder: Path) -> Path:
    """Return a folder of somebody else, with names in it that we might write or remove."""
    there = folder / "victim"
    there.mkdir(mode=0o755)
    save_marker(folder / "victim", RECORD)
    (there / OWN_FOLDER).rename(there / "own")
    (there / "own").chmod(0o755)
    for name in ("booted", "failback.json", "motd"):
        (there / "own" / name).write_text("theirs")
    return there / "own"


def seen(folder: Path) -> dict[str, tuple[int, bytes]]:
    files = {path.name: (path.stat().st_mode, path.read_bytes()) for path in folder.iterdir()}
    return {**files, ".": (folder.stat().st_mode, b"")}


def test_a_link_in_the_place_of_our_folder_leads_nowhere(tmp_path: Path) -> None:
    there, root = victim(tmp_path), tmp_path / "root"
    root.mkdir()
    (root / OWN_FOLDER).symlink_to(there)
    before = seen(there)
    assert load_marker(root) is None
    assert load_handover(root) is None
    assert load_boots(root) == ()
    assert load_paper(root, "motd") is None
    with pytest.raises(RefusedError, match="is a link, or no folder"):
        save_marker(root, RECORD)
    with pytest.raises(RefusedError, match="is a link, or no folder"):
        save_beside(root, {"motd": b"ours"})
    forget_boots(root)
    forget_past(root)
    forget_marker(root)
    assert seen(there) == before


def test_a_link_in_the_place_of_a_file_is_replaced_and_not_written_through(tmp_path: Path) -> None:
    there, root = victim(tmp_path), tmp_path / "root"
    root.mkdir()
    save_marker(root, RECORD)
    for name in ("mirror.json", "mirror.env", "mirror.copy.json", "motd"):
        (root / OWN_FOLDER / name).unlink(missing_ok=True)
        (root / OWN_FOLDER / name).symlink_to(there / name)
    before = seen(there)
    save_marker(root, RECORD)
    save_beside(root, {"motd": b"ours"})
    assert seen(there) == before
    assert load_marker(root) == RECORD
    assert not any(path.is_symlink() for path in (root / OWN_FOLDER).iterdir())


def test_what_grows_while_it_is_read_is_cut_off(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"x" * 5)
    assert foreign.read_regular(tmp_path, "f", most=5) == b"x" * 5
    with pytest.raises(OSError, match="more than") as caught:
        foreign.read_regular(tmp_path, "f", most=4)
    assert caught.value.errno == errno.EFBIG
    with pytest.raises(ValueError, match="may lead out"):
        foreign.read_regular(tmp_path, "../f")
