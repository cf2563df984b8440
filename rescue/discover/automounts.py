"""Automounts on the system's own disk, opened so that they can be seen."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rescue.discover.disks import layers_above
from rescue.discover.names import Names
from rescue.model.storage.mount import Mount
from rescue.system.block import blockinfo
from rescue.system.block.block_tree import DiskNode
from rescue.system.files import automount


@dataclass(frozen=True, kw_only=True)
class Opened:
    """The mounts after automounts were triggered, and the mount points that stayed empty.

    `own` are those of the mounts that lie on the disk of the running root.
    """

    mounts: tuple[Mount, ...]
    own: frozenset[Mount]
    unanswered: tuple[str, ...]


def open_automounts(nodes: Sequence[DiskNode], names: Names) -> Opened:
    """Mount what is configured on demand from the running root's disk, and nothing else.

    A disk for data need not be woken up, and the network may never answer.
    """
    mounts = _mounts(names)
    own = _root_disk(nodes, mounts)
    asked = [
        target
        for target in automount.waiting(mounts)
        if own is not None and _is_on(own, names.of_path(automount.device_of(target)))
    ]
    for target in asked:
        automount.open_path(Path(target))
    mounts = _mounts(names) if asked else mounts
    still = automount.waiting(mounts)
    return Opened(
        mounts=tuple(mount for mount in mounts if mount.fstype != automount.AUTOFS),
        own=frozenset(m for m in mounts if own is not None and _is_on(own, m.device)),
        unanswered=tuple(target for target in asked if target in still),
    )


def _mounts(names: Names) -> tuple[Mount, ...]:
    return tuple(names.of_mount(mount) for mount in blockinfo.mounts())


def _root_disk(nodes: Sequence[DiskNode], mounts: Sequence[Mount]) -> DiskNode | None:
    root = next((mount.device for mount in reversed(mounts) if mount.target == "/"), "")
    return next((node for node in nodes if _is_on(node, root)), None)


def _is_on(node: DiskNode, device: str) -> bool:
    """Whether a device is the disk, a partition of it, or a layer above one."""
    layers = (layer.path for part in node.partitions for layer in layers_above(part.holders))
    return device in (node.path, *(part.path for part in node.partitions), *layers)
