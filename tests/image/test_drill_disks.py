"""The throw-away disks of a rehearsal, made with the real tools; an image plays the mirror.

Strangers judge what came out: blkid, sfdisk, e2fsck, xfs_repair and btrfs.
"""

import hashlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from rescue.errors import RescueError
from rescue.model.rehearsal import DrillPlan, FirstDisk, Homes, PartIds, RootPlace
from rescue.rehearsal.disks import make_first, make_mirror, turn_back
from rescue.rehearsal.script import script_settings
from rescue.store.codec import to_json
from rescue.system.block.loop import Span
from rescue.system.block.overlay import exported, overlay_of, partition_argv
from rescue.system.files.mount_namespace import mount, unmount_all, vanishing_folder
from rescue.system.process.run import run
from rescue.units import Bytes
from tests.image.loopdisks import in_child, sh
from tests.unit.rehearsal.test_rehearsal_plan import planned, ready

needed = ("qemu-img", "qemu-storage-daemon", "xfs_admin", "btrfstune", "fatlabel", "swaplabel")
pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root"),
    pytest.mark.skipif(not Path("/dev/fuse").exists(), reason="needs the kernel's fuse"),
    pytest.mark.skipif(not all(map(shutil.which, needed)), reason="needs QEMU's tools"),
]

MIB = 1024 * 1024
SIZES = {1: 64, 2: 320, 3: 16, 4: 40}
TYPES = {1: "L", 2: "L", 3: "S", 4: "U"}
MIRROR = {number: f"c0c0c0c0-0000-4000-8000-00000000000{number}" for number in SIZES}
SOURCE = {number: f"5a5a5a5a-0000-4000-8000-00000000000{number}" for number in SIZES}
SOURCE[4] = "5A5A-0004"
PARTUUIDS = {number: f"5a5a5a5a-1111-4000-8000-00000000000{number}" for number in SIZES}
TABLE = "5a5a5a5a-2222-4000-8000-000000000000"
CHECKS = {
    "ext4": ["e2fsck", "-f", "-n"],
    "xfs": ["xfs_repair", "-n", "-f"],
    "btrfs": ["btrfs", "check", "--force"],
}


def start_of(number: int) -> int:
    return (1 + sum(size for other, size in SIZES.items() if other < number)) * MIB


@pytest.fixture(params=["ext4", "xfs", "btrfs"])
def kind(request: pytest.FixtureRequest) -> str:
    return cast(str, request.param)


@pytest.fixture
def disk(tmp_path: Path, kind: str) -> Path:
    """A mirror in a file: root, homes of the kind, swap and an ESP; a marker on its root."""
    root = tmp_path / "root"
    (root / "etc/systemd/system").mkdir(parents=True)
    (root / ".rescue").mkdir()
    (root / ".rescue/mirror.json").write_text("{}")
    make = {
        1: ["mke2fs", "-q", "-t", "ext4", "-U", MIRROR[1], "-d", str(root)],
        2: {
            "ext4": ["mke2fs", "-q", "-t", "ext4", "-U", MIRROR[2]],
            "xfs": ["mkfs.xfs", "-q", "-m", f"uuid={MIRROR[2]}"],
            "btrfs": ["mkfs.btrfs", "-q", "--uuid", MIRROR[2]],
        }[kind],
        3: ["mkswap", "-q", "--uuid", MIRROR[3]],
        4: ["mkfs.vfat", "-i", "C0C00004"],
    }
    image = tmp_path / "mirror.raw"
    image.touch()
    os.truncate(image, start_of(5) + MIB)
    lines = [
        f"{number} : start={start_of(number) // MIB}MiB, size={size}MiB, type={TYPES[number]}"
        for number, size in SIZES.items()
    ]
    subprocess.run(
        ["sfdisk", "--quiet", image], input="\n".join(["label: gpt", *lines]), text=True, check=True
    )
    for number, argv in make.items():
        part = tmp_path / f"part{number}"
        part.touch()
        os.truncate(part, SIZES[number] * MIB)
        sh(*argv, str(part))
        sh("dd", f"if={part}", f"of={image}", "bs=1M", f"seek={start_of(number) // MIB}",
           "conv=notrunc,sparse", "status=none")  # fmt: skip
    return image


def plan_for(disk: Path, kind: str) -> DrillPlan:
    kinds = {1: "ext4", 2: kind, 3: "swap", 4: "vfat"}
    features = ("metadata_csum",)
    parts = tuple(
        PartIds(
            number=number,
            start=Bytes(start_of(number)),
            length=Bytes(size * MIB),
            kind=kinds[number],
            features=features if kinds[number] == "ext4" else (),
            uuid=SOURCE[number],
            partuuid=PARTUUIDS[number],
        )
        for number, size in SIZES.items()
    )
    first = FirstDisk(
        serial="SOURCE01", table_uuid=TABLE, parts=parts, wreck=34 * 512, keeps_table=False
    )
    homes = Homes(
        start=parts[1].start, length=parts[1].length, kind=kind, folder="rescue-drill",
        path="/home/rescue-drill",
    )  # fmt: skip
    root = RootPlace(start=parts[0].start, length=parts[0].length, kind="ext4")
    made = planned(ready())
    return replace(made, mirror_path=str(disk), homes=homes, root=root, first=first)


