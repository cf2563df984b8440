"""The tree of block devices, built from what the kernel and udev report.

Pure: `udev` collects `RawDevice` values from sysfs and udev's database, and this module reads
them. Which device belongs to which is what sysfs says (the device tree, `holders`, `partition`),
never what a kernel name looks like.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from rescue.model.storage.array import Array
from rescue.model.storage.device import Device, DeviceKind
from rescue.model.storage.identity import DiskId
from rescue.system.block.blockinfo import Signature, decode, parse_signature
from rescue.system.block.md import array_of
from rescue.units import Bytes, Sectors, whole_number

SYSFS_SECTOR = 512
"""sysfs and udev count in these, whatever the disk's own sectors are."""

NOT_DISKS = frozenset(
    {"loop", "ramdisk", "zram", "fd", "sr", "device-mapper", "md", "mdp", "bcache", "drbd", "zvol"}
)
"""Drivers (by their names in /proc/devices) whose devices are layers or memory, not disks."""

_KINDS = {
    "bcache": DeviceKind.CACHE,
    "device-mapper": DeviceKind.MAPPED,
    "drbd": DeviceKind.DRBD,
    "fd": DeviceKind.FLOPPY,
    "loop": DeviceKind.LOOP,
    "md": DeviceKind.ARRAY,
    "mdp": DeviceKind.ARRAY,
    "ramdisk": DeviceKind.MEMORY,
    "sr": DeviceKind.OPTICAL,
    "zram": DeviceKind.MEMORY,
    "zvol": DeviceKind.ZVOL,
}
_MAPPED_KINDS = {
    "LVM": DeviceKind.VOLUME,
    "CRYPT": DeviceKind.CRYPT,
    "mpath": DeviceKind.MULTIPATH,
}
"""By the beginning of the UUID that its maker gives a mapped device (LVM-..., CRYPT-LUKS2-...)."""


@dataclass(frozen=True, kw_only=True)
class RawDevice:
    """One block device: udev's properties and the sysfs attributes we use, as text.

    `parent` is the sysfs path of the block device it lies in ('' for none), `subsystems` are
    those of its ancestors, nearest first, `holders` the kernel names in sysfs' `holders` folder.
    `known` says whether udev has looked at the device.
    """

    sys_path: str
    sys_name: str
    node: str
    kind: str
    major: int
    minor: int
    parent: str = ""
    subsystems: tuple[str, ...] = ()
    holders: tuple[str, ...] = ()
    links: tuple[str, ...] = ()
    known: bool = False
    properties: Mapping[str, str] = field(default_factory=dict)
    attributes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class LayerNode:
    """A device that holds another one: dm, md, bcache; `path` is the name that people use."""

    path: str
    holders: "tuple[LayerNode, ...]" = ()


@dataclass(frozen=True, kw_only=True)
class OtherNode:
    """A block device that is neither a disk nor a partition of one.

    `device` has neither its content nor its uses yet; `signature` is what udev saw, None where it
    did not look.
    """

    major_minor: str
    device: Device
    signature: Signature | None = None
    holders: "tuple[LayerNode, ...]" = ()


@dataclass(frozen=True, kw_only=True)
class PartitionNode:
    """One partition as the kernel knows it; start and length in the disk's logical sectors.

    `type`, `uuid` and `name` are udev's (empty where it did not look); `signature` is what udev
    saw, None where it did not look.
    """

    path: str
    major_minor: str
    number: int
    start: Sectors
    length: Sectors
    type: str = ""
    uuid: str = ""
    name: str = ""
    links: tuple[str, ...] = ()
    signature: Signature | None = None
    holders: tuple[LayerNode, ...] = ()


@dataclass(frozen=True, kw_only=True)
class DiskNode:
    """One whole disk as kernel and udev know it; `signature` is None where udev did not look."""

    path: str
    major_minor: str
    id: DiskId
    size: Bytes
    logical_sector: int
    physical_sector: int
    model: str
    transport: str
    read_only: bool
    removable: bool
    links: tuple[str, ...] = ()
    signature: Signature | None = None
    holders: tuple[LayerNode, ...] = ()
    partitions: tuple[PartitionNode, ...] = ()


def parse_block_drivers(text: str) -> dict[int, str]:
    """Given /proc/devices (man 5 proc), return the name of each block major's driver."""
    rows = (line.split() for line in text.partition("Block devices:")[2].split("\n"))
    named = ((whole_number(row[0]), row[1]) for row in rows if len(row) == 2)
    return {major: name for major, name in named if major is not None}


def disks_of(raw: Sequence[RawDevice], drivers: Mapping[int, str]) -> tuple[DiskNode, ...]:
    """Given every block device and the drivers' names, return the disks that can matter.

    Left out: what is memory or a layer (NOT_DISKS), optical drives, devices without size (empty
    card readers), hidden paths of multipath NVMe, and eMMC's own boot areas, which sysfs shows
    as disks inside a disk.
    """
    found = (device for device in raw if _is_disk(device, drivers))
    return tuple(sorted((_disk(device, raw) for device in found), key=lambda disk: disk.path))


