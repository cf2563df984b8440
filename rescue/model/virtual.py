"""The description of a virtual machine before it is switched on."""

from dataclasses import dataclass
from enum import StrEnum

from rescue.model.boot.firmware import Firmware
from rescue.model.storage.disk import Disk

REPORT = "/dev/ttyS1"
"""COM2 as a guest calls it: what it writes there is its report."""


class Accel(StrEnum):
    """What runs a guest, in QEMU's words (man 1 qemu-system-x86_64, -accel).

    KVM is the virtualisation of the real machine's processor, TCG is emulation, several times
    slower; AUTO is KVM where it is tried and works.
    """

    AUTO = "auto"
    KVM = "kvm"
    TCG = "tcg"


class ImageFormat(StrEnum):
    """The format of a virtual disk's file or device, in QEMU's words."""

    RAW = "raw"
    QCOW2 = "qcow2"


class DiskBus(StrEnum):
    """How a virtual disk is attached: the drivers for it must be in the system that boots."""

    VIRTIO = "virtio"
    SATA = "sata"
    NVME = "nvme"
    SCSI = "scsi"
    USB = "usb"


@dataclass(frozen=True, kw_only=True)
class VirtualDisk:
    """One disk; the firmware tries disks in their order.

    `path` is a file, a device, or what `system.block.overlay` gives. What a guest writes goes
    there, unless the disk is `read_only`.
    """

    path: str
    format: ImageFormat
    serial: str
    bus: DiskBus = DiskBus.SATA
    read_only: bool = False


@dataclass(frozen=True, kw_only=True)
class VirtualMachine:
    """A PC without any network.

    `memory_mib` and `cpus` are what it takes at most of the real one. COM1 is its console; what
    is written to COM2 (/dev/ttyS1) is its report, to be read outside. One that is
    `emulated` does without the virtualisation of the real one's processor.
    """

    firmware: Firmware
    memory_mib: int
    cpus: int
    disks: tuple[VirtualDisk, ...]
    emulated: bool = False


_VIRTUAL = ("/dev/vd", "/dev/xvd")
"""Names of disks that only virtual machines have: those of virtio, and of Xen."""


def bus_like(disk: Disk) -> DiskBus:
    """Return the bus on which a guest sees a disk as the machine itself does.

    An initramfs may hold the drivers of its own machine alone (`MODULES=dep`), and a cloud's
    kernel drives no SATA: there a SCSI disk is one of virtio-scsi or Hyper-V.
    """
    match disk.transport:
        case "virtio":
            return DiskBus.VIRTIO
        case "nvme":
            return DiskBus.NVME
        case "scsi":
            return DiskBus.SCSI
        case _:
            return DiskBus.VIRTIO if disk.path.startswith(_VIRTUAL) else DiskBus.SATA
