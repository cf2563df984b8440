"""What is booted in a proof, and what stands against one."""

from dataclasses import replace
from pathlib import Path

import pytest

from rescue.commands.prove import summary
from rescue.errors import ExitCode, UsageError
from rescue.model.boot.firmware import BootTimes, Firmware
from rescue.model.finding import Finding, Refused, Severity
from rescue.model.mirror.record import MirrorRecord, MirrorState
from rescue.model.proof import Ending, Evidence, Firmwares, Proof, ProofSettings
from rescue.model.run.exposure import Proven
from rescue.model.storage.disk import Use, UseKind
from rescue.model.virtual import DiskBus, bus_like
from rescue.proof.plan import is_due, plan_proof
from rescue.proof.proof import ProofRun
from rescue.proof.store import KEPT, keep
from rescue.store.config import parse
from rescue.system.process.memory import available_mib
from tests.builders import enrolled, on_mirror

SETTINGS = ProofSettings(memory_mib=1024)
COMPLETE = replace(enrolled().record, state=MirrorState.COMPLETE)


def plan(record: MirrorRecord = COMPLETE, **changes: object) -> object:
    values: dict[str, object] = {
        "machine": enrolled().machine,
        "marker": record,
        "settings": SETTINGS,
        "free_mib": 4096,
        "room_mib": 4096,
    }
    values |= changes
    return plan_proof(record=record, **values)  # type: ignore[arg-type]


def reasons(planned: object) -> str:
    assert isinstance(planned, Refused), planned
    return "\n".join(each.reason for each in planned.findings)


def codes(planned: object) -> list[ExitCode]:
    assert isinstance(planned, Refused), planned
    return [each.code for each in planned.findings]


def test_the_enrolled_disk_is_booted_as_the_machine_is() -> None:
    planned = plan()
    assert not isinstance(planned, Refused), planned
    assert planned.disk == "/dev/vdb"  # type: ignore[attr-defined]
    assert planned.shown.name == "MIR0001"  # type: ignore[attr-defined]
    assert planned.firmwares == (enrolled().machine.boot.firmware,)  # type: ignore[attr-defined]


def test_both_firmwares_are_those_that_the_mirror_is_for() -> None:
    planned = plan(settings=replace(SETTINGS, firmware=Firmwares.BOTH))
    assert set(planned.firmwares) == {Firmware.BIOS, Firmware.UEFI}  # type: ignore[attr-defined]


def test_a_mirror_that_is_mounted_is_refused() -> None:
    machine = enrolled().machine
    disks = [
        replace(disk, uses=(Use(kind=UseKind.MOUNTED, where="/mnt"),))
        if disk.path == "/dev/vdb"
        else disk
        for disk in machine.disks
    ]
    planned = plan(machine=replace(machine, disks=tuple(disks)))
    assert "is mounted on /mnt" in reasons(planned)
    assert codes(planned)[0] is ExitCode.REFUSED


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"record": replace(COMPLETE, state=MirrorState.FAILED)}, "is not complete: failed"),
        ({"marker": None}, "has no marker"),
        ({"marker": replace(COMPLETE, generation=9)}, "has generation 9"),
        ({"marker": replace(COMPLETE, state=MirrorState.RUNNING)}, "is not complete: running"),
        ({"boots": ("2026-11-24T01:02:03Z",)}, "was booted"),
        ({"free_mib": 1000}, "1000 MiB of memory are free"),
        ({"room_mib": 700}, "/var/tmp has 700 MiB of room"),
    ],
)
def test_what_stands_against_a_proof(changes: dict[str, object], words: str) -> None:
    assert words in reasons(plan(**changes))  # type: ignore[arg-type]


def test_a_mirror_with_large_sectors_is_refused_and_not_called_broken() -> None:
    machine = enrolled().machine
    disks = tuple(replace(disk, logical_sector=4096) for disk in machine.disks)
    planned = plan(machine=replace(machine, disks=disks))
    assert "/dev/vdb has sectors of 4096 bytes" in reasons(planned)
    assert codes(planned)[-1] is ExitCode.UNSUPPORTED


def test_nothing_is_proven_while_the_machine_runs_from_its_mirror() -> None:
    assert "runs from its mirror" in reasons(plan(machine=on_mirror()))


