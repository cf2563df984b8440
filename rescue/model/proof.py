"""A proof: the mirror booted in a virtual machine, what was expected, and what was seen."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum

from rescue.model.boot.firmware import BootTimes, Firmware
from rescue.model.fault import SECRET, Fault, unmet
from rescue.model.finding import Finding, first_broken
from rescue.model.mirror.record import MirrorRecord
from rescue.model.storage.identity import DiskId
from rescue.model.virtual import Accel, DiskBus, ImageFormat

PROOF_VERSION = 1


class Firmwares(StrEnum):
    """With which firmware a mirror is booted: the machine's OWN, or BOTH of the kinds it is for."""

    OWN = "own"
    BOTH = "both"


@dataclass(frozen=True)
class ProofSettings:
    """How a mirror is proven, as section [prove] of the configuration says it.

    `checks` are shell commands that are run inside and must end with 0 (`["nginx -t"]`; 120 s
    each); `expected_failures` are names or patterns ('nfs-*.mount') of units that may fail there,
    because they need real hardware or the network. `memory_mib` and `cpus` are what the virtual
    machine takes at most (where the memory is not free, there is no proof), `time_limit_minutes`
    how long one boot may take. `firmware` is "own", the
    machine's, or "both": also the other kind that the mirror has a boot loader for. `accel` is
    "kvm", "tcg" (emulation, which works everywhere and is slow) or "auto": KVM where it works.
    """

    checks: tuple[str, ...] = field(default=(), metadata=SECRET)
    expected_failures: tuple[str, ...] = ()
    memory_mib: int = 2048
    cpus: int = 2
    time_limit_minutes: float = 15.0
    firmware: Firmwares = Firmwares.OWN
    accel: Accel = Accel.AUTO

    def faults(self) -> Iterator[Fault]:
        """Return what cannot be meant."""
        return unmet(
            self,
            ("memory_mib", self.memory_mib >= 256, "256 or more"),
            ("cpus", self.cpus >= 1, "1 or more"),
            ("time_limit_minutes", self.time_limit_minutes > 0, "above 0"),
            ("checks", all(map(str.strip, self.checks)), "commands that are not empty"),
        )


@dataclass(frozen=True, kw_only=True)
class ProofPlan:
    """What will be booted, and what is expected of it.

    `disk` is the device or image of the mirror, which is read alone; `shown` is what that disk
    showed as its identity. `homes` are folders of users
    that are on the source now. `generation` is that of the last complete run.
    """

    record: MirrorRecord
    disk: str
    shown: DiskId
    format: ImageFormat = ImageFormat.RAW
    firmwares: tuple[Firmware, ...]
    bus: DiskBus
    homes: tuple[str, ...] = ()
    settings: ProofSettings


class Phase(StrEnum):
    """Where a boot is; a proof that failed names the one in which it did."""

    OVERLAY = "overlay"
    FIRMWARE = "firmware"
    GRUB = "GRUB"
    KERNEL = "kernel"
    INITRAMFS = "initramfs"
    USERSPACE = "userspace"
    POWER_OFF = "power-off"


class Ending(StrEnum):
    """How the virtual machine ended."""

    POWERED_OFF = "powered off"
    RESET = "reset"
    PANICKED = "panicked"
    HOPELESS = "stopped because it could not go on"
    UNSEEN = "stopped at the login, for nothing could be seen from inside"
    SILENT = "stopped because nothing was said any more"
    TIMED_OUT = "stopped at the time limit"
    DIED = "QEMU ended by itself"


@dataclass(frozen=True, kw_only=True)
class MountSeen:
    """A file system as it is mounted inside; `read_only` is the kernel's view."""

    target: str
    uuid: str
    fstype: str
    read_only: bool


@dataclass(frozen=True, kw_only=True)
class FstabLine:
    """A line of the fstab inside."""

    target: str
    source: str
    fstype: str
    options: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class HomeSeen:
    """One user's home from the guest's passwd: whether it exists and belongs to that user."""

    path: str
    present: bool
    owned: bool


@dataclass(frozen=True, kw_only=True)
class CheckResult:
    """A custom check command: its exit code (124: timed out), and the end of its output."""

    command: str
    exit_code: int
    said: str = ""


@dataclass(frozen=True, kw_only=True)
class ProbeReport:
    """The report from inside the guest. `done` means that it is complete.

    `uptime` is of its beginning (seconds since the kernel started); `userspace` and `finished`
    are when systemd began and when the boot was through, in the same count, 0 where it was not.
    `waiting` are the jobs that systemd was at the last time it was asked. `heard` names the answers
    that came: of any other the value here says nothing.
    """

    uptime: float = 0.0
    state: str = ""
    userspace: float = 0.0
    finished: float = 0.0
    waiting: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()
    journal: tuple[str, ...] = ()
    mounts: tuple[MountSeen, ...] = ()
    fstab: tuple[FstabLine, ...] = ()
    swaps: tuple[str, ...] = ()
    closed_layers: tuple[str, ...] = ()
    root_mode: str = ""
    root_readable: bool = False
    root_free: int = -1
    command_line: str = ""
    homes: tuple[HomeSeen, ...] = ()
    marker: str = ""
    checks: tuple[CheckResult, ...] = ()
    done: bool = False
    heard: frozenset[str] = frozenset()


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """What was observed of one boot; times in seconds since the machine was switched on.

    `console` is the serial console, `screen` what BIOS and GRUB showed. `obstacle` is why the
    probe could not be laid into the overlay. `grub_at` and `kernel_at` are None where it did not
    come that far.
    """

    ending: Ending
    seconds: float
    console: str = ""
    screen: str = ""
    report: ProbeReport | None = None
    grub_at: float | None = None
    kernel_at: float | None = None
    obstacle: str = ""


@dataclass(frozen=True, kw_only=True)
class Proof:
    """The result of a proof: one boot with one firmware.

    `at` is in seconds since the epoch (UTC); `findings` are in the order of the boot.
    """

    version: int = PROOF_VERSION
    mirror: str
    generation: int
    at: float
    firmware: Firmware
    times: BootTimes
    ending: Ending
    findings: tuple[Finding, ...]

    @property
    def passed(self) -> bool:
        """Whether nothing was wrong."""
        return first_broken(self.findings) is None

    @property
    def cause(self) -> str:
        """The first thing that went wrong, or '' if nothing did."""
        broken = first_broken(self.findings)
        return f"{broken.link}: {broken.message}" if broken else ""
