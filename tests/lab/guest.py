"""A running machine: power, commands, disks that come and go."""

import json
import re
import socket
import subprocess
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from rescue.system.vm.accelerator import SILENT_SECONDS
from rescue.system.vm.qemu import Silence
from rescue.system.vm.qmp import Qmp, QmpError
from tests.lab.accel import accelerator, give_up_kvm, is_kvm, kvm_is_given_up
from tests.lab.disk import Disk
from tests.lab.hardware import PORTS, Hardware, Plugged, command_line
from tests.lab.ssh import Result, Ssh

# These only end what hangs: beside other guests a machine is several times slower.
BOOT_SECONDS = 900.0
POWEROFF_SECONDS = 600.0
COMMAND_SECONDS = 1800.0
PASSPHRASE = "correct horse"
"""What opens every encrypted disk of the lab."""
_LOGIN = re.compile(r"^\S+ login: ", re.MULTILINE)
# The initramfs of Debian asks so, and systemd for what is opened later.
_LOCKED = re.compile(r"Please (?:unlock disk|enter passphrase for disk) ")
_FORWARD = re.compile(r"TCP\[HOST_FORWARD\]\s+\d+\s+127\.0\.0\.1\s+(\d+)\s")


@dataclass(frozen=True)
class Incoming:
    """Where the state of a frozen guest comes from, in QEMU's migration syntax.

    `accelerator` are the options that it was frozen under.
    """

    source: str
    accelerator: tuple[str, ...]


class GuestError(Exception):
    """A guest did not do what it was told; the message holds the end of its console."""


