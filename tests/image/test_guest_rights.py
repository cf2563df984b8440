"""A guest that breaks out of its machine is nobody, sees no disk, and is gone when we are."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from rescue.model.boot.firmware import Firmware
from rescue.model.virtual import ImageFormat, VirtualDisk, VirtualMachine
from rescue.system.block.overlay import overlay_of
from rescue.system.vm import qemu
from rescue.system.vm.accelerator import QEMU
from rescue.system.vm.qemu import powered_on
from tests.image.test_accelerator import BEGINS_OR_DIES
from tests.unit.system.test_attend import alive
from tests.unit.system.test_run_bounds import soon

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root: it becomes another user"),
    pytest.mark.skipif(shutil.which(QEMU) is None, reason="QEMU is not installed"),
]

STARTS = """
import sys, time
from pathlib import Path
from tests.image.test_guest_rights import machine
from rescue.system.block.overlay import overlay_of
from rescue.system.vm.qemu import powered_on

folder = Path(sys.argv[1])
with overlay_of(str(folder / "disk"), place=folder) as disk:
    (folder / "guest").mkdir()
    with powered_on(machine(disk.path), folder / "guest"):
        (folder / "on").touch()
        time.sleep(600)
"""


def machine(path: str) -> VirtualMachine:
    return VirtualMachine(
        firmware=Firmware.BIOS,
        memory_mib=64,
        cpus=1,
        disks=(VirtualDisk(path=path, format=ImageFormat.QCOW2, serial="MIRROR01"),),
        emulated=True,
    )


@pytest.fixture(name="folder")
def folder_(tmp_path: Path) -> Path:
    """A folder that is root's alone, with a disk that nobody else can read."""
    tmp_path.chmod(0o700)
    disk = tmp_path / "disk"
    # It waits for ever where it does not begin.
    disk.write_bytes(BEGINS_OR_DIES.ljust(510, b"\0") + b"\x55\xaa" + bytes(1 << 20))
    disk.chmod(0o600)
    return tmp_path


def processes(name: str, folder: Path) -> list[int]:
    """Return the processes of that name that were started for a folder."""
    found = []
    for each in Path("/proc").glob("[0-9]*"):
        try:
            words = (each / "cmdline").read_bytes().split(b"\0")
        except (FileNotFoundError, ProcessLookupError):
            continue
        if words[0].decode() == name and str(folder) in b" ".join(words).decode():
            found.append(int(each.name))
    return found


def rights(pid: int) -> dict[str, str]:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {name: rest.strip() for name, _, rest in (line.partition(":") for line in lines)}


def test_it_runs_as_nobody_without_rights_and_does_what_it_did(folder: Path) -> None:
    with overlay_of(str(folder / "disk"), place=folder) as disk:
        (folder / "guest").mkdir(mode=0o700)
        with powered_on(machine(disk.path), folder / "guest") as guest:
            (pid,) = processes(QEMU, folder)
            assert soon(lambda: rights(pid)["CapEff"] == "0000000000000000")
            (uid,) = set(rights(pid)["Uid"].split())
            assert int(uid) in qemu._DYNAMIC_USERS
            assert rights(pid)["NoNewPrivs"] == "1"
            assert rights(pid)["Groups"] == uid
            # It reads its disk, writes its logs and makes pictures as ever.
            assert soon(lambda: "@ begin night" in guest.report)
            guest.screendump(folder / "guest/screen.png")
            assert (folder / "guest/screen.png").read_bytes().startswith(b"\x89PNG")
            started = time.monotonic()
            guest.close_disks(seconds=60)
            assert time.monotonic() - started < 60
            assert not guest.child.is_running
        assert processes(QEMU, folder) == []


def test_its_plug_is_pulled_at_the_end_of_the_block(folder: Path) -> None:
    with overlay_of(str(folder / "disk"), place=folder) as disk:
        (folder / "guest").mkdir()
        with powered_on(machine(disk.path), folder / "guest"):
            (pid,) = processes(QEMU, folder)
        assert not alive(pid)


def test_it_is_gone_when_we_are_killed(folder: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", STARTS, str(folder)]) as ours:
        assert soon(lambda: (folder / "on").exists())
        (pid,) = processes(QEMU, folder)
        assert soon(lambda: rights(pid)["CapEff"] == "0000000000000000")
        ours.send_signal(signal.SIGKILL)
    assert soon(lambda: not alive(pid))


def test_a_flood_on_its_console_is_looked_at_in_part(folder: Path) -> None:
    log = folder / "console.log"
    with log.open("wb") as file:
        file.write(b"begin")
        file.truncate(3 * qemu._MOST_SAID)
        file.seek(0, os.SEEK_END)
        file.write(b"end")
    text = qemu._text(log)
    assert text.startswith("begin")
    assert text.endswith("end")
    assert f"... {2 * qemu._MOST_SAID + 3} bytes left out" in text
    assert len(text) < qemu._MOST_SAID + 100
    log.write_bytes(b"x" * (qemu._MOST_SAID // 2 + 7))
    assert qemu._text(log) == "x" * (qemu._MOST_SAID // 2 + 7)
