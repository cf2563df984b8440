"""The graph of a machine's devices: what a device is made of, and what is made of it."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

from rescue.model.storage.device import Device, DeviceKind
from rescue.model.storage.disk import Disk, Partition
from rescue.model.storage.layer import Foreign
from rescue.units import to_bytes


@dataclass(frozen=True)
class Graph:
    """Every device of a machine; keys are unique."""

    devices: tuple[Device, ...]

    @cached_property
    def _by_key(self) -> dict[str, Device]:
        return {device.key: device for device in self.devices}

    @cached_property
    def _place(self) -> dict[str, int]:
        return {device.key: number for number, device in enumerate(self.devices)}

    @cached_property
    def _above(self) -> dict[str, tuple[Device, ...]]:
        found: dict[str, tuple[Device, ...]] = {}
        for device in self.devices:
            for key in device.made_of:
                found[key] = (*found.get(key, ()), device)
        return found

    def at(self, key: str) -> Device | None:
        """Return the device of that key (for a block device its path), or None if there is none."""
        return self._by_key.get(key)

    def below(self, device: Device) -> tuple[Device, ...]:
        """Return the existing devices directly below one, in the overall order."""
        below = (found for key in device.made_of if (found := self.at(key)) is not None)
        return tuple(sorted(below, key=lambda found: self._place[found.key]))

    def above(self, device: Device) -> tuple[Device, ...]:
        """Return the devices right above one: the partitions of a disk, what is made of it."""
        return self._above.get(device.key, ())

    def chain(self, *keys: str) -> tuple[Device, ...]:
        """Return the devices of these keys and everything below them, nearest first.

        Each comes once, however many ways lead to it. Where one holds a member of a file system
        that lies on several devices, the others belong to it, too.
        """
        found: dict[str, Device] = {}
        ahead = list(keys)
        while ahead:
            device = self.at(ahead.pop(0))
            if device is not None and device.key not in found:
                found[device.key] = device
                ahead += [*device.made_of, *self._members(device)]
        return tuple(found.values())

    def over(self, device: Device) -> tuple[Device, ...]:
        """Return everything that lies on a device, nearest first, each once."""
        found: dict[str, Device] = {}
        ahead = list(self.above(device))
        while ahead:
            at = ahead.pop(0)
            if at.key not in found:
                found[at.key] = at
                ahead += self.above(at)
        return tuple(found.values())

    def disks(self, *keys: str) -> tuple[Device, ...]:
        """Return the disks at the lower ends of a chain."""
        return tuple(each for each in self.chain(*keys) if each.kind is DeviceKind.DISK)

    def _members(self, device: Device) -> Iterator[str]:
        held = device.content
        if not isinstance(held, Foreign) or not held.uuid or not held.kind.startswith("btrfs"):
            return
        for other in self.devices:
            if getattr(other.content, "uuid", "") == held.uuid:
                yield other.key


def graph_of(disks: Iterable[Disk], layers: Iterable[Device]) -> Graph:
    """Return the graph of these disks, of the partitions in their tables, and of other devices."""
    tables = (
        (device_of_disk(disk), *(device_of_partition(disk, part) for part in disk.partitions))
        for disk in disks
    )
    return Graph((*(device for table in tables for device in table), *layers))


def device_of_disk(disk: Disk) -> Device:
    """Return a whole disk as a device of the graph."""
    return Device(
        key=disk.path,
        kind=DeviceKind.DISK,
        path=disk.path,
        name=disk.id.name,
        size=disk.size,
        links=tuple(f"/dev/disk/by-id/{name}" for name in disk.id.by_id),
        content=disk.content,
        uses=disk.uses,
    )


def device_of_partition(disk: Disk, part: Partition) -> Device:
    """Return a partition of a disk's table as a device of the graph.

    One that the kernel does not know has no path; its key is the disk's with its number.
    """
    return Device(
        key=part.path or f"{disk.path}#{part.number}",
        kind=DeviceKind.PARTITION,
        path=part.path,
        name=part.name,
        size=to_bytes(part.length, logical_sector=disk.logical_sector),
        links=part.links,
        content=part.content,
        uses=part.uses,
        made_of=(disk.path,),
    )
