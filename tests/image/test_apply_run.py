"""A first copy and nightly runs between real file systems on loop devices."""

import contextlib
import fcntl
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from rescue.apply.engine import _open, apply_plan
from rescue.apply.marker import store_marker, store_proof
from rescue.apply.step_context import StepContext
from rescue.apply.workspace import Site, Workspace
from rescue.model.boot.firmware import BootTimes
from rescue.model.event import Event, Progress, StepDone
from rescue.model.mirror.partial import EARLIER, partial_folder
from rescue.model.mirror.plan import Plan
from rescue.model.mirror.record import MirrorState
from rescue.model.mirror.step import MakeSwapFile, SyncTree
from rescue.model.run.exposure import Proven
from rescue.model.storage.filesystem import FsKind
from rescue.model.storage.identity import DiskId
from rescue.paths import WORK
from rescue.store.codec import to_json
from rescue.store.records import load_marker
from tests.image.loopdisks import MIRROR, ChildError, DiskPair, disk_pair, in_child, sh, tree_of
from tests.image.measured import estimate

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root: loop devices and mounts"),
]

OWN = (
    ".rescue",
    "etc/fstab",
    "etc/initramfs-tools/conf.d",
    "etc/systemd/system/rescue-booted.service",
    "etc/systemd/system/multi-user.target.wants",
    "boot/grub/grub.cfg",
    "boot/initrd.img-6.1.0-1",
)


def carry_out(pair: DiskPair, plan: Plan) -> dict[str, int]:
    """Apply a plan in a child and return its figures."""

    def action() -> object:
        events: list[Event] = []
        outcome = apply_plan(plan, pair.grant(plan), emit=events.append, site=pair.site)
        done = [event for event in events if isinstance(event, StepDone)]
        assert [event.number for event in done] == list(range(1, len(plan.steps) + 1))
        assert any(isinstance(event, Progress) for event in events) or not plan.steps
        assert [each.mount_point for each in outcome.summary.free] == ["/", "/boot"]
        assert all(0 < each.free < each.size for each in outcome.summary.free)
        return {
            "total": outcome.summary.files_total,
            "changed": outcome.summary.files_changed,
            "deleted": outcome.summary.deletions,
            "unreadable": len(outcome.summary.unreadable),
            "vanished": outcome.summary.vanished,
        }

    result = in_child(action)
    assert isinstance(result, dict)
    return result


def complete(pair: DiskPair) -> None:
    """Do what the command does after a good audit."""
    plan = pair.plan()
    record = replace(pair.record, state=MirrorState.COMPLETE, generation=1)
    in_child(lambda: store_marker(record, pair.grant(plan), site=pair.site))


@contextlib.contextmanager
def boot_unmounted(pair: DiskPair) -> Iterator[None]:
    """Take the source's /boot away, and put the same device back in the end.

    The device is asked of the mount while it stands: a search for its UUID may miss a loop
    device that another process looks at in the same moment.
    """
    boot = str(pair.root / "boot")
    device = sh("findmnt", "-n", "-o", "SOURCE", "--mountpoint", boot).strip()
    sh("umount", boot)
    try:
        yield
    finally:
        sh("mount", device, boot)


@pytest.mark.parametrize("kind", [FsKind.EXT4, FsKind.XFS])
def test_first_copy_is_the_source_in_everything_but_its_own_files(
    tmp_path: Path, kind: FsKind
) -> None:
    with disk_pair(tmp_path, kind) as pair:
        figures = carry_out(pair, pair.plan(first=True))
        assert figures["unreadable"] == 0
        with pair.mirror_seen() as mirror:
            assert tree_of(mirror, OWN) == tree_of(pair.root, OWN)
            fstab = (mirror / "etc/fstab").read_text()
            assert pair.record.root.mirror_uuid in fstab
            assert pair.record.root.source_uuid not in fstab
            assert fstab.startswith("# of the source\n")
            grub = (mirror / "boot/grub/grub.cfg").read_text()
            assert grub == f"search --fs-uuid --set=root {pair.record.filesystems[1].mirror_uuid}\n"
            assert (mirror / ".rescue").stat().st_mode & 0o777 == 0o700
            marker = load_marker(mirror)
            assert marker is not None
            assert marker.state is MirrorState.RUNNING
            resume = mirror / "etc/initramfs-tools/conf.d/resume"
            assert resume.read_text() == "RESUME=UUID=5a5a5a5a-0000-4000-8000-000000000001\n"
            wanted = mirror / "etc/systemd/system/multi-user.target.wants/rescue-booted.service"
            assert (mirror / os.readlink(wanted).lstrip("/")).is_file()
        assert not (pair.root / ".rescue").exists()


