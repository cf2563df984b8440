"""A throw-away overlay with the real tools: written to, the disk beneath stays what it is."""

import contextlib
import hashlib
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from rescue.system.block.overlay import overlay_of

needed = ("qemu-img", "qemu-storage-daemon", "setpriv", "mke2fs")
pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root"),
    pytest.mark.skipif(not Path("/dev/fuse").exists(), reason="needs the kernel's fuse"),
    pytest.mark.skipif(not all(map(shutil.which, needed)), reason="needs QEMU's tools"),
]

MIB = 1024 * 1024

# Taking a process into a private mount namespace has no way back: a process of its own does it.
WRITE = """
import sys, time
from pathlib import Path
from rescue.system.files import mount_namespace as mountns
from rescue.system.block.loop import Span
from rescue.system.block.overlay import exported, overlay_of, partition_argv
from rescue.system.process.run import run

disk, folder, place, wait = sys.argv[1:]
with mountns.vanishing_folder(Path(folder), size="8m") as room:
    with overlay_of(disk, place=Path(place)) as overlay:
        for turn in ("write", "read"):
            with exported(overlay, room) as image:
                (room / "m").mkdir(exist_ok=True)
                span = Span(start=1048576, length=16777216)
                mountns.mount(partition_argv(image, span, "ext4", room / "m"))
                if turn == "write":
                    (room / "m/said").write_text("in the overlay")
                else:
                    print((room / "m/said").read_text(), flush=True)
                    time.sleep(float(wait))
                run(["umount", str(room / "m")])
"""


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    path = tmp_path / "disk.raw"
    with path.open("wb") as file:
        file.truncate(18 * MIB)
    subprocess.run(
        ["mke2fs", "-q", "-t", "ext4", "-E", f"offset={MIB}", path, "16m"],
        check=True,
        capture_output=True,
    )
    return path


def _hash(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _start(disk: Path, tmp_path: Path, *, wait: float) -> "subprocess.Popen[str]":
    (tmp_path / "place").mkdir()
    argv = [sys.executable, "-c", WRITE, str(disk), str(tmp_path / "room"), str(tmp_path / "place")]
    return subprocess.Popen([*argv, str(wait)], stdout=subprocess.PIPE, text=True)


def _loops(tmp_path: Path) -> str:
    shown = subprocess.run(["losetup", "--list", "--noheadings"], capture_output=True, text=True)
    return "\n".join(line for line in shown.stdout.splitlines() if str(tmp_path) in line)


def _processes(word: str) -> list[Path]:
    """Return the folders in /proc of the storage daemons that were given this word."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            command = (folder / "cmdline").read_text()
            if command.startswith("qemu-storage-daemon") and word in command:
                found.append(folder)
    return found


def test_what_is_written_is_there_again_and_the_disk_is_what_it_was(
    disk: Path, tmp_path: Path
) -> None:
    before = _hash(disk)
    with _start(disk, tmp_path, wait=0) as child:
        said, _ = child.communicate(timeout=120)
    assert said.strip() == "in the overlay"
    assert child.returncode == 0
    assert _hash(disk) == before
    assert list((tmp_path / "place").iterdir()) == []
    assert list((tmp_path / "room").iterdir()) == []


def test_killed_it_leaves_no_file_no_mount_no_process_and_no_loop_device(
    disk: Path, tmp_path: Path
) -> None:
    with _start(disk, tmp_path, wait=600) as child:
        assert child.stdout is not None
        assert child.stdout.readline().strip() == "in the overlay"
        assert _loops(tmp_path)
        (daemon,) = _processes(str(tmp_path / "room"))
        child.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + 60
    # It would stay as a zombie, were it to wait for the file system that it serves itself.
    while daemon.exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not daemon.exists()
    assert _loops(tmp_path) == ""
    assert list((tmp_path / "place").iterdir()) == []
    assert list((tmp_path / "room").iterdir()) == []
    assert str(tmp_path) not in Path("/proc/mounts").read_text()
    assert _processes(str(tmp_path / "room")) == []


def test_the_overlay_has_no_name(disk: Path, tmp_path: Path) -> None:
    place = tmp_path / "place"
    place.mkdir()
    with overlay_of(str(disk), place=place) as overlay:
        assert list(place.iterdir()) == []
        shown = subprocess.run(
            ["qemu-img", "info", overlay.path], capture_output=True, text=True, check=True
        ).stdout
        assert f"backing file: {disk}" in shown
