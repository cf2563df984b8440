"""What was seen of a boot, and the cause that is named for it."""

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rescue.model.boot.firmware import Firmware
from rescue.model.finding import Severity, first_broken
from rescue.model.mirror.record import MirrorState
from rescue.model.proof import (
    CheckResult,
    Ending,
    Evidence,
    FstabLine,
    HomeSeen,
    MountSeen,
    ProbeReport,
    ProofPlan,
    ProofSettings,
)
from rescue.model.virtual import DiskBus
from rescue.proof.report import ANSWERS
from rescue.proof.signs import is_hopeless
from rescue.proof.verdict import judge, may_be_the_accelerator, times_of
from rescue.store.codec import to_json
from tests.builders import enrolled

RECORD = replace(enrolled().record, state=MirrorState.COMPLETE)
PLAN = ProofPlan(
    record=RECORD,
    disk="/dev/vdb",
    shown=RECORD.mirror.id,
    firmwares=(Firmware.BIOS,),
    bus=DiskBus.VIRTIO,
    homes=("/home/anna",),
    settings=ProofSettings(checks=("nginx -t",), expected_failures=("nfs-*.mount",)),
)
MOUNTS = tuple(
    MountSeen(
        target=pair.mount_point, uuid=pair.mirror_uuid, fstype=pair.kind.value, read_only=False
    )
    for pair in RECORD.filesystems
)
GOOD = ProbeReport(
    uptime=3.0,
    state="running",
    userspace=8.0,
    finished=30.0,
    mounts=MOUNTS,
    fstab=tuple(
        FstabLine(target=m.target, source=f"UUID={m.uuid}", fstype=m.fstype, options=("defaults",))
        for m in MOUNTS
    ),
    swaps=tuple(swap.mirror_uuid for swap in RECORD.swaps),
    root_mode="755",
    root_readable=True,
    root_free=10_000_000,
    command_line=f"root=UUID={RECORD.root.mirror_uuid} ro quiet",
    homes=(HomeSeen(path="/home/anna", present=True, owned=True),),
    marker=to_json(RECORD),
    checks=(CheckResult(command="nginx -t", exit_code=0),),
    done=True,
    heard=frozenset({*ANSWERS, "check-0", "done"}),
)


def seen(report: ProbeReport | None = GOOD, **changes: object) -> Evidence:
    values: dict[str, object] = {
        "ending": Ending.POWERED_OFF,
        "seconds": 60.0,
        "report": report,
        "grub_at": 4.0,
        "kernel_at": 9.0,
    }
    return Evidence(**(values | changes))  # type: ignore[arg-type]


def cause(evidence: Evidence, plan: ProofPlan = PLAN) -> str:
    broken = first_broken(judge(plan, evidence))
    return f"{broken.link}: {broken.message}" if broken else ""


def test_a_good_boot_passes_and_says_what_was_seen() -> None:
    assert cause(seen()) == ""
    said = " ".join(finding.message for finding in judge(PLAN, seen()))
    assert "mounted from the mirror: /, /boot" in said
    assert "marker of generation 3" in said
    assert "/home/anna" in said
    assert "shut itself down" in said