def test_a_night_carries_changes_and_deletions_and_keeps_what_is_the_mirrors(
    pair: DiskPair,
) -> None:
    carry_out(pair, pair.plan(first=True))
    complete(pair)
    with pair.mirror_seen() as mirror:
        (mirror / "boot/initrd.img-6.1.0-1").write_bytes(b"the mirror's own")
        (mirror / "home/stray").write_bytes(b"not on the source")
        fstab_inode = (mirror / "etc/fstab").stat().st_ino
    (pair.root / "home/ann/mail").unlink()
    (pair.root / "home/ann/letter").write_bytes(b"new")
    with (pair.root / "var/odd/sparse").open("r+b") as file:
        file.write(b"beginning")
    (pair.root / "etc/default/grub.d/a.cfg").unlink()
    (pair.root / "boot/vmlinuz-6.1.0-2").write_bytes(b"kernel 2")
    (pair.root / "boot/vmlinuz-6.1.0-1").unlink()
    (pair.root / "usr/lib/modules/6.1.0-1/ext4.ko").unlink()
    (pair.root / "usr/lib/modules/6.1.0-1").rmdir()

    figures = carry_out(pair, pair.plan())

    with pair.mirror_seen() as mirror:
        assert tree_of(mirror, OWN) == tree_of(pair.root, OWN)
        assert (mirror / "boot/initrd.img-6.1.0-1").read_bytes() == b"the mirror's own"
        assert (mirror / "etc/fstab").stat().st_ino == fstab_inode, "written though it is the same"
    assert figures["deleted"] == 5
    assert figures["changed"] == 3


def test_late_paths_lose_nothing_until_they_are_pruned(pair: DiskPair) -> None:
    carry_out(pair, pair.plan(first=True))
    complete(pair)
    (pair.root / "boot/vmlinuz-6.1.0-1").rename(pair.root / "boot/vmlinuz-6.1.0-2")
    (pair.root / "boot/initrd.img-6.1.0-1").unlink()
    (pair.root / "usr/lib/modules/6.1.0-1").rename(pair.root / "usr/lib/modules/6.1.0-2")
    (pair.root / "home/ann/mail").unlink()
    plan = pair.plan()
    carry_out(pair, replace(plan, steps=plan.steps[:3]))
    with pair.mirror_seen() as mirror:
        (mirror / "boot/initrd.img-6.1.0-1").write_bytes(b"made there")
        assert sorted(p.name for p in (mirror / "boot").glob("vmlinuz*")) == [
            "vmlinuz-6.1.0-1",
            "vmlinuz-6.1.0-2",
        ]
        assert (mirror / "usr/lib/modules/6.1.0-1/ext4.ko").exists()
        assert not (mirror / "home/ann/mail").exists()
    carry_out(pair, replace(plan, steps=plan.steps[3:]))
    with pair.mirror_seen() as mirror:
        assert [p.name for p in (mirror / "boot").glob("vmlinuz*")] == ["vmlinuz-6.1.0-2"]
        assert not list((mirror / "boot").glob("initrd.img-*"))
        assert not (mirror / "usr/lib/modules/6.1.0-1").exists()


