"""Homes come back while users link, swap and mount in theirs: it is nobody else's business."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from rescue.model.storage.mount import Mount
from tests.image.deaddisk import Night, Post, night_of
from tests.image.fuse import fuse_mount
from tests.image.loopdisks import sh
from tests.image.rsyncs import VERSIONS, rsync_of
from tests.image.test_restore import DAY, of, write
from tests.image.users import EVE, as_user, exchange, home_of

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root: loop devices and mounts"),
]


@pytest.fixture(name="post")
def post_() -> Post:
    return Post()


@pytest.fixture(name="rsync", params=VERSIONS)
def rsync_(request: pytest.FixtureRequest) -> Iterator[str]:
    with rsync_of(request.param):
        yield request.param


@pytest.fixture(name="night")
def night_(tmp_path: Path, post: Post) -> Iterator[Night]:
    """Anna's mail, and eve's folder, of which much came after the last run."""
    with night_of(tmp_path) as night:
        with night.alive() as alive:
            post.deliver(alive / "home", "anna", range(20), age=DAY)
            eve = home_of(alive / "home")
            (eve / "folder").mkdir()
            write(eve / "folder/first", "of eve's", age=DAY)
            sh("cp", "-a", f"{alive}/home/.", str(night.home))
        night.night_is_over()
        with night.alive() as alive:
            post.deliver(alive / "home", "anna", range(20, 60), age=3600)
            for number in range(400):
                write(alive / f"home/eve/folder/f{number:03}", "eve was here", age=3600)
        yield night


@contextmanager
def swapping(night: Night, target: str) -> Iterator[None]:
    """Let eve swap her folder for a link and back, as fast as she can."""
    eve = night.home / "eve"
    as_user(eve, lambda: os.symlink(target, "link"))
    done = os.pipe()
    os.set_blocking(done[0], False)

    def swap() -> None:
        while not _told(done[0]):
            exchange("folder", "link")
            exchange("folder", "link")

    worker = threading.Thread(target=lambda: as_user(eve, swap))
    worker.start()
    try:
        yield
    finally:
        os.write(done[1], b"x")
        worker.join()


def _told(pipe: int) -> bool:
    try:
        return bool(os.read(pipe, 1))
    except BlockingIOError:
        return False


@pytest.mark.parametrize("inside", [False, True], ids=["elsewhere", "another home"])
def test_a_folder_that_becomes_a_link_while_files_come_back_leads_nowhere(
    night: Night, post: Post, rsync: str, inside: bool
) -> None:
    victim = night.home / "anna/.ssh" if inside else night.folder / "victim"
    victim.mkdir()
    victim.chmod(0o777)
    with swapping(night, "../anna/.ssh" if inside else str(victim)):
        report = night.restored()
    assert list(victim.iterdir()) == []
    assert post.missing(night.home) == []
    eve = of(report, "eve")
    assert len(eve.new) + len(eve.unreadable) + len(eve.other_kind) > 0
    again = night.restored()
    assert again.complete
    names = {path.name for path in (night.home / "eve/folder").iterdir()}
    assert names == {"first", *(f"f{number:03}" for number in range(400))}


def test_a_fuse_mount_of_a_user_is_passed_over_and_the_others_come_back(
    night: Night, post: Post
) -> None:
    place = night.home / "eve/folder"
    mount = Mount(device="eve@elsewhere:", target="/home/eve/folder", fstype="fuse.sshfs")
    night.machine = replace(night.machine, mounts=(*night.machine.mounts, mount))
    with fuse_mount(place, uid=EVE):
        with pytest.raises(PermissionError):
            place.stat()
        report = night.restored()
    assert post.missing(night.home) == []
    assert any("/home/eve/folder" in note and "skipped" in note for note in report.notes)
    assert [path.name for path in place.iterdir()] == ["first"]
    night.machine = replace(night.machine, mounts=night.machine.mounts[:-1])
    night.restored()
    assert len(list(place.iterdir())) == 401


def test_a_fuse_mount_that_came_after_the_plan_is_in_nobodys_way(night: Night, post: Post) -> None:
    with fuse_mount(night.home / "eve/folder", uid=EVE):
        assert night.restored().complete
    assert post.missing(night.home) == []


def test_a_file_of_terabytes_of_holes_takes_no_room_and_keeps_nobody_waiting(
    night: Night, post: Post
) -> None:
    with night.alive() as alive, (alive / "home/anna/disk").open("wb") as file:
        # More than the file system holds; in a real one, of hours of zeros.
        file.truncate(2 << 30)
        file.seek(1 << 30)
        file.write(b"island")
    plan = night.planned()
    assert plan.room[0].needed < 64 << 20
    assert night.restored().complete
    assert post.missing(night.home) == []
    back = (night.home / "anna/disk").stat()
    assert (back.st_size, back.st_blocks < 4096) == (2 << 30, True)
