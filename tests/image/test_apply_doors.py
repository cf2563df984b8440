"""Doors that need the real thing: rsync's endings, the hold on a disk, a mirror that goes away."""

import os
import signal
import subprocess
import time
import traceback
from collections.abc import Iterator
from pathlib import Path

import pytest

from rescue.apply.carry import judge
from rescue.apply.step_context import TreeWork
from rescue.apply.workspace import Workspace
from rescue.errors import RefusedError, RescueError
from rescue.model.event import Event
from rescue.model.storage.filesystem import FsKind
from rescue.paths import WORK
from rescue.system.block import blockdev, blockinfo
from rescue.system.block.mkfs import wipe_argv
from rescue.system.files import mount_namespace
from rescue.system.process.chroot import kernel_view, run_in
from rescue.system.process.run import run, stream
from rescue.system.rsync.rsync import SyncJob, sync_argv
from tests.image.loopdisks import DiskPair, in_child, sh

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root: loop devices and mounts"),
]


@pytest.fixture(name="loop")
def loop_(tmp_path: Path) -> Iterator[str]:
    image = tmp_path / "disk.img"
    with image.open("wb") as file:
        file.truncate(64 * 1024 * 1024)
    device = sh("losetup", "--find", "--show", "--partscan", str(image)).strip()
    yield device
    sh("losetup", "--detach", device)


def work_of(pair: DiskPair) -> tuple[TreeWork, list[Event]]:
    plan, events = pair.plan(first=True), list[Event]()
    grant = pair.grant(plan)
    workspace = Workspace.writable(grant, site=pair.site)
    work = TreeWork(
        grant=grant,
        emit=events.append,
        site=pair.site,
        record=pair.record,
        workspace=workspace,
    )
    return work, events


def test_vanished_files_are_a_note(pair: DiskPair, tmp_path: Path) -> None:
    work, events = work_of(pair)
    source, target = tmp_path / "from", tmp_path / "to"
    source.mkdir()
    target.mkdir()
    for index in range(300):
        (source / f"{index:03}").write_bytes(b"x" * 200_000)

    def on_line(text: str) -> None:
        for name in ("297", "298", "299"):
            (source / name).unlink(missing_ok=True)

    job = SyncJob(source=source, target=target, kind=FsKind.EXT4)
    result = stream(sync_argv(job), on_line=on_line)
    assert result.returncode == 24
    judge(result, job, "/home", work)
    assert work.vanished == ["/home/297", "/home/298", "/home/299"]
    assert work.unreadable == []
    assert len(events) == 1


def test_unreadable_files_are_listed_and_nothing_is_deleted_for_them(
    pair: DiskPair, tmp_path: Path
) -> None:
    work, _ = work_of(pair)
    source, target = tmp_path / "from", tmp_path / "to"
    for folder in (source, target):
        folder.mkdir()
        os.chown(folder, 65534, 65534)
    for folder in tmp_path.parents:
        if "pytest-of-" in str(folder):
            folder.chmod(0o755)
    tmp_path.chmod(0o755)
    for name in ("open", "shut"):
        (source / name).write_bytes(b"x")
        os.chown(source / name, 65534, 65534)
    (source / "shut").chmod(0)
    job = SyncJob(source=source, target=target, kind=FsKind.EXT4)
    nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    result = stream([*nobody, *sync_argv(job)], on_line=lambda text: None)
    assert result.returncode == 23
    judge(result, job, "/home", work)
    assert work.unreadable == ["/home/shut"]
    assert (target / "open").exists()


def test_mirror_that_cannot_be_written_is_a_failure(pair: DiskPair, tmp_path: Path) -> None:
    work, _ = work_of(pair)
    target = tmp_path / "to"
    target.mkdir()
    sh("mount", "-t", "tmpfs", "-o", "ro", "none", str(target))
    try:
        job = SyncJob(source=pair.root, target=target, kind=FsKind.EXT4)
        result = stream(sync_argv(job), on_line=lambda text: None)
        with pytest.raises(RescueError, match="rsync for / failed"):
            judge(result, job, "/", work)
    finally:
        sh("umount", str(target))
    assert work.unreadable == []


