"""A mirror is proven: the good one passes, and a broken one is caught with its cause named.

Here the mirror of a prepared server is the disk beneath the overlay, and the proof runs on this
machine: inside a guest it would be a machine within a machine within a machine.
"""

import contextlib
import os
import re
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path

import pytest

from rescue.model.boot.firmware import Firmware
from rescue.model.mirror.record import RECORD_VERSION, MirrorRecord
from rescue.model.proof import Ending, ProofPlan, ProofSettings
from rescue.model.virtual import DiskBus, ImageFormat
from rescue.paths import PROOF
from rescue.proof.proof import prove
from rescue.store.codec import from_json
from rescue.system.vm.accelerator import Accelerator
from tests.guest import broken
from tests.guest.broken import Opened, broken_copy, proven
from tests.lab.accel import asked
from tests.lab.disk import Disk, DiskModel
from tests.lab.lab import Lab
from tests.lab.stock import MIRROR, Stock
from tests.lab.variant import BOOKWORM, BOOKWORM_SATA, TRIXIE_NVME, Variant

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root"),
    pytest.mark.skipif(not Path("/dev/fuse").exists(), reason="needs the kernel's fuse"),
]
OFTEN = 20
BUSES = {
    DiskModel.VIRTIO: DiskBus.VIRTIO,
    DiskModel.NVME: DiskBus.NVME,
    DiskModel.IDE: DiskBus.SATA,
}
BIOS, UEFI = Firmware.BIOS, Firmware.UEFI


@pytest.fixture(scope="module")
def mirror(stock: Stock, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProofPlan]:
    """What is expected of the mirror of a prepared server, whose disk is a file here."""
    plan = what_is_expected(Lab(stock, tmp_path_factory.mktemp("mirror")), BOOKWORM)
    yield plan
    Path(plan.disk).unlink()


def what_is_expected(lab: Lab, variant: Variant) -> ProofPlan:
    with lab.prepared_server(variant=variant) as server:
        text = server.run(f"cat /var/lib/rescue/mirrors/{MIRROR}.json").stdout
        disk = server.disk(MIRROR)
    record = from_json(text, MirrorRecord, known_version=RECORD_VERSION, where=MIRROR)
    return ProofPlan(
        record=record,
        disk=str(disk.path),
        shown=record.mirror.id,
        format=ImageFormat.QCOW2,
        firmwares=(BIOS,),
        bus=BUSES[disk.model],
        homes=("/home/anna", "/home/bela"),
        settings=ProofSettings(
            checks=("test -d /home/anna/Maildir", "grep -q ^anna: /etc/passwd"),
            expected_failures=("systemd-networkd-wait-online.service",),
        ),
    )


@pytest.mark.parametrize("firmware", [BIOS, pytest.param(UEFI, marks=pytest.mark.long)])
def test_a_good_mirror_passes_and_no_byte_of_it_changes(
    mirror: ProofPlan, tmp_path: Path, firmware: Firmware
) -> None:
    disk = Disk(path=Path(mirror.disk), serial=MIRROR)
    before = disk.digest()
    seen = proven(mirror, firmware, tmp_path)
    print(seen.proof)
    assert seen.proof.cause == "", seen.evidence
    assert seen.proof.passed
    assert seen.proof.ending is Ending.POWERED_OFF
    times = seen.proof.times
    assert min(times.firmware, times.grub, times.kernel, times.userspace) > 0
    assert seen.picture.startswith(b"\x89PNG")
    report = seen.evidence.report
    assert report is not None
    assert [check.exit_code for check in report.checks] == [0, 0]
    assert disk.digest() == before
    assert list(tmp_path.iterdir()) == []


@pytest.mark.long
def test_a_cloud_kernel_passes_on_the_disks_of_a_cloud(mirror: ProofPlan, tmp_path: Path) -> None:
    """It drives no SATA, which a disk of virtio-scsi was taken for."""
    seen = proven(replace(mirror, bus=DiskBus.SCSI), BIOS, tmp_path)
    print(seen.proof)
    assert seen.proof.cause == "", seen.evidence
    assert seen.proof.passed


@pytest.mark.long
@pytest.mark.parametrize("variant", [TRIXIE_NVME, BOOKWORM_SATA])
def test_the_full_kernel_passes_on_the_disks_of_a_real_server(
    lab: Lab, tmp_path: Path, variant: Variant
) -> None:
    plan = what_is_expected(lab, variant)
    # It only ends what hangs: an emulated boot of this kernel, niced, took ten minutes and more.
    plan = replace(plan, settings=replace(plan.settings, time_limit_minutes=60.0))
    before = Disk(path=Path(plan.disk), serial=MIRROR).digest()
    for firmware in (BIOS, UEFI):
        seen = proven(plan, firmware, tmp_path)
        print(seen.proof)
        assert seen.proof.cause == "", seen.evidence
        assert seen.proof.passed
    assert Disk(path=Path(plan.disk), serial=MIRROR).digest() == before


