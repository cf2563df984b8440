"""The machine: the whole description of a running system."""

from dataclasses import dataclass
from functools import cached_property

from rescue.model.boot.files import LinkedFile
from rescue.model.boot.firmware import BootState
from rescue.model.mirror.record import Handover, MirrorRecord
from rescue.model.storage.device import Device, DeviceKind
from rescue.model.storage.disk import Disk, Partition
from rescue.model.storage.disk_health import DiskHealth
from rescue.model.storage.graph import Graph, graph_of
from rescue.model.storage.mount import FstabEntry, Mount, Swap, is_within
from rescue.model.storage.raid1 import mirrored_by, seen_through, standing_for

MACHINE_VERSION = 2


@dataclass(frozen=True, kw_only=True)
class Machine:
    """A running system at one moment, as `discover` saw it; it can be saved and loaded.

    `running_mirror` is the record found at /.rescue on the running root, where there is one:
    then the machine runs from its mirror, and `handover` is the failback that was done from it.
    `missing_tools` are programs that were looked for and not found, with the Debian package that
    holds each. `linked_files` are settings and menus that are reached through links. `devices` are
    the layers: what is neither a disk nor a partition in its table; `graph` has them all;
    `unanswered` are mount points
    of the system's disk that are mounted on demand, and where nothing was mounted when they were
    opened. `damage` are sentences on what cannot be read of what a mirror carries below /.rescue on
    the running root: where no record could be read, `running_mirror` is None all the same. `rsync`
    is the version of the installed one, (0, 0) where it does not say. `impostors` are the paths of
    disks that were looked at, and are not the enrolled mirror that they look like. `health` is how
    the disks are that were asked (`discover.diskhealth`), by their path; others were not.
    """

    version: int = MACHINE_VERSION
    host: str
    machine_id: str
    is_root: bool
    disks: tuple[Disk, ...]
    mounts: tuple[Mount, ...]
    fstab: tuple[FstabEntry, ...]
    fstab_text: str
    swaps: tuple[Swap, ...]
    boot: BootState
    missing_tools: tuple[tuple[str, str], ...] = ()
    running_mirror: MirrorRecord | None = None
    handover: Handover | None = None
    linked_files: tuple[LinkedFile, ...] = ()
    devices: tuple[Device, ...] = ()
    unanswered: tuple[str, ...] = ()
    rsync: tuple[int, int] = (0, 0)
    damage: tuple[str, ...] = ()
    impostors: tuple[str, ...] = ()
    health: tuple[tuple[str, DiskHealth], ...] = ()

    def health_of(self, disk: Disk | None) -> DiskHealth | None:
        """Return how that disk is, None where it was not asked."""
        return dict(self.health).get(disk.path) if disk is not None else None

    def disk_at(self, path: str) -> Disk | None:
        """Return the disk with that device node."""
        return next((disk for disk in self.disks if disk.path == path), None)

    def with_table(self, uuid: str) -> tuple[Disk, ...]:
        """Return the attached disks whose partition table has that id."""
        return tuple(disk for disk in self.disks if disk.table and disk.table.uuid == uuid)

    @cached_property
    def graph(self) -> Graph:
        """Every device of the machine, and what it is made of."""
        return graph_of(self.disks, self.devices)

    @cached_property
    def _layer_keys(self) -> frozenset[str]:
        return frozenset(device.key for device in self.devices)

    def is_layer(self, device: Device) -> bool:
        """Whether a device of the graph is neither a disk nor a partition in its table."""
        return device.key in self._layer_keys

    def chain(self, mount: Mount) -> tuple[Device, ...]:
        """Return the devices that a mounted file system lies on, from it down to the disks.

        None where it lies on no block device, or on one that is gone.
        """
        inside = [
            each
            for each in self.devices
            if each.kind is DeviceKind.SUBVOLUME
            and mount.device in each.made_of
            and is_within(mount.root, f"/{each.name}")
        ]
        if inside:
            return self.graph.chain(max(inside, key=lambda each: len(each.name)).key)
        return self.graph.chain(*mount.device.split(":")) if mount.is_block else ()

    def holder_of(self, device: str) -> tuple[Disk, Partition] | None:
        """Return the disk and partition behind a partition's device node.

        Behind a RAID 1 array of the system's it is that of the disk which stands for them all.
        """
        own = self.root_disk
        for disk in (*((own,) if own is not None else ()), *self.disks):
            for part in disk.partitions:
                if part.path == device:
                    return disk, part
        return None

    def mount_at(self, target: str) -> Mount | None:
        """Return what is mounted there; of several stacked mounts, the last one is visible.

        Anything a user mounts over it is ignored: a home may be a file system of its own.
        """
        stack = [mount for mount in self.mounts if mount.target == target]
        stack = [mount for mount in stack if not mount.is_of_a_user] or stack
        return stack[-1] if stack else None

    def mount_holding(self, path: str) -> Mount | None:
        """Return the mount whose file system holds a whole path, or None if no mount does.

        Of several on one mount point it is the first.
        """
        holding = (mount for mount in self.mounts if is_within(path, mount.target))
        return max(holding, key=lambda mount: len(mount.target), default=None)

    @property
    def is_nameless_mirror(self) -> bool:
        """Whether the running root carries a mirror's marker that cannot be read."""
        return self.running_mirror is None and bool(self.damage)

    @property
    def handed_over(self) -> Handover | None:
        """The failback done in this session, if nothing has been booted since."""
        same = self.handover is not None and self.handover.boot_id == self.boot.boot_id
        return self.handover if same and self.boot.boot_id else None

    @cached_property
    def root_disk(self) -> Disk | None:
        """The disk that carries the running root file system.

        On RAID 1 it is the one that stands for all, each member seen as its array (`raid1`).
        """
        root = self.mount_at("/")
        if root is None:
            return None
        for disk in self.disks:
            if any(part.path == root.device for part in disk.partitions):
                return disk
        leading = standing_for(self.disks, self.graph, root.device)
        return seen_through(leading, self.graph) if leading is not None else None

    @cached_property
    def twin_disks(self) -> tuple[Disk, ...]:
        """The other disks of the RAID 1 array that carries the running root file system."""
        root, own = self.mount_at("/"), self.root_disk
        if root is None or own is None:
            return ()
        keys = {disk.key for disk in mirrored_by(self.graph, root.device)} - {own.path}
        return tuple(disk for disk in self.disks if disk.path in keys)