def read_tree(image: Path, part: PartIds, folder: Path) -> dict[str, list[Any]]:
    """Return the content and time of each file of a partition, and where each link leads."""
    place = folder / "look"
    place.mkdir(exist_ok=True)
    mount(partition_argv(image, Span(start=part.start, length=part.length), part.kind, place))
    try:
        return {
            str(path.relative_to(place)): (
                ["link", str(path.readlink())]
                if path.is_symlink()
                else [path.read_text(), path.stat().st_mtime]
            )
            for path in place.rglob("*")
            if path.is_symlink() or path.is_file()
        }
    finally:
        unmount_all(place)


def hash_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def test_the_first_disk_gets_its_names_back_and_every_judge_finds_it_whole(
    disk: Path, kind: str, tmp_path: Path
) -> None:
    plan, before = plan_for(disk, kind), hash_of(disk)

    def look() -> dict[str, Any]:
        seen: dict[str, Any] = {"uuid": {}, "check": {}}
        with (
            vanishing_folder(tmp_path / "room", size="64m") as room,
            overlay_of(str(disk), place=tmp_path) as overlay,
        ):
            turn_back(plan.first, overlay, room)
            for part in plan.first.parts:
                span = Span(start=part.start, length=part.length)
                with exported(overlay, room, span=span) as file:
                    said = run(["blkid", "-p", "-o", "value", "-s", "UUID", str(file)]).stdout
                    seen["uuid"][str(part.number)] = said.strip()
                    if check := CHECKS.get(part.kind):
                        seen["check"][str(part.number)] = run(
                            [*check, str(file)], ok=range(256), timeout=300
                        ).returncode
            with exported(overlay, room) as image:
                seen["table"] = run(["sfdisk", "--json", str(image)]).stdout.lower()
        return seen

    seen = cast(dict[str, Any], in_child(look))
    assert seen["uuid"] == {str(number): uuid for number, uuid in SOURCE.items()}
    assert seen["check"] == {"1": 0, "2": 0}
    assert TABLE in seen["table"]
    assert all(partuuid in seen["table"] for partuuid in PARTUUIDS.values())
    assert hash_of(disk) == before


def test_the_first_disk_dies_with_the_newest_files_on_it(
    disk: Path, kind: str, tmp_path: Path
) -> None:
    plan, before = plan_for(disk, kind), hash_of(disk)

    def look() -> dict[str, Any]:
        with (
            vanishing_folder(tmp_path / "room", size="64m") as room,
            overlay_of(str(disk), place=tmp_path) as overlay,
        ):
            make_first(plan, overlay, room)
            with exported(overlay, room) as image:
                table = run(["sfdisk", "--json", str(image)], ok=range(256))
                with image.open("rb") as file:
                    start = file.read(plan.first.wreck)
                return {
                    "start": start.strip(b"\0").hex(),
                    "table": table.stdout,
                    "root": read_tree(image, plan.first.parts[0], room),
                    "home": read_tree(image, plan.first.parts[1], room),
                }

    seen = cast(dict[str, Any], in_child(look))
    assert seen["start"] == ""
    assert not any(name.startswith(".rescue") for name in seen["root"])
    found = {name.removeprefix("rescue-drill/"): said for name, said in seen["home"].items()}
    assert {name: said[0] for name, said in found.items()} == {
        mark.name: mark.dead for mark in plan.marks if mark.dead
    }
    assert found["untouched"][1] < plan.last_complete < found["mail-0"][1] == plan.died
    assert hash_of(disk) == before


def test_the_mirror_gets_the_marks_of_the_last_run_and_the_unit(
    disk: Path, kind: str, tmp_path: Path
) -> None:
    plan, before = plan_for(disk, kind), hash_of(disk)
    settings = script_settings(plan, channel="/dev/ttyS1")

    def look() -> dict[str, Any]:
        with (
            vanishing_folder(tmp_path / "room", size="64m") as room,
            overlay_of(str(disk), place=tmp_path) as overlay,
        ):
            make_mirror(plan, overlay, room, settings=settings)
            with exported(overlay, room) as image:
                root, home = (read_tree(image, part, room) for part in plan.first.parts[:2])
        return {"root": root, "home": home}

    seen = cast(dict[str, Any], in_child(look))
    root = seen["root"]
    assert ".rescue/mirror.json" in root
    assert root["etc/rescue-drill/part"][0] == "night\n"
    assert root["etc/rescue-drill/plan"][0] == settings
    wanted = "etc/systemd/system/multi-user.target.wants/rescue-drill.service"
    assert root[wanted] == ["link", "/etc/systemd/system/rescue-drill.service"]
    assert root["etc/systemd/system/serial-getty@ttyS1.service"] == ["link", "/dev/null"]
    assert (
        "ExecStart=/bin/sh /etc/rescue-drill/night.sh"
        in root[wanted.replace("/multi-user.target.wants", "")][0]
    )
    assert {name.split("/")[1]: said[0] for name, said in seen["home"].items()} == {
        mark.name: mark.last_run for mark in plan.marks if mark.last_run
    }
    for name in ("plan", "night.sh"):
        script = tmp_path / name
        script.write_text(root[f"etc/rescue-drill/{name}"][0])
        sh("sh", "-n", str(script))
    assert hash_of(disk) == before