@pytest.mark.long
@pytest.mark.timeout(3 * 60 * 60)
def test_a_good_mirror_passes_every_time(mirror: ProofPlan, tmp_path: Path) -> None:
    """A proof that fails for nothing would be switched off, and the next real failure missed."""
    causes = []
    for number in range(1, OFTEN + 1):
        seen = proven(mirror, BIOS, tmp_path)
        causes.append(seen.proof.cause)
        print(f"{number} of {OFTEN}: {seen.proof.times} {seen.proof.cause}", flush=True)
    assert causes == [""] * OFTEN


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_killed_it_leaves_no_process_no_mount_and_no_file(
    mirror: ProofPlan, tmp_path: Path, number: signal.Signals
) -> None:
    mounts = Path("/proc/mounts").read_text()
    process = get_context("fork").Process(
        target=prove, args=(mirror, BIOS, Accelerator(asked())), kwargs={"place": tmp_path}
    )
    process.start()
    guests: list[Path] = []
    while not guests:
        assert process.is_alive()
        time.sleep(0.2)
        guests = children_called("qemu-system", process.pid)
    assert process.pid is not None
    os.kill(process.pid, number)
    process.join(300)
    assert not process.is_alive()
    deadline = time.monotonic() + 300
    while any(each.exists() for each in guests) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert not any(each.exists() for each in guests)
    assert list(tmp_path.iterdir()) == []
    assert Path("/proc/mounts").read_text() == mounts
    assert list(PROOF.iterdir()) == []


def children_called(name: str, parent: int | None) -> list[Path]:
    """Return the folders in /proc of a process's children whose program has this name."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            words = (folder / "stat").read_text().rpartition(")")[2].split()
            if int(words[1]) == parent and name in (folder / "cmdline").read_text():
                found.append(folder)
    return found


WAYS: tuple[tuple[Callable[[Opened], None], Firmware, str, bool], ...] = (
    (broken.wrong_uuid_in_grub_cfg, BIOS, rf"{broken.STRANGE}", True),
    (broken.missing_kernel, BIOS, r"vmlinuz", False),
    (broken.wiped_esp, UEFI, r"EFI system partition", False),
    (broken.wrong_uuid_in_fstab, BIOS, r"/home", False),
    (broken.wrong_uuid_in_esp_stub, UEFI, rf"{broken.STRANGE}|grub\.cfg", False),
    (broken.truncated_initramfs, BIOS, r"initramfs is damaged", False),
    (broken.wiped_first_sector, BIOS, r"boot sector", False),
    (broken.wiped_boot_sector, BIOS, r"no boot loader|boot sector", False),
    (broken.missing_libc, BIOS, r"libc\.so", False),
    (broken.broken_init, BIOS, r"init", False),
    (broken.wrong_resume_device, BIOS, r"resume", False),
    (broken.stale_crypttab, BIOS, r"crypttab.*old-data|old-data", False),
    (broken.full_root, BIOS, r"full", False),
    (broken.root_without_rights, BIOS, r"its mode is 700", False),
)


@pytest.mark.parametrize(
    ("how", "firmware", "cause"),
    [
        pytest.param(
            how,
            firmware,
            cause,
            id=how.__name__,
            marks=[] if always else pytest.mark.long,
        )
        for how, firmware, cause, always in WAYS
    ],
)
def test_a_broken_mirror_is_caught_and_the_cause_named(
    mirror: ProofPlan,
    tmp_path: Path,
    how: Callable[[Opened], None],
    firmware: Firmware,
    cause: str,
) -> None:
    disk = broken_copy(mirror, how, tmp_path / "broken.qcow2")
    # A boot sector that only loops says nothing: what is waited for in silence is a third of this.
    settings = replace(mirror.settings, time_limit_minutes=9.0)
    plan = replace(mirror, disk=str(disk), settings=settings)
    seen = proven(plan, firmware, tmp_path)
    print(f"{how.__name__}: {seen.evidence.seconds:.0f} s, {seen.proof.ending}: {seen.proof.cause}")
    for finding in seen.proof.findings:
        print(f"    {finding.severity} {finding.link}: {finding.message}")
    (tmp_path / "console.log").write_text(seen.evidence.console)
    (tmp_path / "screen.log").write_text(seen.evidence.screen)
    (tmp_path / "screen.png").write_bytes(seen.picture)
    assert not seen.proof.passed
    assert re.search(cause, seen.proof.cause), seen.proof.findings
