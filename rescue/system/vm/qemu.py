"""QEMU: a described machine, switched on, watched, and ended with us (man 1 qemu-system-x86_64).

Nothing stays when this process dies, however it does: the kernel kills QEMU with it, and what
QEMU needs lies in a folder that the caller lets go (`mountns.vanishing_folder`).
"""

import contextlib
import json
import os
import pwd
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rescue.errors import UsageError
from rescue.model.boot.firmware import Firmware
from rescue.model.virtual import DiskBus, VirtualDisk, VirtualMachine
from rescue.system.process.beside import Child, running
from rescue.system.process.run import which
from rescue.system.vm.accelerator import QEMU, options
from rescue.system.vm.qmp import Qmp, QmpError

OVMF_CODE = Path("/usr/share/OVMF/OVMF_CODE_4M.fd")
OVMF_VARIABLES = Path("/usr/share/OVMF/OVMF_VARS_4M.fd")

_NICE = "10"
"""It gives way, but keeps running: at niceness 19 a guest stalls beside a busy process."""

_DYNAMIC_USERS = range(61184, 65520)

_MOST_SAID = 8 * 1024 * 1024
"""Bytes of a log that are looked at; the folder that it lies in has room for more."""

_CONSOLE = "console.log"
_REPORT = "report.log"
_VARIABLES = "variables.fd"
_SERCON = "sercon"
_MONITOR = "qmp"

# SeaBIOS shows what the BIOS and GRUB print on a serial port, too: the number is the port's.
_COM2 = (0x2F8).to_bytes(2, "little")

_DEVICES = {
    DiskBus.VIRTIO: {"driver": "virtio-blk-pci"},
    DiskBus.SATA: {"driver": "ide-hd"},
    DiskBus.NVME: {"driver": "nvme"},
    DiskBus.USB: {"driver": "usb-storage", "bus": "usb.0"},
    DiskBus.SCSI: {"driver": "scsi-hd", "bus": "scsi.0"},
}


def expect_installed(firmware: Firmware) -> None:
    """Raise UsageError that names the packages, where this machine cannot run the guest."""
    missing = [] if which(QEMU) else ["qemu-system-x86"]
    missing += [] if which("qemu-img") else ["qemu-utils"]
    if firmware is Firmware.UEFI and not (OVMF_CODE.exists() and OVMF_VARIABLES.exists()):
        missing.append("ovmf")
    if missing:
        raise UsageError(
            f"no virtual machine can be started: {' and '.join(missing)} not installed",
            hint=f"apt install --no-install-recommends {' '.join(missing)}",
        )


def qemu_argv(
    machine: VirtualMachine,
    folder: Path,
    accelerator: tuple[str, ...],
    *,
    user: int | None = None,
) -> list[str]:
    """Return QEMU's command line; its logs, sockets and variables lie in `folder`.

    It opens all that it needs, and switches to that `user` before the guest runs.
    """
    becomes = [] if user is None else ["-runas", f"{user}:{user}"]
    # 'deny' would keep it from becoming that user, who has no rights to become another one.
    elevate = "deny" if user is None else "allow"
    argv = [
        # Where it writes its pictures when it is nobody: the way there is root's alone.
        *("env", f"--chdir={folder}", "nice", "-n", _NICE, QEMU, *accelerator),
        *becomes,
        *("-sandbox", f"on,obsolete=deny,elevateprivileges={elevate},spawn=deny"),
        *("-machine", "q35", "-nodefaults", "-no-user-config"),
        # It stays to be asked how it went off.
        *("-action", "reboot=shutdown,shutdown=pause"),
        *("-display", "none", "-vga", "std", "-nic", "none", "-rtc", "base=utc"),
        *("-m", str(machine.memory_mib), "-smp", str(machine.cpus)),
        *("-chardev", f"file,id=console,path={folder / _CONSOLE}", "-serial", "chardev:console"),
        *("-chardev", f"file,id=report,path={folder / _REPORT}", "-serial", "chardev:report"),
        *("-chardev", f"socket,id=monitor,path={folder / _MONITOR},server=on,wait=off"),
        *("-mon", "chardev=monitor,mode=control"),
        *("-device", "virtio-rng-pci"),
    ]
    argv += _firmware(machine.firmware, folder)
    if any(disk.bus is DiskBus.USB for disk in machine.disks):
        argv += ["-device", "qemu-xhci,id=usb"]
    if any(disk.bus is DiskBus.SCSI for disk in machine.disks):
        argv += ["-device", "virtio-scsi-pci,id=scsi"]
    for number, disk in enumerate(machine.disks):
        argv += ["-blockdev", json.dumps(_block_node(disk, number))]
        argv += ["-device", json.dumps(_disk_device(disk, number))]
    return argv


def _firmware(firmware: Firmware, folder: Path) -> list[str]:
    if firmware is Firmware.BIOS:
        return ["-fw_cfg", f"name=etc/sercon-port,file={folder / _SERCON}"]
    drive = "if=pflash,format=raw"
    return [
        *("-drive", f"{drive},unit=0,readonly=on,file={OVMF_CODE}"),
        *("-drive", f"{drive},unit=1,file={folder / _VARIABLES}"),
    ]