def test_the_parts_of_a_boot_add_up_to_the_whole() -> None:
    times = times_of(seen())
    assert (times.firmware, times.grub, times.kernel, times.userspace) == (4.0, 5.0, 8.0, 22.0)
    assert times.total == 39.0


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"mounts": MOUNTS[:1]}, r"/boot is not mounted \(fstab names UUID="),
        ({"mounts": (replace(MOUNTS[0], uuid="other"), *MOUNTS[1:])}, "/ is other, and not"),
        ({"mounts": (replace(MOUNTS[0], read_only=True), *MOUNTS[1:])}, "/ is mounted read-only"),
        ({"swaps": ()}, "swap area .* is not in use"),
        ({"closed_layers": ("old",)}, "crypttab names 'old'"),
        ({"root_readable": False, "root_mode": "700"}, "its mode is 700"),
        ({"root_readable": False, "root_mode": ""}, "only root can read /"),
        ({"root_free": 0}, "the root file system is full"),
        (
            {"state": "degraded", "failed": ("a.service",), "journal": ("a.service: no cable",)},
            "a unit failed: a.service: no cable",
        ),
        ({"state": "degraded"}, "systemd says: degraded, and no failed unit was listed"),
        ({"state": "maintenance"}, "emergency or rescue mode"),
        ({"state": "", "waiting": ("dev-x.device",)}, "still waiting for: dev-x.device"),
        (
            {"homes": (HomeSeen(path="/home/anna", present=False, owned=False),)},
            "/home/anna is missing",
        ),
        (
            {"homes": (HomeSeen(path="/home/anna", present=True, owned=False),)},
            "/home/anna does not belong",
        ),
        ({"marker": to_json(replace(RECORD, generation=2))}, "of generation 2, recorded is 3"),
        ({"marker": to_json(replace(RECORD, name="other"))}, "to mirror 'other'"),
        ({"marker": to_json(replace(RECORD, state=MirrorState.RUNNING))}, "is not complete"),
        ({"marker": ""}, "the marker inside is not a state file"),
        (
            {"checks": (CheckResult(command="nginx -t", exit_code=1, said="no such file"),)},
            "'nginx -t' ended with 1: no such file",
        ),
        ({"command_line": "resume=UUID=nobody"}, "resume=UUID=nobody is not a swap area"),
        ({"done": False}, "the probe did not finish"),
    ],
)
def test_what_is_wrong_inside_is_named(changes: dict[str, object], words: str) -> None:
    report = replace(GOOD, **changes)  # type: ignore[arg-type]
    assert re.search(words, cause(seen(report)))


@pytest.mark.parametrize("answer", sorted(ANSWERS))
def test_an_answer_that_was_not_heard_is_no_good_one(answer: str) -> None:
    report = replace(GOOD, heard=GOOD.heard - {answer})
    words = f"answer about {ANSWERS[answer]} was lost: something else writes to /dev/ttyS1"
    assert words in cause(seen(report))


def test_nor_is_that_of_a_command_of_ones_own() -> None:
    report = replace(GOOD, checks=(), heard=GOOD.heard - {"check-0"})
    assert "answer about 'nginx -t' was lost" in cause(seen(report))


def test_nothing_is_made_up_from_what_was_not_heard() -> None:
    bare = ProbeReport(done=True, heard=frozenset({"done"}))
    broken = [each for each in judge(PLAN, seen(bare)) if each.severity is Severity.ERROR]
    assert len(broken) == len(ANSWERS) + 1
    assert all("was lost" in each.message for each in broken)


def test_a_unit_that_was_declared_may_fail() -> None:
    report = replace(GOOD, state="degraded", failed=("nfs-a.mount",))
    assert cause(seen(report)) == ""
    assert any("nfs-a.mount failed, as declared" in f.message for f in judge(PLAN, seen(report)))


def test_what_the_console_said_of_a_declared_unit_is_a_note() -> None:
    report = replace(GOOD, state="degraded", failed=("nfs-a.mount",))
    evidence = seen(report, console="[FAILED] Failed to mount nfs-a.mount - /nfs/a.\nlogin: ")
    assert cause(evidence) == ""


def test_a_boot_that_never_ends_is_explained_by_what_was_said_first() -> None:
    report = ProbeReport(
        uptime=3,
        state="starting",
        waiting=("dbus.service",),
        root_mode="700",
        done=True,
        heard=GOOD.heard,
    )
    said = [finding.message for finding in judge(PLAN, seen(report))]
    assert "its mode is 700" in said[0]
    assert any("still waiting for: dbus.service" in each for each in said)


@pytest.mark.parametrize("state", ["", "initializing", "starting"])
def test_what_a_boot_that_was_not_through_had_not_mounted_is_no_cause(state: str) -> None:
    report = replace(GOOD, state=state, waiting=("dev-vdb3.device",), mounts=MOUNTS[:1], swaps=())
    said = cause(seen(report))
    assert "the boot had not finished, systemd was still waiting for: dev-vdb3.device" in said


