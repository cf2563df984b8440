"""The command lines by which a virtual machine and its throw-away overlay come about."""

import json
from pathlib import Path

from rescue.model.boot.firmware import Firmware
from rescue.model.virtual import DiskBus, ImageFormat, VirtualDisk, VirtualMachine
from rescue.system.block.loop import Span
from rescue.system.block.overlay import Overlay, create_argv, export_argv, partition_argv
from rescue.system.vm.qemu import qemu_argv

FOLDER = Path("/run/rescue/prove")
TCG = ("-accel", "tcg")


def _argv(**changes: object) -> list[str]:
    disk = VirtualDisk(path="/proc/7/fd/3", format=ImageFormat.QCOW2, serial="MIRROR01")
    values: dict[str, object] = {
        "firmware": Firmware.BIOS,
        "memory_mib": 1024,
        "cpus": 2,
        "disks": (disk,),
    }
    return qemu_argv(VirtualMachine(**(values | changes)), FOLDER, TCG)  # type: ignore[arg-type]


def _option(argv: list[str], name: str) -> list[str]:
    return [argv[at + 1] for at, each in enumerate(argv) if each == name]


def _blocks(argv: list[str]) -> list[dict[str, object]]:
    return [json.loads(text) for text in _option(argv, "-blockdev")]


def _disk_devices(argv: list[str]) -> list[dict[str, object]]:
    return [json.loads(text) for text in _option(argv, "-device") if text.startswith("{")]


def test_a_guest_has_no_network_and_what_it_was_given() -> None:
    argv = _argv()
    assert _option(argv, "-nic") == ["none"]
    assert "-netdev" not in argv
    assert _option(argv, "-m") == ["1024"]
    assert _option(argv, "-smp") == ["2"]


def test_it_is_nobody_when_the_guest_runs_and_gains_no_rights() -> None:
    machine = VirtualMachine(firmware=Firmware.BIOS, memory_mib=1, cpus=1, disks=())
    argv = qemu_argv(machine, FOLDER, TCG, user=61200)
    assert _option(argv, "-runas") == ["61200:61200"]
    assert "spawn=deny" in _option(argv, "-sandbox")[0]
    assert "elevateprivileges=deny" in _option(_argv(), "-sandbox")[0]


def test_it_stops_where_it_would_start_anew_and_can_be_asked_why() -> None:
    assert _option(_argv(), "-action") == ["reboot=shutdown,shutdown=pause"]


def test_only_the_given_accelerator_is_used() -> None:
    assert _option(_argv(), "-accel") == ["tcg"]


def test_a_disk_is_read_only_where_it_shall_be() -> None:
    disks = (
        VirtualDisk(path="/dev/sdb", format=ImageFormat.RAW, serial="A", read_only=True),
        VirtualDisk(path="/x.qcow2", format=ImageFormat.QCOW2, serial="B", bus=DiskBus.VIRTIO),
    )
    argv = _argv(disks=disks)
    first, second = _blocks(argv)
    assert first["read-only"] is True
    assert first["driver"] == "raw"
    assert first["file"] == {
        "driver": "host_device",
        "filename": "/dev/sdb",
        "cache": {"no-flush": True, "direct": False},
    }
    assert second["read-only"] is False
    assert second["driver"] == "qcow2"
    devices = _disk_devices(argv)
    assert [device["driver"] for device in devices] == ["ide-hd", "virtio-blk-pci"]
    assert [device["serial"] for device in devices] == ["A", "B"]
    assert [device["bootindex"] for device in devices] == [0, 1]


def test_a_scsi_disk_has_the_controller_that_a_cloud_kernel_drives() -> None:
    disk = VirtualDisk(path="/x", format=ImageFormat.QCOW2, serial="A", bus=DiskBus.SCSI)
    argv = _argv(disks=(disk,))
    assert "virtio-scsi-pci,id=scsi" in _option(argv, "-device")
    assert [each["bus"] for each in _disk_devices(argv)] == ["scsi.0"]


def test_the_bios_shows_its_screen_on_the_second_serial_port() -> None:
    assert _option(_argv(), "-fw_cfg") == ["name=etc/sercon-port,file=/run/rescue/prove/sercon"]


def test_uefi_has_variables_of_its_own_and_code_that_is_locked() -> None:
    code, variables = _option(_argv(firmware=Firmware.UEFI), "-drive")
    assert "readonly=on" in code
    assert "OVMF_CODE_4M.fd" in code
    assert variables == "if=pflash,format=raw,unit=1,file=/run/rescue/prove/variables.fd"


def test_an_overlay_names_its_disk_and_what_lies_on_it() -> None:
    assert create_argv("/proc/7/fd/3", backing="/dev/sdb", format_=ImageFormat.RAW) == [
        *("qemu-img", "create", "-q", "-f", "qcow2"),
        *("-b", "/dev/sdb", "-F", "raw", "/proc/7/fd/3"),
    ]


def test_an_overlay_is_exported_to_be_written() -> None:
    argv = export_argv(Overlay(path="/proc/7/fd/3"), FOLDER / "disk.raw")
    assert argv[0] == "qemu-storage-daemon"
    assert argv[-1] == (
        "type=fuse,id=export,node-name=disk,mountpoint=/run/rescue/prove/disk.raw,writable=on"
    )


def test_a_partition_is_mounted_by_its_place() -> None:
    span = Span(start=1048576, length=4096)
    assert partition_argv(FOLDER / "disk.raw", span, "ext4", Path("/m")) == [
        *("mount", "-t", "ext4"),
        "-o",
        "loop,offset=1048576,sizelimit=4096,noatime,nodev,nosuid,noexec,nosymfollow,"
        "errors=remount-ro",
        *("/run/rescue/prove/disk.raw", "/m"),
    ]