def test_checksum_finds_what_size_and_time_hide(pair: DiskPair) -> None:
    carry_out(pair, pair.plan(first=True))
    complete(pair)
    with pair.mirror_seen() as mirror:
        rotten = mirror / "boot/vmlinuz-6.1.0-1"
        times = rotten.stat()
        rotten.write_bytes(b"kernel X")
        os.utime(rotten, ns=(times.st_atime_ns, times.st_mtime_ns))
    carry_out(pair, pair.plan())
    with pair.mirror_seen() as mirror:
        assert (mirror / "boot/vmlinuz-6.1.0-1").read_bytes() == b"kernel X"
    carry_out(pair, pair.plan(checksum=True))
    with pair.mirror_seen() as mirror:
        assert (mirror / "boot/vmlinuz-6.1.0-1").read_bytes() == b"kernel 1"


def test_only_the_given_paths_are_looked_at(pair: DiskPair) -> None:
    carry_out(pair, pair.plan(first=True))
    complete(pair)
    (pair.root / "home/ann/mail").unlink()
    (pair.root / "home/ann/letter").write_bytes(b"new")
    (pair.root / "var/odd/other").write_bytes(b"new, and nobody said so")
    step = SyncTree(mount_point="/", protect=(), paths=("/home/ann/mail", "/home/ann/letter"))
    carry_out(pair, pair.plan(steps=(step,)))
    with pair.mirror_seen() as mirror:
        assert (mirror / "home/ann/letter").read_bytes() == b"new"
        assert not (mirror / "home/ann/mail").exists()
        assert (mirror / "home/ann/mail-again").exists()
        assert not (mirror / "var/odd/other").exists()


def test_estimate_tells_what_would_happen_and_does_nothing(pair: DiskPair) -> None:
    carry_out(pair, pair.plan(first=True))
    complete(pair)
    with pair.mirror_seen() as mirror:
        before = tree_of(mirror)
    (pair.root / "home/ann/mail-again").unlink()
    (pair.root / "var/odd/suid").write_bytes(b"another")
    (pair.root / "home/ann/fresh").write_bytes(b"fresh")

    def action() -> object:
        seen = estimate(pair.plan(), site=pair.site)
        return [seen.changes, seen.deletions, seen.files_total > 20]

    assert in_child(action) == [1, 1, True]
    with pair.mirror_seen() as mirror:
        assert tree_of(mirror) == before


@pytest.mark.parametrize("older", [False, True])
def test_leftovers_of_a_cut_run_are_removed(pair: DiskPair, older: bool) -> None:
    """By the name that its marker says; an older rescue had one for all."""
    record = replace(pair.record, partial="") if older else pair.record
    carry_out(pair, replace(pair.plan(first=True), record=record))
    left = record.partial or EARLIER
    with pair.mirror_seen() as mirror:
        (mirror / "home" / left).mkdir(mode=0o700)
        (mirror / "home" / left / "half").write_bytes(b"half")
        (mirror / "var" / left).symlink_to(mirror / "home/ann")

    def action() -> object:
        later = replace(pair.record, partial=partial_folder("later"))
        plan = replace(pair.plan(), record=later)
        with Workspace.writable(pair.grant(plan), site=pair.site) as workspace:
            root = workspace.mirror("/")
            work = StepContext(grant=pair.grant(plan), emit=print, site=pair.site, record=later)
            _open(plan, work, workspace)
            marker = load_marker(root)
            assert marker
            return [
                (root / "home" / left).exists(),
                (root / "var" / left).is_symlink(),
                (root / "home/ann/mail").exists(),
                marker.partial == later.partial,
            ]

    assert in_child(action) == [False, True, True, True]
    carry_out(pair, replace(pair.plan(), record=replace(pair.record, partial="")))
    with pair.mirror_seen() as mirror:
        assert tree_of(mirror, OWN) == tree_of(pair.root, OWN)


def test_a_mirror_that_a_cut_run_has_filled_up_heals(pair: DiskPair) -> None:
    carry_out(pair, pair.plan(first=True))
    with pair.mirror_seen() as mirror:
        kept = mirror / "home" / pair.record.partial
        kept.mkdir(mode=0o700)
        with contextlib.suppress(OSError), (kept / "half").open("wb", buffering=0) as file:
            while file.write(bytes(1024)):
                pass
        assert os.statvfs(mirror).f_bavail == 0
    carry_out(pair, pair.plan())
    with pair.mirror_seen() as mirror:
        assert tree_of(mirror, OWN) == tree_of(pair.root, OWN)


