"""What a guest is made of, and QEMU's command line for it."""

import json
import shutil
import subprocess
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from tests.lab.accel import QEMU
from tests.lab.disk import Disk, DiskModel

PORTS = 8
"""PCI ports a disk can be plugged into while the guest runs."""


class Firmware(StrEnum):
    """What starts the boot loader."""

    BIOS = "bios"
    UEFI = "uefi"


BIOS = Firmware.BIOS
UEFI = Firmware.UEFI

VARIABLES = "ovmf_vars.qcow2"
"""Name of the file with the firmware's variables, in a guest's directory."""

_OVMF = Path("/usr/share/OVMF")
_OVMF_CODE = _OVMF / "OVMF_CODE_4M.fd"
_OVMF_VARS = _OVMF / "OVMF_VARS_4M.fd"


@dataclass(frozen=True)
class DirectKernel:
    """A kernel QEMU loads itself, in place of a boot loader."""

    kernel: Path
    initrd: Path
    command_line: str


@dataclass(frozen=True, kw_only=True)
class Hardware:
    """A machine without its disks."""

    firmware: Firmware = BIOS
    memory: int = 3072
    """MiB; enough to hold what a first copy reads and writes: the ext4 of Debian's kernel 6.1.192-1
    dereferences NULL when the kernel has taken its bitmaps from memory."""
    processors: int = 1
    """One for each of the two guests that run at a time: two in each cost one another a quarter of
    their speed under emulation."""
    nested: bool = False
    """Whether it starts guests itself."""
    direct_kernel: DirectKernel | None = None


@dataclass(frozen=True)
class Plugged:
    """A disk in a guest, with the port it sits in."""

    disk: Disk
    port: int
    boot_index: int | None = None

    @property
    def name(self) -> str:
        """The name QEMU and this harness know device and block node by."""
        return "disk-" + "".join(c if c.isalnum() else "-" for c in self.disk.serial)

    def blockdev(self) -> dict[str, Any]:
        """Return the block node, for -blockdev and blockdev-add."""
        # The host's crash is not what is tested: a flush reaches the host's cache, no further.
        file = {"driver": "file", "filename": str(self.disk.path)}
        return {
            "driver": "qcow2",
            "node-name": self.name,
            "file": {**file, "cache": {"no-flush": True, "direct": False}},
            "cache": {"no-flush": True, "direct": False},
            "discard": "unmap",
            "detect-zeroes": "unmap",
            "read-only": self.disk.read_only,
        }

    def device(self) -> dict[str, Any]:
        """Return the device, for -device and device_add."""
        model = self.disk.model
        device: dict[str, Any] = {
            "driver": str(model),
            "id": self.name,
            "drive": self.name,
            "serial": self.disk.shows or self.disk.serial,
        }
        if self.disk.sector_size != 512:
            device["logical_block_size"] = self.disk.sector_size
            device["physical_block_size"] = self.disk.sector_size
        if self.boot_index is not None:
            device["bootindex"] = self.boot_index
        device |= _bus(model, self.port)
        return device


def _bus(model: DiskModel, port: int) -> dict[str, str]:
    match model:
        case DiskModel.VIRTIO | DiskModel.NVME:
            return {"bus": f"port{port}"}
        case DiskModel.USB:
            return {"bus": "usb.0"}
        case DiskModel.SCSI:
            return {"bus": "scsi.0"}
        case DiskModel.IDE:
            return {"bus": f"ide.{port % 6}"}


def controllers(models: set[DiskModel]) -> list[dict[str, Any]]:
    """Return the controllers disks of these models need, beside the PCI ports and the IDE bus."""
    needed: list[dict[str, Any]] = []
    if DiskModel.USB in models:
        needed.append({"driver": "qemu-xhci", "id": "usb", "bus": "pcie.0", "addr": "0x1e"})
    if DiskModel.SCSI in models:
        needed.append({"driver": "virtio-scsi-pci", "id": "scsi", "bus": "pcie.0", "addr": "0x1d"})
    return needed


