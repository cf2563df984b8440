"""What cannot be read is not gone: folders that are locked, broken or hidden stay on the mirror."""

import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from rescue.model.event import Event, Progress, StepStarted
from rescue.model.mirror.plan import Plan
from rescue.system.rsync import stand_ins
from tests.image.fscrypt import Lock
from tests.image.loopdisks import DiskPair, disk_pair, in_child, sh, tree_of, unmount
from tests.image.measured import estimate
from tests.image.nights import Told, night

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root: loop devices and mounts"),
]

ANNA = "home/anna"


@contextmanager
def taken_down(pair: DiskPair) -> Iterator[str]:
    """Give the device of the source's root while nothing is mounted."""
    mounts = Path("/proc/mounts").read_text()
    device, boot = (re.search(rf"(\S+) {at} ", mounts) for at in (pair.root, pair.root / "boot"))
    assert device
    assert boot
    unmount(pair.root / "boot", boot[1])
    unmount(pair.root, device[1])
    try:
        yield device[1]
    finally:
        sh("mount", device[1], str(pair.root))
        sh("mount", boot[1], f"{pair.root}/boot")


@pytest.fixture(name="pair")
def pair_(tmp_path: Path) -> Iterator[DiskPair]:
    with disk_pair(tmp_path) as pair:
        with taken_down(pair) as device:
            sh("tune2fs", "-O", "encrypt", device)
        yield pair


@pytest.fixture(name="home")
def home_(pair: DiskPair) -> Lock:
    """Anna's home, encrypted and open; it was mirrored by day."""
    lock = Lock(root=pair.root, secret=bytes(range(64)))
    anna = pair.root / ANNA
    anna.mkdir()
    lock.encrypt(anna)
    (anna / "letters").mkdir()
    (anna / "letters/to bert").write_text("dear bert")
    (anna / "thesis").write_text("for this run only")
    (anna / "link").symlink_to("thesis")
    assert run(pair, pair.plan(first=True)).unreadable == []
    assert on_mirror(pair) == WHOLE
    return lock


WHOLE = ["letters", "letters/to bert", "link", "thesis"]


def on_mirror(pair: DiskPair, folder: str = ANNA) -> list[str]:
    with pair.mirror_seen() as mirror:
        top = mirror / folder
        return sorted(str(path.relative_to(top)) for path in top.rglob("*"))


def run(pair: DiskPair, plan: Plan, *, meanwhile: Callable[[], None] | None = None) -> Told:
    """Do a run to its end; `meanwhile` happens once, while rsync is at work."""
    events: list[Event] = []

    def emit(event: Event) -> None:
        if meanwhile and isinstance(event, Progress) and not events:
            meanwhile()
        if not isinstance(event, StepStarted):
            events.append(event)

    return night(pair, plan, emit=emit)


def test_a_home_that_is_locked_at_night_stays_on_the_mirror(pair: DiskPair, home: Lock) -> None:
    (pair.root / "home/ann/mail-again").unlink()
    home.lock()
    assert "thesis" not in os.listdir(pair.root / ANNA)
    said = run(pair, pair.plan())
    assert on_mirror(pair) == WHOLE
    assert said.unreadable == ["/home/anna"]
    assert any("/home/anna" in note and "locked" in note for note in said.notes)
    with pair.mirror_seen() as mirror:
        assert (mirror / ANNA / "thesis").read_text() == "for this run only"
        # All others go on as ever: what was deleted there is deleted here.
        assert not (mirror / "home/ann/mail-again").exists()


def test_a_home_that_is_locked_after_the_look_loses_nothing(pair: DiskPair, home: Lock) -> None:
    """What had changed there when it was looked at has no name any more when it is copied."""
    (pair.root / ANNA / "letters/to bert").write_text("dear bert, once more")
    (pair.root / ANNA / "letters/new").write_text("new")
    (pair.root / ANNA / "thesis").unlink()
    (pair.root / "home/ann/mail-again").unlink()
    said = night(pair, pair.plan(), between=home.lock)
    assert on_mirror(pair) == WHOLE
    assert said.unreadable == ["/home/anna"]
    with pair.mirror_seen() as mirror:
        assert not (mirror / "home/ann/mail-again").exists()


def test_a_home_that_is_open_again_is_mirrored_again(pair: DiskPair, home: Lock) -> None:
    home.lock()
    run(pair, pair.plan())
    home.unlock()
    (pair.root / ANNA / "letters/to bert").unlink()
    (pair.root / ANNA / "new").write_text("new")
    assert run(pair, pair.plan()).unreadable == []
    assert on_mirror(pair) == ["letters", "link", "new", "thesis"]


def test_a_home_that_is_locked_when_the_mirror_is_made_is_named_and_not_copied_as_noise(
    pair: DiskPair, home: Lock
) -> None:
    with pair.mirror_seen() as mirror:
        sh("rm", "-r", str(mirror / ANNA))
    home.lock()
    said = run(pair, pair.plan(first=True))
    assert said.unreadable == ["/home/anna"]
    assert on_mirror(pair) == []


def test_a_locked_home_is_no_matter_for_the_brake(pair: DiskPair, home: Lock) -> None:
    home.lock()

    def action() -> object:
        seen = estimate(pair.plan(), site=pair.site)
        return [seen.changes, seen.deletions]

    assert in_child(action) == [0, 0]


