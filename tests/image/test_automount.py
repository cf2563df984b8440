"""What is mounted on demand is mounted by opening it, and one that never answers ends in time."""

import os
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from rescue.discover.automounts import open_automounts
from rescue.discover.names import Names
from rescue.system.block import blockinfo
from rescue.system.files import automount, mount_namespace
from tests.image.autofs import mounted_on_demand
from tests.image.test_discover_machine import loop

pytestmark = pytest.mark.root


def in_a_child(work: Callable[[], None]) -> None:
    """Do it in a process of its own, whose mount namespace ends with it."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            work()
            code = 0
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


@contextmanager
def shared(folder: Path) -> Iterator[Path]:
    """Let what is mounted below a folder be seen in other namespaces, as systemd has it for '/'."""
    subprocess.run(["mount", "--bind", str(folder), str(folder)], check=True)
    subprocess.run(["mount", "--make-shared", str(folder)], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def test_opening_it_mounts_it(tmp_path: Path) -> None:
    target = tmp_path / "efi"
    with loop(tmp_path / "image", mib=32) as device:
        subprocess.run(["mkfs.ext4", "-q", device], check=True)
        with mounted_on_demand(target, device):
            assert automount.waiting(blockinfo.mounts()) == (str(target),)
            assert automount.open_path(target)
            assert automount.waiting(blockinfo.mounts()) == ()
            assert mount_namespace.mounted_at(target).fstype == "ext4"


def test_it_is_also_mounted_in_a_run_s_own_namespace(tmp_path: Path) -> None:
    (tmp_path / "shared").mkdir()
    target = tmp_path / "shared/efi"

    def look() -> None:
        mount_namespace.enter_private()
        assert automount.open_path(target, seconds=20.0)
        assert mount_namespace.mounted_at(target).fstype == "ext4"

    with loop(tmp_path / "image", mib=32) as device, shared(target.parent):
        subprocess.run(["mkfs.ext4", "-q", device], check=True)
        with mounted_on_demand(target, device, seconds=0.5):
            in_a_child(look)


def test_what_a_run_mounts_is_seen_by_nobody_else(tmp_path: Path) -> None:
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared/own").mkdir()

    def mount() -> None:
        mount_namespace.enter_private()
        mount_namespace.mount(
            mount_namespace.tmpfs_argv(tmp_path / "shared/own", size="1m", mode="0700")
        )

    with shared(tmp_path / "shared"):
        in_a_child(mount)
        assert str(tmp_path / "shared/own") not in Path("/proc/mounts").read_text()


def test_what_is_mounted_on_the_source_meanwhile_covers_nothing_of_it(tmp_path: Path) -> None:
    place, source = tmp_path / "place", tmp_path / "shared"
    place.mkdir()
    (source / "srv").mkdir(parents=True)
    (source / "srv/file").write_text("of the source")
    ready, covered = os.pipe(), os.pipe()

    def look() -> None:
        mount_namespace.enter_private()
        mount_namespace.bind_safely(source, place)
        os.write(ready[1], b"x")
        os.read(covered[0], 1)
        assert not (source / "srv/file").exists()
        assert (place / "srv/file").read_text() == "of the source"

    def cover() -> None:
        os.read(ready[0], 1)
        mount_namespace.mount(mount_namespace.tmpfs_argv(source / "srv", size="1m", mode="0700"))
        os.write(covered[1], b"x")

    with shared(source):
        thread = threading.Thread(target=cover)
        thread.start()
        in_a_child(look)
        thread.join()


def test_one_that_never_answers_ends_in_time(tmp_path: Path) -> None:
    with mounted_on_demand(tmp_path / "efi"):
        before = time.monotonic()
        assert not automount.open_path(tmp_path / "efi", seconds=1.0)
        assert time.monotonic() - before < 10


def test_what_is_of_no_concern_is_not_opened(tmp_path: Path) -> None:
    with mounted_on_demand(tmp_path / "nas"):
        opened = open_automounts((), Names(numbers={}))
    assert opened.unanswered == ()
    assert not [mount for mount in opened.mounts if mount.fstype == "autofs"]