def _block_node(disk: VirtualDisk, number: int) -> dict[str, Any]:
    # Nothing a guest writes has to outlive a power cut of the real machine.
    cache = {"no-flush": True, "direct": False}
    kind = "host_device" if disk.path.startswith("/dev/") else "file"
    return {
        "driver": disk.format.value,
        "node-name": f"disk{number}",
        "read-only": disk.read_only,
        "cache": cache,
        "file": {"driver": kind, "filename": disk.path, "cache": cache},
    }


def _disk_device(disk: VirtualDisk, number: int) -> dict[str, Any]:
    device: dict[str, Any] = {"drive": f"disk{number}", "bootindex": number, "serial": disk.serial}
    if disk.bus is DiskBus.SATA:
        device["bus"] = f"ide.{number}"
    return _DEVICES[disk.bus] | device


@dataclass(frozen=True, kw_only=True)
class PoweredOn:
    """A machine that was switched on."""

    folder: Path
    child: Child
    qmp: Qmp
    started: float

    @property
    def is_on(self) -> bool:
        """Whether it has power; a guest that switches itself off, or restarts, does not."""
        return self.child.is_running and not self.went_off

    @property
    def went_off(self) -> str:
        """How the guest ended (QEMU: ShutdownCause), 'guest-shutdown' if cleanly; '' while it runs.

        One that restarts, 'guest-reset', is off, too.
        """
        events = (each for each in self.qmp.events() if each["event"] == "SHUTDOWN")
        return next((str(each["data"]["reason"]) for each in events), "")

    @property
    def seconds(self) -> float:
        """Seconds since it was switched on."""
        return time.monotonic() - self.started

    @property
    def console(self) -> str:
        """The serial console's output, including firmware and GRUB if they use it."""
        return _text(self.folder / _CONSOLE)

    @property
    def report(self) -> str:
        """The output on COM2; with BIOS also what firmware and GRUB show on the screen."""
        return _text(self.folder / _REPORT)

    @property
    def signs_of_life(self) -> int:
        """A count of its output and of the data it read from its disks and wrote to them."""
        said = _size(self.folder / _CONSOLE) + _size(self.folder / _REPORT)
        return said + self.qmp.transferred()

    def screendump(self, path: Path) -> None:
        """Write a picture of the screen as PNG, into its folder; QEMU does. Raises QmpError."""
        self.qmp.execute("screendump", filename=path.name, format="png")

    def close_disks(self, *, seconds: float) -> None:
        """Shut QEMU down cleanly, so that it holds back nothing that was written."""
        with contextlib.suppress(QmpError, OSError):
            self.qmp.execute("quit")
        self.child.wait(seconds=seconds)


class Silence:
    """How long a count has been unchanged; times in seconds of any steady clock."""

    def __init__(self) -> None:
        """Start without any count."""
        self._count = -1
        self._since = 0.0

    def lasts(self, count: int, now: float) -> float:
        """Return for how long the count has had its present value."""
        if count != self._count:
            self._count, self._since = count, now
        return now - self._since


@contextmanager
def powered_on(machine: VirtualMachine, folder: Path) -> Iterator[PoweredOn]:
    """Switch a machine on, and pull its plug at the end of the block if it is still on.

    `folder` is an existing one of the caller's; no path in it may be longer than 107 bytes (man 7
    unix). Raises UsageError where QEMU is not installed, QmpError where it does not start.
    """
    expect_installed(machine.firmware)
    if machine.firmware is Firmware.UEFI:
        (folder / _VARIABLES).write_bytes(OVMF_VARIABLES.read_bytes())
    else:
        (folder / _SERCON).write_bytes(_COM2)
    started = time.monotonic()
    log = folder / "qemu.log"
    user = _user_of_nobody()
    if user is not None:
        os.chown(folder, user, user)
    argv = qemu_argv(machine, folder, options(emulated=machine.emulated), user=user)
    with running(argv, log=log, changes_user=user is not None) as child:
        try:
            qmp = Qmp(folder / _MONITOR, alive=lambda: child.is_running)
        except QmpError as error:
            raise QmpError(f"QEMU does not start: {_text(log).strip() or error}") from error
        try:
            yield PoweredOn(folder=folder, child=child, qmp=qmp, started=started)
        finally:
            qmp.close()


def _user_of_nobody() -> int | None:
    """Return a user number that no account and no other guest has (systemd.io/UIDS-GIDS).

    None where this process cannot become another user: then it has no rights to lose either.
    """
    if os.geteuid() != 0:
        return None
    taken = {each.pw_uid for each in pwd.getpwall()}
    return secrets.choice([number for number in _DYNAMIC_USERS if number not in taken])


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _text(path: Path) -> str:
    """Return a log: of one that a guest floods the beginning and the end."""
    if not path.exists():
        return ""
    with path.open("rb") as file:
        data = file.read(_MOST_SAID // 2)
        rest = file.seek(0, os.SEEK_END) - len(data)
        file.seek(-min(rest, _MOST_SAID // 2), os.SEEK_END)
        left_out = rest - min(rest, _MOST_SAID // 2)
        note = f"\n... {left_out} bytes left out\n".encode() if left_out else b""
        return (data + note + file.read()).decode("utf-8", "replace")