def test_a_file_system_that_is_not_copied_need_not_be_mounted(pair: DiskPair) -> None:
    carry_out(pair, pair.plan(first=True))
    complete(pair)
    with pair.mirror_seen() as mirror:
        kept = tree_of(mirror / "boot")
    (pair.root / "home/late").write_bytes(b"late")
    ordinary = pair.plan()
    steps = tuple(each for each in ordinary.steps if isinstance(each, SyncTree))[:1]
    with boot_unmounted(pair):
        plan = pair.plan(steps=steps)
        in_child(lambda: estimate(plan, site=pair.site).files_total)
        carry_out(pair, plan)
    with pair.mirror_seen() as mirror:
        assert (mirror / "home/late").read_bytes() == b"late"
        assert tree_of(mirror / "boot") == kept


def test_what_is_noted_of_a_proof_changes_nothing_else_of_the_marker(pair: DiskPair) -> None:
    carry_out(pair, pair.plan(first=True))
    proven = Proven(generation=1, at=5.0, times=BootTimes(total=41.0))
    record = replace(pair.record, state=MirrorState.COMPLETE, generation=1)
    in_child(lambda: store_proof(proven, pair.leave_for_marker(record), site=pair.site))
    with pair.mirror_seen() as mirror:
        marker = load_marker(mirror)
    assert marker is not None
    assert (marker.state, marker.generation) == (MirrorState.RUNNING, 0)
    assert marker.last_proof == proven


def test_swap_file_is_made_once(pair: DiskPair) -> None:
    carry_out(pair, pair.plan(first=True))
    complete(pair)
    step = MakeSwapFile(path="/var/swapfile", size=4 * 1024 * 1024)
    inodes = []
    for _ in range(2):
        sync_only = pair.plan().steps[0]
        assert isinstance(sync_only, SyncTree)
        carry_out(
            pair,
            pair.plan(
                steps=(replace(sync_only, protect=(*sync_only.protect, "/var/swapfile")), step)
            ),
        )
        with pair.mirror_seen() as mirror:
            made = (mirror / "var/swapfile").stat()
            assert made.st_mode & 0o7777 == 0o600
            assert made.st_blocks * 512 >= made.st_size == 4 * 1024 * 1024
            inodes.append(made.st_ino)
            said = subprocess.run(
                ["blkid", "-p", str(mirror / "var/swapfile")], capture_output=True, text=True
            ).stdout
            assert 'TYPE="swap"' in said
    assert inodes[0] == inodes[1]


def test_source_that_is_not_mounted_changes_nothing(pair: DiskPair) -> None:
    carry_out(pair, pair.plan(first=True))
    complete(pair)
    with pair.mirror_seen() as mirror:
        before = tree_of(mirror)
    with boot_unmounted(pair), pytest.raises(ChildError) as caught:
        carry_out(pair, pair.plan())
    assert "nothing is mounted at" in caught.value.message
    with pair.mirror_seen() as mirror:
        assert tree_of(mirror) == before


def test_wrong_file_system_on_the_source_is_refused(pair: DiskPair) -> None:
    carry_out(pair, pair.plan(first=True))
    complete(pair)
    root, boot = pair.record.filesystems
    plan = pair.plan()
    other = replace(pair.record, filesystems=(root, replace(boot, source_uuid=root.source_uuid)))
    with pytest.raises(ChildError) as caught:
        carry_out(pair, replace(plan, record=other))
    assert caught.value.kind == "RefusedError"


def test_another_machines_mirror_is_refused(pair: DiskPair) -> None:
    carry_out(pair, pair.plan(first=True))
    plan = pair.plan()
    other = replace(plan, record=replace(pair.record, machine_id="f" * 32))
    with pytest.raises(ChildError) as caught:
        carry_out(pair, other)
    assert caught.value.kind == "RefusedError"
    assert "server" in caught.value.message