def others_of(raw: Sequence[RawDevice], drivers: Mapping[int, str]) -> tuple[OtherNode, ...]:
    """Given the same, return what is neither a disk nor a partition of one, sorted by path.

    Loop devices without a file are left out, and so are the hidden paths of multipath NVMe.
    """
    disks = {device.sys_path for device in raw if _is_disk(device, drivers)}
    found = (
        OtherNode(
            major_minor=major_minor(device),
            device=_other(device, raw, drivers),
            signature=_signature(device),
            holders=_over(device, raw),
        )
        for device in raw
        if device.sys_path not in disks
        and not (device.parent in disks and _number(device, "partition"))
        and device.attributes.get("hidden", "0") != "1"
        and (drivers.get(device.major) != "loop" or _number(device, "size"))
    )
    return tuple(sorted(found, key=lambda other: other.device.path))


def _other(device: RawDevice, raw: Sequence[RawDevice], drivers: Mapping[int, str]) -> Device:
    kind = _kind(device, drivers)
    return Device(
        key=_path(device),
        kind=kind,
        path=_path(device),
        name=_name(device, kind),
        detail=_detail(device, kind),
        size=Bytes(_number(device, "size") * SYSFS_SECTOR),
        links=device.links,
        made_of=_made_of(device, raw),
        array=_array(device, raw) if kind is DeviceKind.ARRAY else None,
    )


def _array(device: RawDevice, raw: Sequence[RawDevice]) -> Array:
    return array_of(
        device.attributes, device.properties, {other.sys_name: _path(other) for other in raw}
    )


def _name(device: RawDevice, kind: DeviceKind) -> str:
    """Return a device's customary name if it is not its path, otherwise ''."""
    said, seen = device.properties, device.attributes
    match kind:
        case DeviceKind.VOLUME:
            names = (decode(said.get("DM_VG_NAME", "")), decode(said.get("DM_LV_NAME", "")))
            return "/".join(names) if all(names) else seen.get("dm/name", "")
        case DeviceKind.ARRAY:
            return decode(said.get("MD_NAME", "") or said.get("MD_DEVNAME", ""))
        case DeviceKind.LOOP:
            return seen.get("loop/backing_file", "")
        case _:
            return seen.get("dm/name", "")


def _detail(device: RawDevice, kind: DeviceKind) -> str:
    """Return what the maker of a device tells besides.

    That is an array's level, and what LVM keeps a volume's own device for: 'cow', 'real', 'tpool'.
    """
    match kind:
        case DeviceKind.ARRAY:
            return device.attributes.get("md/level", "")
        case DeviceKind.VOLUME:
            return decode(device.properties.get("DM_LV_LAYER", ""))
        case _:
            return ""


def _kind(device: RawDevice, drivers: Mapping[int, str]) -> DeviceKind:
    if device.properties.get("ID_CDROM") == "1":
        return DeviceKind.OPTICAL
    maker = device.attributes.get("dm/uuid", "").partition("-")[0]
    # kpartx maps the partitions of a mapped device by itself: 'part1-mpath-...'.
    if _number(device, "partition") or re.fullmatch(r"part\d+", maker):
        return DeviceKind.PARTITION
    kind = _KINDS.get(drivers.get(device.major, ""), DeviceKind.OTHER)
    return _MAPPED_KINDS.get(maker, kind) if kind is DeviceKind.MAPPED else kind


def _made_of(device: RawDevice, raw: Sequence[RawDevice]) -> tuple[str, ...]:
    """Return the paths of the devices right below one: those it holds, or the one it lies in."""
    below = (
        other
        for other in raw
        if device.sys_name in other.holders or other.sys_path == device.parent
    )
    return tuple(sorted(_path(other) for other in below))


def _path(device: RawDevice) -> str:
    """Return the name of a device that people use."""
    name = device.attributes.get("dm/name", "")
    return f"/dev/mapper/{name}" if name else device.node


def _is_disk(device: RawDevice, drivers: Mapping[int, str]) -> bool:
    return (
        device.kind == "disk"
        and not device.parent
        and drivers.get(device.major, "") not in NOT_DISKS
        and device.properties.get("ID_CDROM") != "1"
        and device.attributes.get("hidden", "0") != "1"
        and _number(device, "size") > 0
    )


