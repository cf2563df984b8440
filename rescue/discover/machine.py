"""Discovery of the machine: the running system as one frozen value."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from rescue.discover.automounts import open_automounts
from rescue.discover.boot import read_boot, read_text
from rescue.discover.disks import Usage, read_disk
from rescue.discover.layers import not_in_the_table, read_layer, subvolumes
from rescue.discover.linked import linked_files
from rescue.discover.marker import read_running
from rescue.discover.names import Names
from rescue.discover.tools import missing_tools
from rescue.errors import RescueError
from rescue.model.storage.device import DeviceKind
from rescue.model.storage.filesystem import FileSystem, FsKind
from rescue.model.storage.graph import Graph, graph_of
from rescue.model.storage.machine import Machine
from rescue.model.storage.mount import Mount
from rescue.system.block import blockinfo, btrfs, udev
from rescue.system.block.block_tree import DiskNode, OtherNode
from rescue.system.process.run import which
from rescue.system.rsync import rsync


def discover() -> Machine:
    """Look at the running system without changing it, except that on-demand mounts get mounted.

    Without root the disks' contents are what udev remembers, without the file systems' options.
    Raises CommandError where a tool of util-linux fails, UsageError where the record on the
    running root is of a newer rescue. One that is damaged is what is found.
    """
    nodes, others = udev.list_devices()
    names = Names(numbers=_numbers(nodes, others))
    opened = open_automounts(nodes, names)
    mounts = tuple(_measured(m) if m in opened.own else m for m in opened.mounts)
    swaps = tuple(replace(s, path=names.of_swap(s.path)) for s in blockinfo.swaps())
    usage = Usage(mounts=mounts, swaps=swaps)
    disks = tuple(read_disk(node, usage) for node in nodes)
    layers = (
        *(read_layer(other, usage) for other in others),
        *not_in_the_table(nodes, disks, usage),
    )
    graph = graph_of(disks, layers)
    running = read_running(Path("/"))
    return Machine(
        host=os.uname().nodename,
        machine_id=read_text(Path("/etc/machine-id")).strip(),
        is_root=os.geteuid() == 0,
        disks=disks,
        mounts=mounts,
        fstab=tuple(replace(e, device=names.of_path(e.device)) for e in blockinfo.fstab()),
        fstab_text=read_text(Path(blockinfo.FSTAB)),
        swaps=swaps,
        boot=read_boot(architecture=os.uname().machine),
        missing_tools=missing_tools(kinds_in_use(graph), which),
        running_mirror=running.record,
        handover=running.handover,
        damage=running.damage,
        linked_files=linked_files(),
        devices=(*layers, *subvolumes(mounts, _on_the_disks_of_root(graph, mounts))),
        unanswered=opened.unanswered,
        rsync=rsync.version(),
    )


def _measured(mount: Mount) -> Mount:
    """Return a mount with what its files take, and with the subvolumes that it holds.

    Only those of the system's own disk are asked: no other matters, and it may not answer.
    """
    return replace(mount, used=blockinfo.used(mount.target), subvolumes=subvolumes_of(mount))


def subvolumes_of(mount: Mount) -> tuple[str, ...] | None:
    """Return the subvolumes of a btrfs mounted as a whole, or None if that cannot be determined.

    Those that hold nothing are left out: systemd-tmpfiles makes some, and an empty folder does.
    """
    if mount.fstype != FsKind.BTRFS or mount.root != "/":
        return None
    try:
        found = (each.path for each in btrfs.subvolumes(mount.target))
        return tuple(path for path in found if any(Path(mount.target, path).iterdir()))
    except (RescueError, OSError):
        return None


def kinds_in_use(graph: Graph) -> frozenset[FsKind]:
    """Return the kinds of file system on the disks that the system uses, in whatever layers."""
    used = (
        disk
        for disk in graph.devices
        if disk.kind is DeviceKind.DISK and any(d.uses for d in (disk, *graph.above(disk)))
    )
    held = (device.content for disk in used for device in (disk, *graph.over(disk)))
    return frozenset(content.kind for content in held if isinstance(content, FileSystem))


def _on_the_disks_of_root(graph: Graph, mounts: Sequence[Mount]) -> Iterator[Mount]:
    """Yield what is mounted from the disks that the running root lies on, through any layers."""
    root = next((mount.device for mount in reversed(mounts) if mount.target == "/"), "")
    own = set(graph.disks(*root.split(":")))
    return (mount for mount in mounts if own & set(graph.disks(*mount.device.split(":"))))


def _numbers(nodes: Sequence[DiskNode], others: Sequence[OtherNode]) -> dict[str, str]:
    """Return the name of each block device by its device number."""
    found = {other.major_minor: other.device.path for other in others}
    for disk in nodes:
        found[disk.major_minor] = disk.path
        found.update((part.major_minor, part.path) for part in disk.partitions)
    return found