def test_disk_that_is_not_the_granted_one_is_refused(pair: DiskPair) -> None:
    plan = pair.plan(first=True)
    site = replace(pair.site, identify=lambda path: DiskId(serial="ANOTHER"))
    with pytest.raises(ChildError) as caught:
        in_child(lambda: apply_plan(plan, pair.grant(plan), emit=lambda e: None, site=site))
    assert caught.value.kind == "RefusedError"
    with pair.mirror_seen_root() as mirror:
        assert [path.name for path in mirror.iterdir()] == ["lost+found"]


def test_a_first_copy_that_does_not_fit_is_a_failure_that_says_so(pair: DiskPair) -> None:
    with pair.mirror_seen_root() as mirror:
        (mirror / "in-the-way").write_bytes(os.urandom(30 * 1024 * 1024))
    (pair.root / "home/big").write_bytes(os.urandom(40 * 1024 * 1024))
    with pytest.raises(ChildError) as caught:
        carry_out(pair, pair.plan(first=True))
    assert "is full" in caught.value.message


def test_nobody_else_sees_the_mirror_mounted_and_nothing_stays(pair: DiskPair) -> None:
    mounts = Path("/proc/self/mounts")
    before = mounts.read_text()
    plan = pair.plan(first=True)
    read, write = os.pipe()
    outside = os.open("/proc/self/ns/mnt", os.O_RDONLY)

    def action() -> object:
        with Workspace.writable(pair.grant(plan), site=pair.site) as workspace:
            os.write(write, b"x")
            inside = mounts.read_text()
            assert str(workspace.mirror("/boot")) in inside
            with pytest.raises(OSError, match="Read-only"):
                (workspace.source("/boot") / "x").write_bytes(b"x")
            assert not list((workspace.source("/") / "boot").iterdir()), "seen through a mount"
            time.sleep(0.3)
        assert str(WORK) not in mounts.read_text()
        return os.path.samestat(os.fstat(outside), os.stat("/proc/self/ns/mnt"))

    pid = os.fork()
    if pid == 0:
        os.read(read, 1)
        quiet = str(WORK) not in mounts.read_text()
        os._exit(0 if quiet else 1)
    assert in_child(action) is False
    assert os.waitpid(pid, 0)[1] == 0, "another process saw the mirror mounted"
    assert mounts.read_text() == before


def test_look_at_a_mirror_writes_not_one_byte(pair: DiskPair) -> None:
    carry_out(pair, pair.plan(first=True))
    images = [pair.folder / "mirror1.img", pair.folder / "mirror2.img"]
    subprocess.run(["sync"], check=True)
    before = [image.read_bytes() for image in images]

    def action() -> object:
        with Workspace.read_only(pair.record, "/dev/mirror", site=pair.site) as workspace:
            assert (workspace.tree() / "boot/vmlinuz-6.1.0-1").read_bytes() == b"kernel 1"
            with pytest.raises(OSError, match="Read-only"):
                (workspace.tree() / "x").write_bytes(b"x")
        return "looked"

    assert in_child(action) == "looked"
    subprocess.run(["sync"], check=True)
    assert [image.read_bytes() for image in images] == before


@contextlib.contextmanager
def copied(folder: Path, image: str) -> Iterator[str]:
    """Give the device of a whole copy of an image: equal identifiers on another disk."""
    shutil.copyfile(folder / image, folder / "copy.img")
    argv = ["losetup", "--find", "--show", str(folder / "copy.img")]
    copy = subprocess.run(argv, check=True, capture_output=True, text=True).stdout.strip()
    try:
        yield copy
    finally:
        subprocess.run(["losetup", "--detach", copy], check=True)