def _disk(device: RawDevice, raw: Sequence[RawDevice]) -> DiskNode:
    logical = _number(device, "queue/logical_block_size") or SYSFS_SECTOR
    parts = (
        _partition(other, raw, logical=logical)
        for other in raw
        if other.parent == device.sys_path and _number(other, "partition")
    )
    return DiskNode(
        path=device.node,
        major_minor=major_minor(device),
        id=identity(device),
        size=Bytes(_number(device, "size") * SYSFS_SECTOR),
        logical_sector=logical,
        physical_sector=_number(device, "queue/physical_block_size") or logical,
        model=_model(device),
        transport=transport(device),
        read_only=_number(device, "ro") == 1,
        removable=_number(device, "removable") == 1,
        links=device.links,
        signature=_signature(device),
        holders=_holders(device, raw),
        partitions=tuple(sorted(parts, key=lambda part: part.number)),
    )


def _partition(device: RawDevice, raw: Sequence[RawDevice], *, logical: int) -> PartitionNode:
    said = device.properties
    # The kernel shows an extended partition with 2 sectors; udev has its length from the table.
    length = whole_number(said.get("ID_PART_ENTRY_SIZE", "")) or _number(device, "size")
    return PartitionNode(
        path=device.node,
        major_minor=major_minor(device),
        number=_number(device, "partition"),
        start=Sectors(_number(device, "start") * SYSFS_SECTOR // logical),
        length=Sectors(length * SYSFS_SECTOR // logical),
        type=said.get("ID_PART_ENTRY_TYPE", ""),
        uuid=said.get("ID_PART_ENTRY_UUID", ""),
        name=decode(said.get("ID_PART_ENTRY_NAME", "")),
        links=device.links,
        signature=_signature(device),
        holders=_holders(device, raw),
    )


def _holders(device: RawDevice, raw: Sequence[RawDevice]) -> tuple[LayerNode, ...]:
    """Return the layers right on top of a device, each with those on top of it."""
    above = (other for other in raw if other.sys_name in device.holders)
    return tuple(sorted((_layer(other, raw) for other in above), key=lambda layer: layer.path))


def _layer(device: RawDevice, raw: Sequence[RawDevice]) -> LayerNode:
    return LayerNode(path=_path(device), holders=_over(device, raw))


def _over(device: RawDevice, raw: Sequence[RawDevice]) -> tuple[LayerNode, ...]:
    # md0p1 lies in md0 as a partition, and does not hold what md0 is made from.
    inside = (_layer(other, raw) for other in raw if other.parent == device.sys_path)
    return (*_holders(device, raw), *inside)


def identity(device: RawDevice) -> DiskId:
    """Return a disk's stable identity from udev's properties, the kernel's serial at need.

    The order for the serial is lsblk's (ID_SCSI_SERIAL, ID_SERIAL_SHORT, ID_SERIAL), so that
    `lsblk -o SERIAL` shows the same. virtio disks have it in ID_SERIAL, and in sysfs.
    """
    keys = ("ID_SCSI_SERIAL", "ID_SERIAL_SHORT", "ID_SERIAL")
    told = [device.properties.get(key, "").strip() for key in keys]
    live = [device.attributes.get(key, "").strip() for key in ("serial", "device/serial")]
    wwn = device.properties.get("ID_WWN_WITH_EXTENSION") or device.properties.get("ID_WWN", "")
    by_id = "/dev/disk/by-id/"
    return DiskId(
        serial=next((text for text in (*told, *live) if text), ""),
        wwn=wwn.strip(),
        by_id=tuple(sorted(x.removeprefix(by_id) for x in device.links if x.startswith(by_id))),
    )


def transport(device: RawDevice) -> str:
    """Return how a disk is attached ('usb', 'ata', 'nvme', 'mmc', 'scsi', 'virtio'), or ''.

    A USB or SATA disk is a SCSI disk to the kernel, and virtio-scsi is one on virtio: the most
    telling ancestor wins.
    """
    if device.properties.get("ID_BUS") in ("usb", "ata"):
        return device.properties["ID_BUS"]
    for told in ("usb", "ata_port", "nvme", "mmc", "scsi", "virtio"):
        if told in device.subsystems:
            return "ata" if told == "ata_port" else told
    return device.properties.get("ID_BUS", "")


def major_minor(device: RawDevice) -> str:
    """Return the device number as mountinfo writes it ('254:1')."""
    return f"{device.major}:{device.minor}"


def _model(device: RawDevice) -> str:
    # ID_MODEL has '_' for every blank; the encoded one does not, but is padded.
    told = decode(device.properties.get("ID_MODEL_ENC", "")) or device.properties.get(
        "ID_MODEL", device.attributes.get("device/model", "")
    )
    return re.sub(r"\s+", " ", told).strip()


def _signature(device: RawDevice) -> Signature | None:
    if not device.known:
        return None
    told = parse_signature(device.properties)
    # udev's rules hand a disk's ID_* down to its partitions, its partition table among them.
    inside = bool(device.attributes.get("partition", "").strip())
    return replace(told, table_kind="", table_uuid="") if inside else told


def _number(device: RawDevice, attribute: str) -> int:
    return whole_number(device.attributes.get(attribute, "").strip()) or 0
