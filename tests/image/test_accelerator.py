"""Whether KVM does its work is tried, with a processor that does and with ones that do not."""

import shutil
import time
from dataclasses import replace
from pathlib import Path

import pytest

from rescue.errors import UsageError
from rescue.model.boot.firmware import Firmware
from rescue.model.proof import Ending, ProofPlan
from rescue.model.rehearsal import Boot, Line, Part
from rescue.model.virtual import Accel, DiskBus, ImageFormat, VirtualDisk, VirtualMachine
from rescue.proof import observe as observer
from rescue.rehearsal.play import Callbacks, Stage
from rescue.system.vm import accelerator
from rescue.system.vm.accelerator import EMULATION, QEMU, Accelerator, speaks
from tests.unit.proof.test_proof_verdict import PLAN
from tests.unit.rehearsal.test_rehearsal_plan import planned, ready

pytestmark = pytest.mark.skipif(shutil.which(QEMU) is None, reason="QEMU is not installed")

# Real mode and protected mode run, 64 bits do not.
OLD_PROCESSOR = ("-accel", "tcg", "-cpu", "pentium3")

# A boot sector that begins the night where the processor has 64 bits, and is reset in any case.
BEGINS_OR_DIES = (
    b"".join(
        bytes.fromhex(code)
        for code in (
            "fa 31c0 8ed8 fc",  # cli; xor ax,ax; mov ds,ax; cld
            "66b801000080 0fa2",  # mov eax,0x80000001; cpuid
            "66f7c200000020 740e",  # test edx,1<<29 (Intel SDM 2A, CPUID); jz to the reset
            "be2c7c baf802",  # mov si,0x7c2c; mov dx,0x2f8
            "ac 84c0 7403 ee ebf8",  # lodsb; test al,al; jz on; out dx,al; jmp to the lodsb
            "b0fe e664 f4 ebfd",  # mov al,0xfe; out 0x64,al: the keyboard's controller resets
        )
    )
    + b"\n@ begin night\n\0"
)


def test_a_processor_of_64_bits_is_heard() -> None:
    assert speaks(EMULATION)


@pytest.mark.parametrize("options", [OLD_PROCESSOR, ("-accel", "no-such-thing")])
def test_one_that_a_kernel_would_never_speak_on_is_not(
    options: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(accelerator, "TRIAL_SECONDS", 3.0)
    assert not speaks(options)


def test_without_its_device_kvm_is_not_tried_and_refused_by_hand(tmp_path: Path) -> None:
    absent = tmp_path / "kvm"
    found = Accelerator(Accel.AUTO, device=absent)
    assert not found.is_kvm
    assert str(absent) in found.note
    with pytest.raises(UsageError, match="KVM is not there"):
        Accelerator(Accel.KVM, device=absent)
    assert not Accelerator(Accel.TCG, device=absent).is_kvm


def test_what_fails_a_guest_is_given_up() -> None:
    chosen = Accelerator(Accel.KVM, device=Path("/dev/null"))
    assert chosen.is_kvm
    chosen.give_up_kvm("silent")
    assert not chosen.is_kvm
    assert "silent" in chosen.note


def test_a_guest_without_a_sign_of_life_is_left_soon_under_kvm_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The limit of both is the same; the emulated one has it for itself.
    monkeypatch.setattr(accelerator, "KVM", ("-accel", "tcg", "-cpu", "pentium3"))
    monkeypatch.setattr(observer, "SILENT_SECONDS", 2.0)
    disk = _disk(tmp_path / "endless.raw", b"\xeb\xfe")
    plan = _hurried(PLAN)
    lost = observer.observe(_machine(disk, emulated=False), plan, _room(tmp_path, "kvm"))
    assert lost.ending is Ending.SILENT
    kept = observer.observe(_machine(disk, emulated=True), plan, _room(tmp_path, "tcg"))
    assert kept.ending is Ending.SILENT
    assert kept.seconds > lost.seconds


def test_a_guest_of_a_rehearsal_that_dies_under_kvm_before_it_begins_is_emulated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(accelerator, "KVM", OLD_PROCESSOR)
    chosen = Accelerator(Accel.KVM, device=Path("/dev/null"))
    heard: list[Line] = []
    kept: list[Boot] = []
    stage = Stage(
        planned(ready()),
        chosen,
        Callbacks(heard=heard.append, keep=lambda part, boot, picture: kept.append(boot)),
        tmp_path,
        time.monotonic() + 60,
    )
    drive = _drive(_disk(tmp_path / "dying.raw", BEGINS_OR_DIES))
    boot = stage.boot(Part.NIGHT, (drive,))
    assert "@ begin night" in [line.text for line in boot.lines]
    assert not boot.trouble
    assert kept == [boot], "nothing is kept of a guest that was lost"
    assert not chosen.is_kvm
    assert "the guest ended before it began" in chosen.note


def _hurried(plan: ProofPlan) -> ProofPlan:
    return replace(plan, settings=replace(plan.settings, time_limit_minutes=0.5))


def _machine(disk: Path, *, emulated: bool) -> VirtualMachine:
    return VirtualMachine(
        firmware=Firmware.BIOS, memory_mib=64, cpus=1, disks=(_drive(disk),), emulated=emulated
    )


def _drive(disk: Path) -> VirtualDisk:
    return VirtualDisk(
        path=str(disk), format=ImageFormat.RAW, serial="M", bus=DiskBus.SATA, read_only=False
    )


def _disk(path: Path, code: bytes) -> Path:
    """Write a disk whose boot sector is this code."""
    path.write_bytes((code.ljust(510, b"\0") + b"\x55\xaa").ljust(1 << 20, b"\0"))
    return path


def _room(place: Path, name: str) -> Path:
    room = place / name
    room.mkdir()
    return room
