"""The whole night is rehearsed on the host, over a mirror that a server in the lab has made."""

import os
import time
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest

from rescue.commands.drill import rehearse
from rescue.medium.build import Contents, build_image
from rescue.model.mirror.record import RECORD_VERSION, MirrorRecord
from rescue.model.rehearsal import DrillPlan
from rescue.model.storage.machine import MACHINE_VERSION, Machine
from rescue.model.virtual import DiskBus, ImageFormat
from rescue.rehearsal.plan import DrillRequest, plan_drill
from rescue.rehearsal.play import Setup
from rescue.rehearsal.store import file_result, filed
from rescue.store.codec import from_json, to_json
from rescue.system.files.atomic import free_on
from rescue.system.process.memory import available_mib
from rescue.system.vm.accelerator import Accelerator
from rescue.units import GIB
from tests.guest.test_night import deliver
from tests.image.loopdisks import in_child
from tests.lab.accel import asked
from tests.lab.disk import Disk
from tests.lab.hardware import BIOS
from tests.lab.lab import Lab
from tests.lab.stock import MIRROR

pytestmark = [
    pytest.mark.long,
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root"),
]


def test_the_night_is_rehearsed_and_the_mirror_is_what_it_was(lab: Lab, tmp_path: Path) -> None:
    plan, mirror, contents = a_mirror_of_last_night(lab, work=tmp_path / "work")
    before = mirror.digest()
    build_image(tmp_path / "stick.img", contents)
    setup = Setup(
        stick=tmp_path / "stick.img",
        bus=DiskBus.VIRTIO,
        accelerator=Accelerator(asked()),
        format=ImageFormat.QCOW2,
    )

    def play() -> str:
        result, files = rehearse(plan, setup, tell=lambda news: print(news.plain, flush=True))
        return str(file_result(result, files, tmp_path / "drills"))

    folder = Path(cast(str, in_child(play)))
    (result,) = filed(tmp_path / "drills")
    print(to_json(result))
    assert result.passed, result.failed
    assert mirror.digest() == before, "the mirror was written to"
    times = result.times
    assert 0 < times.service < times.homes
    assert times.failback > times.again > 0
    assert times.new_disk > 0
    assert "Boot the mirror of server" in (folder / "night.console.log").read_text(errors="replace")
    assert (folder / "home.report.log").exists()
    assert nothing_is_left(tmp_path / "work")


def a_mirror_of_last_night(lab: Lab, *, work: Path) -> tuple[DrillPlan, Disk, Contents]:
    """Return the plan as the server itself would make it, its mirror, unplugged, and its medium's
    contents."""
    work.mkdir()
    with lab.prepared_server(firmware=BIOS) as server:
        deliver(server, range(100))
        server.run("rescue mirror")
        machine = from_json(
            server.run("rescue disks --json").stdout,
            Machine,
            known_version=MACHINE_VERSION,
            where="the server",
        )
        record = from_json(
            server.run(f"cat /var/lib/rescue/mirrors/{MIRROR}.json").stdout,
            MirrorRecord,
            known_version=RECORD_VERSION,
            where="the server",
        )
        mirror = server.detach(MIRROR)
    plan = plan_drill(
        machine,
        record,
        record,
        DrillRequest(work_dir=str(work), limit=1500, token="of this test"),
        used=2 * GIB,
        free=free_on(work)[0],
        free_mib=available_mib(),
        now=time.time(),
    )
    assert isinstance(plan, DrillPlan), plan
    contents = Contents.of(machine, (record,), files={})
    assert contents.tokens
    return replace(plan, mirror_path=str(mirror.path)), mirror, contents


def nothing_is_left(work: Path) -> bool:
    """Whether no file, mount or loop device of the rehearsal is there any more."""
    loops = Path("/sys/block").glob("loop*/loop/backing_file")
    held = [path.read_text() for path in loops]
    mounts = Path("/proc/mounts").read_text()
    return not list(work.iterdir()) and "rescue/drill" not in mounts + "".join(held)