def test_mirror_that_is_gone_is_never_written_to(pair: DiskPair) -> None:
    def action() -> object:
        work, _ = work_of(pair)
        with work.workspace as workspace:
            mount_namespace.unmount_all(workspace.mirror("/boot"))
            try:
                workspace.check_mounted("/boot")
            except RescueError as error:
                return error.message
        return "not noticed"

    assert "is not mounted" in str(in_child(action))


def test_work_place_has_no_room_for_a_run_that_missed_its_mount(pair: DiskPair) -> None:
    def action() -> object:
        work, _ = work_of(pair)
        with work.workspace:
            free = os.statvfs(WORK)
            return free.f_blocks * free.f_frsize

    size = in_child(action)
    assert isinstance(size, int)
    assert size <= 4 * 1024 * 1024


def test_disk_in_use_cannot_be_held(loop: str, tmp_path: Path) -> None:
    sh("mkfs.ext4", "-q", loop)
    place = tmp_path / "m"
    place.mkdir()
    sh("mount", loop, str(place))
    try:
        with (
            pytest.raises(RefusedError, match="cannot be opened for writing alone"),
            blockdev.exclusive(loop),
        ):
            pass
    finally:
        sh("umount", str(place))


def test_held_disk_can_be_wiped_and_read_again_by_us_alone(loop: str) -> None:
    sh("mkfs.ext4", "-q", loop)
    with blockdev.exclusive(loop) as held:
        assert subprocess.run(["mkfs.xfs", "-f", loop], capture_output=True).returncode != 0
        run(wipe_argv(loop))
        blockdev.erase_ends(held, length=1024 * 1024)
        blockdev.reread(held)
    seen = blockinfo.probe(loop)
    assert seen is not None
    assert (seen.type, seen.table_kind) == ("", "")


def test_backup_header_of_a_gpt_is_erased_too(loop: str) -> None:
    sh("sgdisk", "--new=1:2048:4096", loop)
    with blockdev.exclusive(loop) as held:
        os.pwrite(held, bytes(4096), 0)
        blockdev.erase_ends(held, length=1024 * 1024)
    said = subprocess.run(["sgdisk", "--print", loop], capture_output=True, text=True)
    assert "Creating new GPT entries" in said.stdout


def test_partitions_and_belonging(loop: str) -> None:
    assert blockdev.belongs_to(loop, loop)
    assert not blockdev.belongs_to("/dev/null", loop)
    with pytest.raises(RescueError, match="has no partition 7"):
        blockdev.partition_path(loop, 7)


def test_a_program_of_the_tree_sees_the_kernel_and_leaves_nothing(tmp_path: Path) -> None:
    place = tmp_path / "tree"
    place.mkdir()
    look = "test -c /dev/null && test -e /proc/self/status && test -d /sys/class/block"
    touch = 'test -z "$(ls -A /run)" && touch /run/rescue-test /tmp/rescue-test'

    def action() -> object:
        mount_namespace.enter_private()
        mount_namespace.mount(mount_namespace.bind_argv(Path("/"), place))
        with kernel_view(place):
            run_in(place, ["sh", "-c", f"{look} && {touch}"], timeout=30)
        left = [name for name in ("run", "tmp") if (place / name / "rescue-test").exists()]
        return [left, any((place / "proc").iterdir())]

    assert in_child(action) == [[], False]


def test_all_that_a_program_of_the_tree_has_started_ends_when_we_are_killed(
    tmp_path: Path,
) -> None:
    """A script in its turn starts what writes: `mkinitramfs` compresses so."""
    place, beats = tmp_path / "tree", tmp_path / "beats"
    place.mkdir()
    beating = "until test -e /mnt/over; do echo x >> /mnt/beats; sleep 0.05; done"
    child = os.fork()
    if child == 0:
        try:
            mount_namespace.enter_private()
            mount_namespace.mount(mount_namespace.bind_argv(Path("/"), place))
            mount_namespace.mount(["mount", "--bind", str(tmp_path), str(place / "mnt")])
            with kernel_view(place):
                run_in(place, ["sh", "-c", f"({beating}) & wait"], timeout=300)
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(1)
    while not beats.exists():
        assert os.waitpid(child, os.WNOHANG) == (0, 0)
        time.sleep(0.05)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    try:
        deadline = time.monotonic() + 20
        while grows(beats):
            assert time.monotonic() < deadline
    finally:
        (tmp_path / "over").touch()


def grows(path: Path) -> bool:
    before = path.stat().st_size
    time.sleep(1)
    return path.stat().st_size > before