@pytest.mark.parametrize("kind", ["ext4"], indirect=True)
def test_nothing_is_laid_through_a_link_into_the_real_system(
    disk: Path, kind: str, tmp_path: Path
) -> None:
    trap = tmp_path / "trap"
    trap.mkdir()
    plan = plan_for(disk, kind)
    plan = replace(plan, homes=replace(plan.homes, folder="link/rescue-drill"))

    def lay() -> str:
        with (
            vanishing_folder(tmp_path / "room", size="64m") as room,
            overlay_of(str(disk), place=tmp_path) as overlay,
        ):
            with exported(overlay, room) as image:
                home = plan.first.parts[1]
                (room / "m").mkdir()
                span = Span(start=home.start, length=home.length)
                mount(partition_argv(image, span, home.kind, room / "m"))
                (room / "m/link").symlink_to(trap)
                unmount_all(room / "m")
            try:
                make_mirror(plan, overlay, room, settings="")
            except RescueError as error:
                return error.message
        return "laid"

    assert "is a link" in cast(str, in_child(lay))
    assert list(trap.iterdir()) == []


qemu = pytest.mark.skipif(shutil.which("qemu-system-x86_64") is None, reason="needs QEMU")


def start_playing(plan: DrillPlan, folder: Path) -> "subprocess.Popen[str]":
    """Play a rehearsal whose medium does not boot, in a process of its own; it prints its end."""
    (folder / "stick.img").write_bytes(bytes(MIB))
    (folder / "work").mkdir()
    (folder / "plan.json").write_text(to_json(replace(plan, work_dir=str(folder / "work"))))
    argv = [sys.executable, "-c", PLAY, str(folder)]
    return subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


PLAY = """
import sys
from pathlib import Path
from rescue.cli import outcome
from rescue.store.codec import from_json
from rescue.commands.drill import rehearse
from rescue.rehearsal.play import Setup
from rescue.model.rehearsal import DrillPlan
from rescue.model.virtual import Accel, DiskBus
from rescue.system.vm.accelerator import Accelerator

folder = Path(sys.argv[1])
outcome.hear_signals()
plan = from_json((folder / "plan.json").read_text(), DrillPlan, known_version=1, where="plan")
print("begins", flush=True)
accelerator = Accelerator(Accel.TCG)
setup = Setup(stick=folder / "stick.img", bus=DiskBus.VIRTIO, accelerator=accelerator)
result, papers = rehearse(plan, setup, tell=lambda news: None)
print(result.failed.phase, "|", result.failed.problem, "|", *sorted(papers), flush=True)
"""


def what_is_left(folder: Path) -> list[str]:
    """Return what a rehearsal left behind: files, processes, mounts, loop devices."""
    processes = subprocess.run(["ps", "-eww", "-o", "args"], capture_output=True, text=True).stdout
    loops = subprocess.run(["losetup", "--list"], capture_output=True, text=True).stdout
    texts = (processes + Path("/proc/mounts").read_text()).splitlines()
    held = [line for line in texts if str(folder / "stick.img") in line or "rescue/drill" in line]
    held += [line for line in loops.splitlines() if "/run/rescue/drill" in line]
    return [*held, *map(str, (folder / "work").iterdir())]


@qemu
@pytest.mark.parametrize("kind", ["ext4"], indirect=True)
def test_what_does_not_boot_ends_at_the_limit_with_a_picture_and_leaves_nothing(
    disk: Path, kind: str, tmp_path: Path
) -> None:
    before = hash_of(disk)
    with start_playing(replace(plan_for(disk, kind), limit=20), tmp_path) as child:
        said, errors = child.communicate(timeout=180)
    phase, problem, files = said.splitlines()[-1].split(" | ") if said else ("", "", errors)
    assert phase == "service", errors
    assert "did not start the mirror: stopped after" in problem
    assert files == "night.console.log night.report.log night.screen.png"
    wait_for(lambda: what_is_left(tmp_path) == [])
    assert hash_of(disk) == before


@qemu
@pytest.mark.parametrize("kind", ["ext4"], indirect=True)
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_ended_in_the_middle_it_leaves_nothing(
    disk: Path, kind: str, number: signal.Signals, tmp_path: Path
) -> None:
    with start_playing(replace(plan_for(disk, kind), limit=600), tmp_path) as child:
        wait_for(lambda: any("qemu-system" in line for line in what_is_left(tmp_path)))
        child.send_signal(number)
        child.wait(timeout=60)
    wait_for(lambda: what_is_left(tmp_path) == [])


def wait_for(what: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 90
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.2)