def test_of_two_devices_with_one_uuid_the_disk_s_own_is_opened(pair: DiskPair) -> None:
    site = Site(source_root=pair.root, identify=lambda path: MIRROR)
    one_root = replace(pair.record, filesystems=(pair.record.root,))

    def opened(disk: str) -> object:
        with Workspace.read_only(one_root, disk, site=site) as workspace:
            argv = [
                "findmnt",
                "--noheadings",
                "--output",
                "SOURCE",
                "--target",
                str(workspace.tree()),
            ]
            return subprocess.run(argv, check=True, capture_output=True, text=True).stdout.strip()

    with copied(pair.folder, "mirror1.img") as copy:
        mirror = pair.devices["/"]
        assert in_child(lambda: opened(copy)) == copy
        assert in_child(lambda: opened(mirror)) == mirror
    with pytest.raises(ChildError) as caught:
        in_child(
            lambda: (
                Workspace.read_only(one_root, pair.devices["/boot"], site=site)
                .__enter__()
                .record.name
            )
        )
    assert "does not belong to" in caught.value.message

    def found() -> object:
        with Workspace.read_only(one_root, pair.devices["/"], site=site) as workspace:
            return workspace.mirror("/").is_dir()

    assert in_child(found) is True


RUNNER = """
import os, signal, sys
from pathlib import Path
from rescue.apply.engine import _open, apply_plan
from rescue.apply.workspace import Site
from rescue.store.codec import from_json
from rescue.grants import grant_disk
from rescue.errors import TerminatedError
from rescue.model.event import Progress
from rescue.model.storage.identity import DiskId
from rescue.model.mirror.partial import EARLIER, partial_folder
from rescue.model.mirror.plan import PLAN_VERSION, Plan

def stop(number, frame):
    raise TerminatedError("SIGTERM")

signal.signal(signal.SIGTERM, stop)
plan = from_json(Path(sys.argv[1]).read_text(), Plan, known_version=PLAN_VERSION, where="plan")
devices = dict(zip(("/", "/boot"), sys.argv[3:5], strict=True))
site = Site(
    source_root=Path(sys.argv[2]),
    identify=lambda path: DiskId(serial="MIRROR-1"),
    locate=lambda pair, disk: devices[pair.mount_point],
)
def told(event):
    if isinstance(event, Progress):
        os.write(1, b"copying\\n")  # whole, even when the signal comes in the middle of it
try:
    apply_plan(plan, grant_disk(plan, named="MIRROR-1"), emit=told, site=site)
except TerminatedError:
    mounts = Path("/proc/self/mounts").read_text()
    print("unwound" if "/run/rescue/work" not in mounts else "still mounted", flush=True)
    sys.exit(3)
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_signal_leaves_nothing_mounted_and_the_mirror_incomplete(
    pair: DiskPair, number: signal.Signals
) -> None:
    for index in range(4000):
        (pair.root / f"home/{index}").write_bytes(b"x" * 2000)
    plan = pair.plan(first=True)
    (pair.folder / "plan.json").write_text(to_json(plan))
    argv = [sys.executable, "-c", RUNNER, str(pair.folder / "plan.json"), str(pair.root)]
    with subprocess.Popen(
        [*argv, pair.devices["/"], pair.devices["/boot"]],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "copying\n"
        child.send_signal(number)
        said = child.stdout.read()
        child.wait(timeout=60)
    if number is signal.SIGTERM:
        assert said.splitlines()[-1] == "unwound"
        assert child.returncode == 3
    assert str(WORK) not in Path("/proc/self/mounts").read_text()
    # rsync gets SIGTERM with its parent's death; the device is free as soon as it ended.
    for device in pair.devices.values():
        wait_until_free(device)
    with pair.mirror_seen_root() as mirror:
        marker = load_marker(mirror)
        assert marker is not None
        assert marker.state is MirrorState.RUNNING


def wait_until_free(device: str) -> None:
    for _ in range(100):
        try:
            fd = os.open(device, os.O_RDONLY | os.O_EXCL)
        except OSError:
            time.sleep(0.1)
        else:
            fcntl.flock(fd, fcntl.LOCK_UN)
            os.close(fd)
            return
    raise AssertionError(f"{device} is still in use")
