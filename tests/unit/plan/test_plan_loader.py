"""How a machine is started decides whether a mirror of it could start: known before the wipe."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from rescue.discover.boot import read_boot
from rescue.errors import ExitCode
from rescue.model.boot.firmware import Firmware, GrubPlatform
from rescue.model.finding import Refusal, Refused
from rescue.model.mirror.plan import MirrorRequest
from rescue.model.mirror.record import MirrorState
from rescue.model.mirror.step import InstallGrub
from rescue.model.proof import ProofSettings
from rescue.model.storage.disk import TableKind
from rescue.model.storage.machine import Machine
from rescue.model.storage.mount import FstabEntry, Mount
from rescue.plan.mirror import plan_mirror
from rescue.plan.prepare import plan_prepare
from rescue.proof.plan import plan_proof
from tests.builders import enrolled, prepared, refused, request, server


def put(path: Path, data: str | bytes = "") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data if isinstance(data, bytes) else data.encode())


MENU = "menuentry 'Debian' {\n\tlinux\t/vmlinuz-6.1.0-29-amd64 root=UUID=1 ro\n}\n"
LOADER_INFO = "sys/firmware/efi/efivars/LoaderInfo-4a67b082-0a4c-41cf-b6c7-440b29bb8c4f"


def grub(root: Path) -> None:
    put(root / "boot/grub/grub.cfg", MENU)
    for platform in GrubPlatform:
        put(root / f"usr/lib/grub/{platform}/modinfo.sh")


def systemd_boot(root: Path) -> None:
    put(root / "sys/firmware/efi/fw_platform_size", "64\n")
    put(root / LOADER_INFO, b"\x06\0\0\0" + "systemd-boot 252.30-1~deb12u2\0".encode("utf-16-le"))
    put(root / "usr/lib/grub/x86_64-efi/modinfo.sh")


def small_firmware(root: Path) -> None:
    grub(root)
    put(root / "sys/firmware/efi/fw_platform_size", "32\n")


def raspberry(root: Path) -> None:
    put(root / "proc/device-tree/model", b"Raspberry Pi 4 Model B Rev 1.4\0")


def nothing_in_the_menu(root: Path) -> None:
    grub(root)
    put(root / "boot/grub/grub.cfg", "set timeout=5\n")


CASES: list[tuple[Callable[[Path], None], str, str, str]] = [
    (systemd_boot, "x86_64", "booted by systemd-boot 252.30-1~deb12u2", "update-grub"),
    (small_firmware, "x86_64", "BOOTIA32.EFI", "BIOS"),
    (raspberry, "aarch64", "Raspberry Pi 4 Model B Rev 1.4 (aarch64)", "nothing was written"),
    (grub, "riscv64", "riscv64", "nothing was written"),
    (nothing_in_the_menu, "x86_64", "/boot/grub/grub.cfg", "update-grub"),
]


@pytest.mark.parametrize(("made", "architecture", "says", "hint"), CASES)
def test_a_machine_that_grub_does_not_start_is_refused_by_name_before_the_wipe(
    tmp_path: Path, made: Callable[[Path], None], architecture: str, says: str, hint: str
) -> None:
    made(tmp_path)
    boot = read_boot(tmp_path, architecture=architecture)
    missing = (("grub-install", "grub2-common"),) if architecture == "aarch64" else ()
    machine = replace(server(), boot=boot, missing_tools=missing)
    (refusal,) = refused(plan_prepare(machine, request()))
    assert refusal.code is ExitCode.UNSUPPORTED
    assert says in refusal.reason
    assert hint in refusal.hint
    assert "starts by BIOS" not in refusal.reason
    assert ("grub-pc-bin" in refusal.hint) is (made is nothing_in_the_menu)


@pytest.mark.parametrize(
    ("change", "refused_by"),
    [
        ({"firmware": Firmware.UEFI, "efi_bits": 32}, "BOOTIA32.EFI"),
        ({"architecture": "aarch64"}, "aarch64"),
        ({"grub_menu": False}, ""),
    ],
)
def test_a_proof_in_a_pc_proves_nothing_of_another_machine(
    change: dict[str, object], refused_by: str
) -> None:
    there = enrolled()
    record = replace(there.record, state=MirrorState.COMPLETE)
    boot = replace(there.machine.boot, **change)  # type: ignore[arg-type]
    answer = plan_proof(
        replace(there.machine, boot=boot),
        record,
        record,
        ProofSettings(),
        free_mib=99_999,
        room_mib=99_999,
    )
    assert isinstance(answer, Refused) is bool(refused_by)
    if isinstance(answer, Refused):
        assert refused_by in only(answer.findings).reason
        assert only(answer.findings).code is ExitCode.UNSUPPORTED


def test_a_system_with_grub_is_what_it_always_was(tmp_path: Path) -> None:
    grub(tmp_path)
    for architecture in ("x86_64", "i686"):
        boot = read_boot(tmp_path, architecture=architecture)
        assert isinstance(prepared(replace(server(), boot=boot)).notes, tuple)
    assert (boot.loader, boot.efi_bits, boot.grub_menu) == ("", 64, True)


def test_another_loader_beside_a_menu_of_grub_is_said_and_refuses_nothing(tmp_path: Path) -> None:
    systemd_boot(tmp_path)
    grub(tmp_path)
    boot = read_boot(tmp_path, architecture="x86_64")
    plan = prepared(replace(server(), boot=boot))
    assert any("systemd-boot" in note and "is booted by GRUB" in note for note in plan.notes)


def test_grub_that_names_itself_is_no_other_loader(tmp_path: Path) -> None:
    grub(tmp_path)
    put(tmp_path / LOADER_INFO, b"\x06\0\0\0" + "GRUB 2.12-9\0".encode("utf-16-le"))
    plan = prepared(replace(server(), boot=read_boot(tmp_path, architecture="x86_64")))
    assert not any("GRUB 2.12" in note for note in plan.notes)


def test_a_menu_that_root_alone_may_read_counts_as_one(tmp_path: Path) -> None:
    put(tmp_path / "boot/grub/grub.cfg/not-a-file")
    assert not read_boot(tmp_path, architecture="x86_64").grub_menu


def test_a_mirror_stays_as_it_is_when_its_source_has_lost_its_menu() -> None:
    there = enrolled()
    machine = there.machine
    boot = replace(machine.boot, grub_menu=False, loader="systemd-boot 252")
    answer = plan_mirror(replace(machine, boot=boot), there.record, there.record, MirrorRequest())
    (refusal,) = refused(answer)
    assert refusal.code is ExitCode.DRIFTED
    assert "booted by systemd-boot 252" in refusal.reason


# --- where the EFI system partition is mounted ---------------------------------------------------


def esp_at(machine: Machine, place: str) -> Machine:
    def moved(each: Mount | FstabEntry) -> Mount | FstabEntry:
        return replace(each, target=place) if each.target == "/boot/efi" else each

    mounts = sorted(map(moved, machine.mounts), key=lambda each: each.target)
    return replace(machine, mounts=tuple(mounts), fstab=tuple(map(moved, machine.fstab)))  # type: ignore[arg-type]


@pytest.mark.parametrize("place", ["/boot/efi", "/efi", "/esp", "/boot/EFI", "/srv/my esp"])
@pytest.mark.parametrize("firmware", list(Firmware))
def test_grub_goes_to_the_esp_wherever_it_is_mounted(place: str, firmware: Firmware) -> None:
    machine = esp_at(server(TableKind.GPT, firmware=firmware), place)
    plan = prepared(machine)
    found = {step.platform: step.esp for step in plan.steps if isinstance(step, InstallGrub)}
    assert found == {GrubPlatform.I386_PC: "", GrubPlatform.X86_64_EFI: place}


def only(found: tuple[Refusal, ...]) -> Refusal:
    assert len(found) == 1, [each.reason for each in found]
    return found[0]


def test_a_mirror_that_starts_by_uefi_needs_its_esp() -> None:
    there = enrolled()
    disk = there.machine.disks[0]
    assert disk.table is not None
    parts = tuple(
        replace(each, type="EBD0A0A2-B9E5-4433-87C0-68B6B72699C7") if each.number == 2 else each
        for each in disk.partitions
    )
    plain = replace(disk, table=replace(disk.table, partitions=parts))
    machine = replace(there.machine, disks=(plain, *there.machine.disks[1:]))
    refusal = only(refused(plan_mirror(machine, there.record, there.record, MirrorRequest())))
    assert refusal.code is ExitCode.DRIFTED
    assert "EFI system partition" in refusal.reason