def ports() -> list[dict[str, Any]]:
    """Return the PCI ports: eight functions of one slot, so that the firmware is quick."""
    return [
        {
            "driver": "pcie-root-port",
            "id": f"port{number}",
            "bus": "pcie.0",
            "addr": f"0x10.0x{number:x}",
            "chassis": number + 1,
            "multifunction": True,
        }
        for number in range(PORTS)
    ]


def command_line(
    hardware: Hardware,
    plugged: list[Plugged],
    accelerator: tuple[str, ...],
    *,
    directory: Path,
    sockets: Path,
) -> list[str]:
    """Return QEMU's argument list; console.log and the firmware variables lie in `directory`."""
    network = "user,id=net,restrict=on,hostfwd=tcp:127.0.0.1:0-:22"
    log = directory / "console.log"
    console = f"socket,id=console,path={sockets}/console,server=on,wait=off,logfile={log}"
    monitor = f"socket,id=monitor,path={sockets}/qmp,server=on,wait=off"
    # A guest must not outlive a test run that was killed.
    argv = [
        "setpriv",
        "--pdeathsig",
        "KILL",
        "--",
        QEMU,
        *accelerator,
        "-machine",
        "q35",
        "-nodefaults",
        "-display",
        "none",
    ]
    argv += ["-m", str(hardware.memory), "-smp", str(hardware.processors), "-vga", "std"]
    argv += ["-rtc", "base=utc", "-netdev", network, "-chardev", console, "-serial"]
    argv += ["chardev:console", "-chardev", monitor, "-mon", "chardev=monitor,mode=control"]
    # Hardware random numbers: a guest under emulation collects too few of its own to start sshd.
    devices = [{"driver": "virtio-rng-pci", "bus": "pcie.0", "addr": "0x1c"}]
    devices += [{"driver": "virtio-net-pci", "netdev": "net", "bus": "pcie.0", "addr": "0x2"}]
    devices[-1]["romfile"] = ""  # no attempt to boot from the network
    devices += ports()
    devices += controllers({each.disk.model for each in plugged})
    for each in plugged:
        argv += ["-blockdev", json.dumps(each.blockdev())]
    for device in [*devices, *(each.device() for each in plugged)]:
        argv += ["-device", json.dumps(device)]
    if hardware.firmware is UEFI:
        argv += _flash(directory)
    if kernel := hardware.direct_kernel:
        argv += ["-kernel", str(kernel.kernel), "-initrd", str(kernel.initrd)]
        argv += ["-append", kernel.command_line]
    return argv


def _flash(directory: Path) -> list[str]:
    """Give the firmware and a memory of its own, as qcow2 so that snapshots can hold it."""
    variables = directory / VARIABLES
    if not variables.exists():
        convert = ["qemu-img", "convert", "-f", "raw", "-O", "qcow2", str(_OVMF_VARS)]
        subprocess.run([*convert, str(variables)], check=True)
    nodes: list[dict[str, Any]] = [
        {
            "driver": "raw",
            "node-name": "flash0",
            "read-only": True,
            "file": {"driver": "file", "filename": str(_OVMF_CODE)},
        },
        {
            "driver": "qcow2",
            "node-name": "flash1",
            "file": {"driver": "file", "filename": str(variables)},
        },
    ]
    argv: list[str] = []
    for node in nodes:
        argv += ["-blockdev", json.dumps(node)]
    return [*argv, "-machine", "pflash0=flash0,pflash1=flash1"]


def missing_programs() -> list[str]:
    """Return what is not installed of the programs and files a guest needs."""
    programs = [
        QEMU,
        "qemu-img",
        "qemu-io",
        "setpriv",
        "ssh",
        "scp",
        "mmdebstrap",
        "sfdisk",
        "mkfs.vfat",
    ]
    missing = [name for name in programs if shutil.which(name) is None]
    missing += [str(path) for path in (_OVMF_CODE, _OVMF_VARS) if not path.exists()]
    return missing