def test_a_home_that_is_locked_while_it_is_copied_loses_nothing(pair: DiskPair, home: Lock) -> None:
    """Nothing is deleted below an encrypted folder before it was seen open at the very end."""
    (pair.root / ANNA / "letters/to bert").unlink()
    (pair.root / "home/ann/mail-again").unlink()
    said = run(pair, pair.plan(), meanwhile=home.lock)
    assert on_mirror(pair) == WHOLE
    assert said.unreadable == ["/home/anna"]
    assert "mail-again" not in on_mirror(pair, "home/ann")
    home.unlock()
    run(pair, pair.plan())
    assert on_mirror(pair) == ["letters", "link", "thesis"]


def test_a_folder_that_the_disk_does_not_show_any_more_stays(pair: DiskPair) -> None:
    (pair.root / "home/ann/folder").mkdir()
    (pair.root / "home/ann/folder/letter").write_bytes(b"letter")
    run(pair, pair.plan(first=True))
    with taken_down(pair) as device:
        told = sh("debugfs", "-R", "blocks /home/ann/folder", device).split()
        size = re.search(r"Block size: +(\d+)", sh("dumpe2fs", "-h", device))
        assert size
        with open(device, "r+b") as disk:
            disk.seek(int(told[0]) * int(size[1]))
            disk.write(b"\xff" * int(size[1]))
    with pytest.raises(OSError, match=r"Errno"):
        os.listdir(pair.root / "home/ann/folder")
    (pair.root / "home/ann/mail-again").unlink()
    said = run(pair, pair.plan())
    assert on_mirror(pair, "home/ann/folder") == ["letter"]
    assert "/home/ann/folder" in said.unreadable
    assert said.failing_source
    with pair.mirror_seen() as mirror:
        assert (mirror / "home/ann/mail-again").exists()


def test_folders_nested_deeper_than_a_path_can_say_spoil_nothing_else(pair: DiskPair) -> None:
    deep = pair.root / "home/ann/deep"
    deep.mkdir()
    at = os.open(deep, os.O_RDONLY)
    for _ in range(25):
        os.mkdir("n" * 200, dir_fd=at)
        inner = os.open("n" * 200, os.O_RDONLY, dir_fd=at)
        os.close(at)
        at = inner
    os.close(at)
    said = run(pair, pair.plan(first=True))
    (pair.root / "home/ann/mail-again").unlink()
    said = run(pair, pair.plan())
    assert said.unreadable
    assert all(path.startswith("/home/ann/deep/") for path in said.unreadable)
    with pair.mirror_seen() as mirror:
        assert not (mirror / "home/ann/mail-again").exists()
    sh("rm", "-r", str(deep))


def test_names_of_unreadable_folders_may_hold_anything(pair: DiskPair, home: Lock) -> None:
    odd = pair.root / "home/*[odd]? \\ name\n2"
    odd.mkdir()
    home.encrypt(odd)
    (odd / "kept").write_bytes(b"kept")
    beside = pair.root / "home/xodd"
    beside.mkdir()
    (beside / "gone").write_bytes(b"gone")
    run(pair, pair.plan())
    (beside / "gone").unlink()
    home.lock()
    said = run(pair, pair.plan())
    assert set(said.unreadable) == {"/home/anna", f"/home/{odd.name}"}
    assert on_mirror(pair, f"home/{odd.name}") == ["kept"]
    assert on_mirror(pair, "home/xodd") == []
    home.unlock()
    run(pair, pair.plan())
    with pair.mirror_seen() as mirror:
        assert tree_of(mirror / "home") == tree_of(pair.root / "home")


def test_more_encrypted_folders_than_a_command_line_holds_end_nobodys_run(pair: DiskPair) -> None:
    eve = pair.root / "home/eve"
    eve.mkdir()
    lock = Lock(root=pair.root, secret=bytes(range(64)))
    for number in range(4500):
        folder = eve / f"{number:04}{'*' * 240}"
        folder.mkdir()
        lock.encrypt(folder)
    (folder / "gone").write_bytes(b"gone")
    run(pair, pair.plan(first=True))
    (folder / "gone").unlink()
    (folder / "new").write_bytes(b"new")
    (pair.root / "home/ann/mail-again").unlink()
    assert run(pair, pair.plan()).unreadable == []
    assert on_mirror(pair, f"home/eve/{folder.name}") == ["new"]
    assert "mail-again" not in on_mirror(pair, "home/ann")
    lock.lock()
    said = run(pair, pair.plan())
    assert said.unreadable == ["/home/eve"]
    assert on_mirror(pair, f"home/eve/{folder.name}") == ["new"]


def test_beside_many_encrypted_folders_nothing_is_deleted_and_that_is_said(
    pair: DiskPair, home: Lock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As many as each name of the mirror can be compared with."""
    monkeypatch.setattr(stand_ins, "_MOST_ENCRYPTED", 2)
    eve = pair.root / "home/eve"
    eve.mkdir()
    for number in range(3):
        (eve / str(number)).mkdir()
        home.encrypt(eve / str(number))
        (eve / str(number) / "gone").write_bytes(b"gone")
    (eve / "plain").write_bytes(b"plain")
    run(pair, pair.plan())
    for name in ("plain", "0/gone"):
        (eve / name).unlink()
    (pair.root / "home/ann/mail-again").unlink()
    (pair.root / ANNA / "thesis").unlink()
    said = run(pair, pair.plan())
    assert any("nothing is deleted in /home/eve" in note for note in said.notes)
    assert on_mirror(pair, "home/eve") == ["0", "1", "1/gone", "2", "2/gone", "plain"]
    assert "thesis" not in on_mirror(pair)
    assert "mail-again" not in on_mirror(pair, "home/ann")
