"""Layers: what lies between partitions and file systems, as devices of the graph."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import PurePosixPath

from rescue.discover.contents import from_signature, read_content
from rescue.discover.disks import Usage
from rescue.errors import RescueError
from rescue.model.storage.device import Device, DeviceKind, subvolume_key
from rescue.model.storage.disk import Disk, Use, UseKind
from rescue.model.storage.filesystem import FileSystem, FsKind
from rescue.model.storage.layer import Content, Nothing
from rescue.model.storage.mount import Mount
from rescue.model.storage.subvolume import BtrfsSubvolume
from rescue.system.block import btrfs
from rescue.system.block.block_tree import DiskNode, OtherNode

_NOT_PROBED = frozenset(
    {
        DeviceKind.FLOPPY,
        DeviceKind.LOOP,
        DeviceKind.OTHER,
        DeviceKind.OPTICAL,
        DeviceKind.ZVOL,
    }
)
"""Nothing of a system that could be mirrored lies there, and udev's word does: drives would have to
be woken up, and a server of virtual machines has hundreds of volumes in its pool."""


def read_layer(node: OtherNode, usage: Usage) -> Device:
    """Return a layer with its content and its uses."""
    device = node.device
    return replace(
        device,
        content=_content(node),
        uses=usage.of(device.path, major_minor=node.major_minor, holders=node.holders),
    )


def _content(node: OtherNode) -> Content:
    if node.device.kind not in _NOT_PROBED:
        return read_content(node.device.path, told=node.signature)
    told = node.signature
    if told is None:
        return Nothing()
    if told.type in tuple(FsKind):
        return FileSystem(kind=FsKind(told.type), uuid=told.uuid, label=told.label)
    return from_signature(told)


def not_in_the_table(
    nodes: Sequence[DiskNode], disks: Sequence[Disk], usage: Usage
) -> tuple[Device, ...]:
    """Return partitions that the kernel knows but their disk's table lacks (or lost).

    What is mounted from them lies on that disk all the same.
    """
    listed = {part.path for disk in disks for part in disk.partitions}
    return tuple(
        Device(
            key=part.path,
            kind=DeviceKind.PARTITION,
            path=part.path,
            uses=usage.of(part.path, major_minor=part.major_minor, holders=part.holders),
            made_of=(node.path,),
        )
        for node in nodes
        for part in node.partitions
        if part.path not in listed
    )


def subvolumes(mounts: Sequence[Mount], asked: Iterable[Mount]) -> tuple[Device, ...]:
    """Return the subvolumes of every mounted btrfs, sorted by its device and their paths.

    All of those of `asked` are there, where btrfs-progs lists them; of any other btrfs those that
    are mounted: its disk need not be woken up, and may not answer.
    """
    listed = dict(_listed(asked))
    return tuple(
        Device(
            key=subvolume_key(device, path),
            kind=DeviceKind.SUBVOLUME,
            name=path,
            detail=subvolume.in_words if (subvolume := listed.get((device, path))) else "",
            uses=_uses(device, path, mounts),
            made_of=(device,),
            subvolume=subvolume,
        )
        for device, path in sorted({*_mounted(mounts), *listed})
    )


def _mounted(mounts: Sequence[Mount]) -> Iterator[tuple[str, str]]:
    """Yield device and path of each subvolume that is mounted, as the kernel names it."""
    for mount in mounts:
        if mount.fstype != FsKind.BTRFS:
            continue
        for option in mount.options:
            key, _, path = option.partition("=")
            if key == "subvol" and path.strip("/"):
                yield mount.device, path.strip("/")


def _listed(mounts: Iterable[Mount]) -> Iterator[tuple[tuple[str, str], BtrfsSubvolume]]:
    """Yield every subvolume by its device and path, asking once for each file system."""
    by_device = {mount.device: mount for mount in mounts if mount.fstype == FsKind.BTRFS}
    for device, mount in by_device.items():
        try:
            for each in btrfs.subvolumes(mount.target):
                yield (device, each.path), each
        except (RescueError, OSError):
            continue


def _uses(device: str, path: str, mounts: Sequence[Mount]) -> tuple[Use, ...]:
    wanted = PurePosixPath("/") / path
    return tuple(
        Use(kind=UseKind.MOUNTED, where=mount.target)
        for mount in mounts
        if mount.device == device and PurePosixPath(mount.root) == wanted
    )
