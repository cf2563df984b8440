"""The door to udev and sysfs (pyudev): which disks are attached, and which one a name means."""

import contextlib
from pathlib import Path

import pyudev

from rescue.errors import RefusedError
from rescue.model.storage.identity import DiskId
from rescue.system.block.block_tree import (
    DiskNode,
    OtherNode,
    RawDevice,
    disks_of,
    identity,
    others_of,
    parse_block_drivers,
)
from rescue.system.process.run import run, which
from rescue.units import whole_number

_ATTRIBUTES = (
    "size",
    "ro",
    "removable",
    "hidden",
    "partition",
    "start",
    "serial",
    "device/serial",
    "device/model",
    "queue/logical_block_size",
    "queue/physical_block_size",
    "dm/name",
    "dm/uuid",
    "md/level",
    "md/degraded",
    "md/metadata_version",
    "md/raid_disks",
    "md/sync_action",
    "loop/backing_file",
)


def list_disks() -> tuple[DiskNode, ...]:
    """Return the whole disks that can matter, with partitions and layers, sorted by path."""
    return list_devices()[0]


def list_devices() -> tuple[tuple[DiskNode, ...], tuple[OtherNode, ...]]:
    """Return the whole disks, and the block devices that are neither disk nor partition of one."""
    raw = raw_devices()
    drivers = parse_block_drivers(Path("/proc/devices").read_text("ascii"))
    return disks_of(raw, drivers), others_of(raw, drivers)


def raw_devices() -> tuple[RawDevice, ...]:
    """Return every block device with all that udev and sysfs say of it that we use: one look."""
    devices = pyudev.Context().list_devices(subsystem="block")
    return tuple(_raw(device) for device in devices if device.device_node)


def disk_id(path: str) -> DiskId:
    """Return the identity of the whole disk that is at `path` at this moment.

    Every call asks udev and sysfs again, since a disk may have been replaced under the same
    name. Raises RefusedError where there is no disk.
    """
    device = _at(path)
    if device.device_type != "disk":
        raise RefusedError(
            f"{path} is not a whole disk", hint="'rescue disks' lists the disks that are attached"
        )
    return identity(_raw(device))


def partition_paths(path: str) -> dict[int, str]:
    """Return the device nodes of the partitions that the kernel knows on the disk at `path`.

    Keys are the partitions' numbers. Raises RefusedError where there is no disk.
    """
    disk = _at(path)
    numbered = ((_attribute(child, "partition"), child.device_node) for child in disk.children)
    known = ((whole_number(text), node) for text, node in numbered)
    return {number: node for number, node in known if number is not None and node}


class DiskWatch:
    """Notices that disks come and go, from the moment it is made on; for a `select` loop."""

    def __init__(self) -> None:
        """Begin to listen. Without udev there is never any news."""
        self._monitor = pyudev.Monitor.from_netlink(pyudev.Context())
        self._monitor.filter_by("block", "disk")
        self._monitor.start()

    def fileno(self) -> int:
        """Return what becomes readable when there may be news."""
        return int(self._monitor.fileno())

    def changed(self) -> bool:
        """Process the news, and return whether a disk came or went (or a card in its reader)."""
        news = False
        while (device := self._monitor.poll(timeout=0)) is not None:
            media = "DISK_MEDIA_CHANGE" in device.properties
            news |= device.action in ("add", "remove") or media
        return news


def settle(timeout: int = 60) -> None:
    """Wait until udev has worked off its events, `timeout` seconds at most.

    Raises CommandError where it is not done in time. Without udev there is nothing to wait for.
    """
    if which("udevadm"):
        run(["udevadm", "settle", f"--timeout={timeout}"], timeout=timeout + 30.0)


def reload_rules() -> None:
    """Make udev reload its rules. Raises CommandError; without udev there is nothing to do."""
    if which("udevadm"):
        run(["udevadm", "control", "--reload"])


def _at(path: str) -> pyudev.Device:
    try:
        device = pyudev.Devices.from_device_file(pyudev.Context(), str(Path(path).resolve()))
    except (pyudev.DeviceNotFoundError, OSError, ValueError) as error:
        raise RefusedError(
            f"there is no disk at {path}",
            hint="attach it again; 'rescue disks' lists the disks that are attached",
        ) from error
    if device.subsystem != "block":
        raise RefusedError(f"{path} is not a disk", hint="'rescue disks' lists the disks")
    return device


def _raw(device: pyudev.Device) -> RawDevice:
    """Read everything we use of one device; what vanishes meanwhile reads as empty."""
    parent = device.find_parent("block")
    number = device.device_number
    wanted = (*_ATTRIBUTES, *_of_members(device))
    return RawDevice(
        sys_path=device.sys_path,
        sys_name=device.sys_name,
        node=device.device_node or "",
        kind=device.device_type or "",
        major=int(device.properties.get("MAJOR", 0)) if number else 0,
        minor=int(device.properties.get("MINOR", 0)) if number else 0,
        parent=parent.sys_path if parent is not None else "",
        subsystems=tuple(above.subsystem for above in device.ancestors if above.subsystem),
        holders=_holders(Path(device.sys_path)),
        links=tuple(sorted(device.device_links)),
        known=device.is_initialized,
        properties=dict(device.properties),
        attributes={name: _attribute(device, name) for name in wanted},
    )


def _of_members(device: pyudev.Device) -> tuple[str, ...]:
    """Return the attributes of an md array's members (md.rst of the kernel: md/dev-NAME)."""
    with contextlib.suppress(OSError):
        members = sorted((Path(device.sys_path) / "md").glob("dev-*"))
        return tuple(f"md/{each.name}/{name}" for each in members for name in ("offset", "state"))
    return ()


def _holders(folder: Path) -> tuple[str, ...]:
    with contextlib.suppress(OSError):
        # libudev writes '/' where sysfs has '!' in a kernel name.
        held = (folder / "holders").iterdir()
        return tuple(sorted(entry.name.replace("!", "/") for entry in held))
    return ()


def _attribute(device: pyudev.Device, name: str) -> str:
    value: bytes | None = device.attributes.get(name)
    return value.decode("utf-8", "replace").strip() if value else ""