def test_what_may_be_absent_is_no_failure_of_the_mirror() -> None:
    share = FstabLine(target="/srv", source="nas:/srv", fstype="nfs4", options=("defaults",))
    other = replace(share, fstype="ext4", source="UUID=x")
    stick = replace(other, options=("defaults", "nofail"))
    assert cause(seen(replace(GOOD, fstab=(*GOOD.fstab, stick)))) == ""
    assert cause(seen(replace(GOOD, fstab=(*GOOD.fstab, share)))) == ""
    assert "/srv is not mounted" in cause(seen(replace(GOOD, fstab=(*GOOD.fstab, other))))


def test_a_home_that_is_on_neither_disk_is_no_failure() -> None:
    gone = HomeSeen(path="/home/gone", present=False, owned=False)
    assert cause(seen(replace(GOOD, homes=(*GOOD.homes, gone)))) == ""


def test_a_machine_that_starts_anew_has_not_switched_itself_off() -> None:
    assert "power-off: reset" in cause(seen(ending=Ending.RESET))


def test_what_could_not_be_begun_is_the_cause() -> None:
    evidence = Evidence(ending=Ending.HOPELESS, seconds=0, obstacle="its root is full")
    assert cause(evidence) == "overlay: its root is full"


def test_why_nothing_could_be_laid_in_stands_before_what_systemd_complains_of() -> None:
    console = "[FAILED] Failed to start rescue-booted.service\n"
    evidence = Evidence(
        ending=Ending.UNSEEN, seconds=83, console=console, obstacle="its root is full"
    )
    assert cause(evidence) == "overlay: its root is full"


def test_what_grub_complains_of_stands_before_that() -> None:
    console = "GRUB loading.\nerror: no such device: 1234-5678.\ngrub rescue> "
    evidence = Evidence(
        ending=Ending.HOPELESS, seconds=9, console=console, obstacle="it has no root file system"
    )
    assert "no such device: 1234-5678" in cause(evidence)


CONSOLES = [
    ("Booting from Hard Disk...\nBoot failed: not a bootable disk\n\nNo bootable device.\n",
     "firmware: the BIOS finds no boot loader"),
    ("BdsDxe: failed to load Boot0001\nBdsDxe: No bootable option or device was found.\n",
     "firmware: .*EFI system partition"),
    ("UEFI Interactive Shell v2.2\nShell> ", "firmware: .*EFI system partition"),
    ("GRUB loading.\nerror: no such device: 1234-5678.\nEntering rescue mode...\ngrub rescue> ",
     r"GRUB: .*no such device: 1234-5678"),
    ("\x1b[1;1HMinimal BASH-like line editing is supported.\n\ngrub> ", r"GRUB: .*grub\.cfg"),
    ("error: file `/vmlinuz-6.1.0-55' not found.\nerror: you need to load the kernel first.\n",
     "GRUB: .*missing: /vmlinuz-6.1.0-55"),
    ("Loading initial ramdisk ...\n[ 1.0] Initramfs unpacking failed: ZSTD-compressed data is "
     "corrupt\n[ 1.2] Kernel panic - not syncing: VFS: Unable to mount root fs\n",
     "initramfs: the initramfs is damaged: ZSTD"),
    ("Gave up waiting for root file system device.\nALERT!  UUID=dead does not exist.  Dropping "
     "to a shell!\n(initramfs) ", "initramfs: .*missing: UUID=dead"),
    ("/sbin/init: error while loading shared libraries: libc.so.6: cannot open\n"
     "[ 3.0] Kernel panic - not syncing: Attempted to kill init! exitcode=0x00007f00\n",
     "initramfs: .*missing: libc.so.6"),
    ("[ 3.0] Kernel panic - not syncing: Attempted to kill init!\n", "kernel: the kernel panicked"),
]  # fmt: skip