def test_a_run_is_proven_once() -> None:
    last = Proven(generation=COMPLETE.generation, at=1.0, times=BootTimes(total=1.0))
    assert is_due(COMPLETE)
    assert not is_due(replace(COMPLETE, last_proof=last))
    assert is_due(replace(COMPLETE, last_proof=replace(last, cause="GRUB: no kernel")))
    assert is_due(replace(COMPLETE, last_proof=last, generation=COMPLETE.generation + 1))


def test_no_disk_is_proven_by_another_one() -> None:
    last = Proven(generation=COMPLETE.generation, at=1.0, times=BootTimes(total=41.0))
    assert replace(COMPLETE, last_proof=last).inverted().proof is None


def test_a_guest_gets_the_bus_that_the_machine_has_drivers_for() -> None:
    disk = enrolled().machine.disks[0]
    for transport, path, bus in (
        ("virtio", "/dev/vda", DiskBus.VIRTIO),
        ("", "/dev/vda", DiskBus.VIRTIO),
        ("nvme", "/dev/nvme0n1", DiskBus.NVME),
        ("sata", "/dev/sda", DiskBus.SATA),
        ("usb", "/dev/sdb", DiskBus.SATA),
        # virtio-scsi and Hyper-V, as clouds have them: their kernel drives no SATA.
        ("scsi", "/dev/sda", DiskBus.SCSI),
        ("", "/dev/xvda", DiskBus.VIRTIO),
    ):
        assert bus_like(replace(disk, transport=transport, path=path)) is bus


def proof(*, passed: bool = True, seconds: float = 40.0, at: float = 0.0) -> Proof:
    wrong = Finding(severity=Severity.ERROR, link="GRUB", message="no kernel")
    return Proof(
        mirror="MIR0001",
        generation=3,
        at=at,
        firmware=Firmware.BIOS,
        times=BootTimes(total=seconds),
        ending=Ending.POWERED_OFF,
        findings=() if passed else (wrong,),
    )


def test_of_two_firmwares_the_one_that_failed_counts_and_else_the_slower_one() -> None:
    assert summary([proof(seconds=40), proof(seconds=46)]).times.total == 46
    both = summary([proof(), proof(passed=False, seconds=5)])
    assert (both.passed, both.times.total, both.cause) == (False, 5, "GRUB: no kernel")


def test_what_was_seen_is_kept_and_the_oldest_goes(tmp_path: Path) -> None:
    evidence = Evidence(ending=Ending.POWERED_OFF, seconds=40, console="login:", screen="GRUB")
    for day in range(KEPT + 3):
        seen = ProofRun(proof=proof(at=day * 86400.0), evidence=evidence, picture=b"\x89PNG")
        newest = keep(seen, tmp_path)
    folder = tmp_path / "MIR0001"
    assert len(list(folder.glob("*.json"))) == len(list(folder.glob("*.png"))) == KEPT
    assert newest.exists()
    assert "login:" in newest.with_suffix(".log").read_text()
    assert newest.stat().st_mode & 0o777 == 0o600
    assert not (folder / "19700101T000000Z-bios.json").exists()


CONFIG = 'version = 1\n[source]\ntable_uuid = "x"\n[prove]\n'


def test_the_settings_are_read() -> None:
    text = 'checks = ["nginx -t"]\nexpected_failures = ["nfs-*.mount"]\nfirmware = "both"\n'
    settings = parse(CONFIG + text, where="x").prove
    assert settings.checks == ("nginx -t",)
    assert settings.expected_failures == ("nfs-*.mount",)
    assert settings.firmware is Firmwares.BOTH


@pytest.mark.parametrize(
    "text", ["memory_mib = 16", "cpus = 0", "time_limit_minutes = 0.0", 'checks = [" "]']
)
def test_a_setting_that_cannot_be_meant_is_named(text: str) -> None:
    with pytest.raises(UsageError, match=rf"prove\.{text.split()[0]}"):
        parse(CONFIG + text, where="x")


def test_memory_is_what_the_kernel_says(tmp_path: Path) -> None:
    place = tmp_path / "meminfo"
    place.write_text("MemTotal:       24684024 kB\nMemAvailable:    2097152 kB\n")
    assert available_mib(place) == 2048