class Guest:
    """A machine in QEMU. As a context manager it is switched on, and cut off at the end."""

    def __init__(
        self,
        hardware: Hardware,
        plugged: Sequence[Plugged],
        *,
        key: Path,
        directory: Path,
        incoming: Incoming | None = None,
        passphrase: str = PASSPHRASE,
    ) -> None:
        """Take the disks as they are: the guest writes to them.

        `passphrase` is typed whenever a boot that is waited for asks for one; nothing is if it is
        empty.
        """
        self.hardware = hardware
        self.plugged = list(plugged)
        self.key = key
        self.directory = directory
        self.accelerator: tuple[str, ...] = ()
        self._incoming = incoming
        self._passphrase = passphrase
        self._unlocked = 0
        self._spoke = False
        self._silence = Silence()
        self._process: subprocess.Popen[bytes] | None = None
        self._sockets: tempfile.TemporaryDirectory[str] | None = None
        self._qmp: Qmp | None = None
        self._ssh: Ssh | None = None
        self._started = 0.0
        self._console_start = 0

    # --- power

    def __enter__(self) -> Self:
        """Switch on; a frozen guest is thawed and runs commands at once."""
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Cut the power if the guest still runs; after an error add the end of its console."""
        if error is not None:
            error.add_note(self._console_end())
        self.cut_power()

    def start(self) -> None:
        """Switch on; returns before the boot is through, a frozen guest runs commands at once.

        One that KVM loses before it says anything is switched on again in emulation: what it was
        frozen with is lost then, and its disks are as after a power cut.
        """
        if self._process is not None:
            raise GuestError("the guest is on already")
        self.directory.mkdir(parents=True, exist_ok=True)
        thawed = self._incoming
        if thawed and is_kvm(thawed.accelerator) and kvm_is_given_up():
            self._incoming = None
        self.accelerator = (
            self._incoming.accelerator
            if self._incoming
            else accelerator(nested=self.hardware.nested)
        )
        try:
            self._switch_on()
        except GuestError as error:
            if not is_kvm(self.accelerator):
                raise
            self._start_in_emulation(str(error))
        if thawed:
            self._resume()

    def _start_in_emulation(self, why: str) -> None:
        give_up_kvm(why)
        self.cut_power()
        self._incoming = None
        self.accelerator = accelerator(nested=self.hardware.nested)
        self._switch_on()

    def _switch_on(self) -> None:
        # Paths of sockets are limited to 107 bytes, and pytest's directories are deep.
        self._sockets = tempfile.TemporaryDirectory(prefix="lab-")
        sockets = Path(self._sockets.name)
        argv = command_line(
            self.hardware,
            self.plugged,
            self.accelerator,
            directory=self.directory,
            sockets=sockets,
        )
        if self._incoming:
            argv += ["-incoming", self._incoming.source]
        self._console_start = self._unlocked = 0
        self._started = time.monotonic()
        self._spoke, self._silence = False, Silence()
        with (self.directory / "qemu.log").open("wb") as log:
            self._process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            self._qmp = Qmp(sockets / "qmp", alive=lambda: self.is_on)
            forwards = _FORWARD.search(self.qmp.human("info usernet"))
        except (QmpError, OSError) as error:
            self.cut_power()
            log_text = (self.directory / "qemu.log").read_text(errors="replace")
            raise GuestError(f"QEMU does not start: {error}\n{log_text}") from None
        if forwards is None:
            raise GuestError(self.qmp.human("info usernet"))
        self._ssh = Ssh(port=int(forwards[1]), key=self.key, directory=sockets)

    def _resume(self, timeout: float = POWEROFF_SECONDS) -> None:
        """Let a guest with an `incoming` state go on; returns when it runs commands."""
        while self._incoming and self.qmp.execute("query-status")["status"] == "inmigrate":
            self._check_alive(timeout)
            time.sleep(0.05)
        self.qmp.execute("cont")
        self.wait_for_ssh(timeout)
        self.set_clock()

    def cut_power(self) -> None:
        """Pull the plug: the guest stops at once, and what it did not flush is lost."""
        if self._process is not None:
            self._process.kill()
        self._release()

    def poweroff(self, timeout: float = POWEROFF_SECONDS) -> None:
        """Shut down in order and wait for the end."""
        self.ssh.run("systemctl poweroff", timeout=30)
        self.wait_for_power_off(timeout)

    def wait_for_power_off(self, timeout: float = POWEROFF_SECONDS) -> None:
        """Wait until the guest has switched itself off."""
        if self._process is not None:
            try:
                self._process.wait(timeout)
            except subprocess.TimeoutExpired:
                raise GuestError(f"still on after {timeout} s\n{self._console_end()}") from None
        self._release()

    @property
    def is_on(self) -> bool:
        """Whether the guest has power."""
        return self._process is not None and self._process.poll() is None

    def _release(self) -> None:
        if self._ssh is not None:
            self._ssh.close()
        if self._qmp is not None:
            self._qmp.close()
        if self._process is not None:
            self._process.wait()
        if self._sockets is not None:
            self._sockets.cleanup()
        self._process = self._qmp = self._ssh = self._sockets = None

    # --- what it says

    @property
    def qmp(self) -> Qmp:
        """QEMU's monitor."""
        if self._qmp is None:
            raise GuestError("the guest is off")
        return self._qmp

    @property
    def ssh(self) -> Ssh:
        """The secure shell of the guest."""
        if self._ssh is None:
            raise GuestError("the guest is off")
        return self._ssh

    @property
    def console_text(self) -> str:
        """Everything the serial console showed since power-on, firmware and GRUB included."""
        log = self.directory / "console.log"
        return log.read_text(errors="replace") if log.exists() else ""

    def _console_end(self) -> str:
        return "--- end of the console\n" + "\n".join(self.console_text.splitlines()[-30:])

    def type_on_console(self, text: str) -> None:
        """Type on the serial console."""
        if self._sockets is None:
            raise GuestError("the guest is off")
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(f"{self._sockets.name}/console")
            connection.sendall(text.encode())
            time.sleep(0.2)  # QEMU reads a few bytes at a time and drops the rest on hang-up

    def screendump(self, path: Path) -> None:
        """Write a picture of the screen as PNG."""
        self.qmp.execute("screendump", filename=str(path), format="png")

    def wait_for_console(self, pattern: re.Pattern[str], timeout: float = BOOT_SECONDS) -> float:
        """Wait for a text on the serial console; return the seconds since power-on."""
        while not pattern.search(self.console_text[self._console_start :]):
            self._check_alive(timeout)
            time.sleep(0.1)
        self._spoke = True
        return time.monotonic() - self._started

    def wait_for_login(self, timeout: float = BOOT_SECONDS) -> float:
        """Wait for the login prompt on the serial console; return the seconds since power-on."""
        return self.wait_for_console(_LOGIN, timeout)

    def wait_for_ssh(self, timeout: float = BOOT_SECONDS) -> float:
        """Wait until commands can be run; return the seconds since power-on."""
        while not self.ssh.answers():
            self._check_alive(timeout)
            time.sleep(0.5)
        self._spoke = True
        return time.monotonic() - self._started

    def _check_alive(self, timeout: float) -> None:
        if is_kvm(self.accelerator) and not self._spoke and (why := self._lost()):
            self._start_in_emulation(why)
        if not self.is_on:
            raise GuestError(f"the guest is off\n{self._console_end()}")
        if time.monotonic() - self._started > timeout:
            raise GuestError(f"not there after {timeout} s\n{self._console_end()}")
        self._unlock()

    def _unlock(self) -> None:
        """Answer the next question for a passphrase, if the console shows one."""
        asked = len(_LOCKED.findall(self.console_text)) if self._passphrase else 0
        if asked > self._unlocked:
            self._unlocked += 1
            self.type_on_console(f"{self._passphrase}\n")

    def _lost(self) -> str:
        """Return why a guest that has not spoken counts as lost by KVM, '' where it does not."""
        if not self.is_on:
            return "QEMU ended before the guest spoke"
        life = len(self.console_text) + self.qmp.transferred()
        if self._silence.lasts(life, time.monotonic()) > SILENT_SECONDS:
            return f"no sign of life of a guest for {SILENT_SECONDS:.0f} s"
        return ""

    # --- commands

    def run(
        self,
        command: str,
        *,
        check: bool = True,
        timeout: float = COMMAND_SECONDS,
        input_: bytes = b"",
    ) -> Result:
        """Run a shell command line as root; unless `check` is off it must end with 0."""
        result = self.ssh.run(command, timeout=timeout, input_=input_)
        return result.expect(0) if check else result

    def put(self, source: Path, target: str, timeout: float = COMMAND_SECONDS) -> None:
        """Copy a file or directory into the guest."""
        self.ssh.copy(str(source), f":{target}", timeout=timeout)

    def get(self, source: str, target: Path, timeout: float = COMMAND_SECONDS) -> None:
        """Copy a file or directory out of the guest."""
        self.ssh.copy(f":{source}", str(target), timeout=timeout)

    def failed_units(self) -> list[str]:
        """Wait until the boot is through and return the units that failed."""
        self.run("systemctl is-system-running --wait", check=False, timeout=BOOT_SECONDS)
        shown = self.run("systemctl list-units --failed --plain --no-legend").stdout
        return [line.split()[0] for line in shown.splitlines()]

    def mounts(self) -> dict[str, str]:
        """Return the device mounted on each mount point, for file systems that have a device."""
        shown = json.loads(self.run("findmnt --json --list --output TARGET,SOURCE").stdout)
        rows = [(row["target"], row["source"]) for row in shown["filesystems"]]
        return {target: source for target, source in rows if source.startswith("/dev/")}

    def set_clock(self) -> None:
        """Set the guest's clock by the host's: it stood still in a snapshot."""
        self.run(f"date --utc --set @{time.time():.3f}")

    # --- disks

    def attach(self, disk: Disk) -> Plugged:
        """Plug a disk in while the guest runs; returns when the guest has it."""
        used = {each.port for each in self.plugged}
        port = next(port for port in range(PORTS) if port not in used)
        plugged = Plugged(disk, port)
        self.qmp.execute("blockdev-add", **plugged.blockdev())
        self.qmp.add_device(plugged.device())
        self.plugged.append(plugged)
        shown = disk.shows or disk.serial
        count = sum(shown == (each.disk.shows or each.disk.serial) for each in self.plugged)
        seen = f"$(lsblk -dno SERIAL | grep -cxF '{shown}')"
        self.run(f'until [ "{seen}" -ge {count} ]; do sleep 0.1; done')
        self.run("udevadm settle")
        return plugged

    def attach_blank_disk(self, serial: str, *, size: int | None = None) -> Disk:
        """Plug in a bare disk, as large as the first one unless `size` says how many bytes."""
        path = self.directory / f"blank-{serial}.qcow2"
        disk = Disk.blank(path, size=size or self.plugged[0].disk.size, serial=serial)
        self.attach(disk)
        return disk

    def detach(self, serial: str, timeout: float = POWEROFF_SECONDS) -> Disk:
        """Pull a disk out while the guest runs; returns when it is gone."""
        plugged = self._find(serial)
        self.qmp.execute("device_del", id=plugged.name)
        self.qmp.wait_event("DEVICE_DELETED", timeout, device=plugged.name)
        self.qmp.execute("blockdev-del", node_name=plugged.name)
        self.plugged.remove(plugged)
        return plugged.disk

    def disk(self, serial: str) -> Disk:
        """Return the disk with this serial number."""
        return self._find(serial).disk

    def device(self, serial: str) -> str:
        """Return the guest's path of a disk, for example /dev/vdb."""
        for line in self.run("lsblk -dnro NAME,SERIAL").stdout.splitlines():
            name, _, found = line.partition(" ")
            if found == serial:
                return f"/dev/{name}"
        raise GuestError(f"the guest has no disk {serial}")

    def written(self, serial: str) -> int:
        """Return how many bytes the guest has written to a disk since it is plugged in."""
        name = self._find(serial).name
        for seen in self.qmp.execute("query-blockstats"):
            if name in (seen.get("node-name"), seen.get("qdev"), seen.get("device")):
                return int(seen["stats"]["wr_bytes"])
        raise GuestError(f"QEMU keeps no account of {name}")

    def _find(self, serial: str) -> Plugged:
        return next(each for each in self.plugged if each.disk.serial == serial)