@pytest.mark.parametrize(("console", "words"), CONSOLES)
def test_what_the_console_says_is_enough_to_stop_and_to_name_the_cause(
    console: str, words: str
) -> None:
    assert is_hopeless(console)
    evidence = seen(None, console=console, ending=Ending.HOPELESS)
    assert re.search(words, cause(evidence))


@pytest.mark.parametrize(
    "console",
    [
        "Loading Linux 6.1 ...\nLoading initial ramdisk ...\n/dev/sda4: clean, 1/2 files\n",
        "Debian GNU/Linux 12 server ttyS0\n\nserver login: ",
        # With a wrong hint GRUB complains, and goes on.
        "error: no such device: 1234-5678.\nLoading Linux 6.1 ...\n",
        "BdsDxe: failed to load Boot0001 \"UEFI QEMU DVD-ROM\": Not Found\nGRUB loading.\n",
    ],
)  # fmt: skip
def test_a_boot_that_goes_on_is_not_cut_off(console: str) -> None:
    assert not is_hopeless(console)


def test_a_late_complaint_fails_a_boot_that_came_through() -> None:
    evidence = seen(console="Gave up waiting for suspend/resume device\nserver login: ")
    assert "resume=" in cause(evidence)


@pytest.mark.parametrize(
    ("console", "grub_at", "words"),
    [
        ("", None, "firmware: no boot loader was reached"),
        ("GNU GRUB", 3.0, "GRUB: GRUB was reached, but no kernel"),
        ("Loading initial ramdisk ...\n", 3.0, "kernel: GRUB started the kernel, but the system"),
    ],
)
def test_silence_is_told_by_where_it_began(console: str, grub_at: float | None, words: str) -> None:
    evidence = seen(None, console=console, grub_at=grub_at, ending=Ending.TIMED_OUT)
    assert cause(evidence).startswith(words)
    assert "stopped at the time limit" in cause(evidence)


@given(st.text(max_size=300), st.sampled_from(list(Ending)))
def test_without_a_report_no_proof_ever_passes(console: str, ending: Ending) -> None:
    assert cause(seen(None, console=console, ending=ending)) != ""


@given(st.sampled_from([each for each in Ending if each is not Ending.POWERED_OFF]))
def test_only_a_clean_power_off_passes(ending: Ending) -> None:
    assert cause(seen(ending=ending)) != ""


@pytest.mark.parametrize(
    ("evidence", "again"),
    [
        (Evidence(ending=Ending.RESET, seconds=89.0), True),
        (Evidence(ending=Ending.DIED, seconds=2.0), True),
        (Evidence(ending=Ending.HOPELESS, seconds=9.0, console="grub rescue>"), False),
        (Evidence(ending=Ending.TIMED_OUT, seconds=900.0), False),
        (Evidence(ending=Ending.RESET, seconds=89.0, report=GOOD), False),
    ],
)
def test_a_guest_that_was_lost_before_it_spoke_is_seen_again_in_emulation(
    evidence: Evidence, again: bool
) -> None:
    assert may_be_the_accelerator(evidence) is again


def on_demand(*mounts: MountSeen) -> ProbeReport:
    """/boot is mounted when it is opened, as its line says."""
    lines = (
        replace(line, options=("noauto", "x-systemd.automount")) if line.target == "/boot" else line
        for line in GOOD.fstab
    )
    trap = MountSeen(target="/boot", uuid="", fstype="autofs", read_only=False)
    others = tuple(mount for mount in MOUNTS if mount.target != "/boot")
    return replace(GOOD, mounts=(*others, trap, *mounts), fstab=tuple(lines))


def test_what_is_mounted_on_demand_counts_when_it_answered() -> None:
    boot = next(mount for mount in MOUNTS if mount.target == "/boot")
    assert cause(seen(on_demand(boot))) == ""
    assert "/boot is not mounted" in cause(seen(on_demand()))


def test_a_line_of_another_disk_that_is_mounted_on_demand_may_be_absent() -> None:
    line = FstabLine(
        target="/data", source="LABEL=data", fstype="ext4", options=("x-systemd.automount",)
    )
    assert cause(seen(replace(GOOD, fstab=(*GOOD.fstab, line)))) == ""
