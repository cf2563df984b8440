"""The line between what concerns a server's mirror and what lies wholly on other disks.

A mirror is of the disk that the system runs from. A mount, a line of fstab or a swap area that lies
wholly on other disks is left out, whatever layers are between. What lies on the system's own disk,
even in part, belongs to it.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum

from rescue.model.storage.device import Device, DeviceKind
from rescue.model.storage.layer import Content, Foreign
from rescue.model.storage.machine import Machine
from rescue.model.storage.mount import FstabEntry, Mount

_NO_DISK = frozenset(
    {DeviceKind.LOOP, DeviceKind.OPTICAL, DeviceKind.FLOPPY, DeviceKind.MEMORY},
)
# These do not tell the kernel what they are made of.
_UNTOLD = frozenset({DeviceKind.DRBD, DeviceKind.OTHER})
_DISCS = frozenset({"udf", "iso9660"})
_ZFS_MEMBER = "zfs_member"

_SYSTEM = frozenset(
    {
        "/",
        "/boot",
        "/boot/efi",
        "/boot/grub",
        "/efi",
        "/etc",
        "/usr",
        "/usr/bin",
        "/usr/lib",
        "/usr/sbin",
        "/var",
        "/var/lib",
    }
)
"""Mount points without which no system starts (man 7 file-hierarchy)."""


class Side(Enum):
    """Where something lies, seen from the disk that the system runs from."""

    OWN = "on the system's own disk, or partly"
    OTHER = "wholly on other disks"
    NO_DISK = "on no disk: memory, an image file, a drive for discs"


@dataclass(frozen=True, kw_only=True)
class Stack:
    """A device with the layers and the disks below it; without disks, it is gone or on none."""

    device: str
    layers: tuple[Device, ...] = ()
    disks: tuple[str, ...] = ()

    @property
    def words(self) -> str:
        """The device, its layers and disks in words: '/dev/mapper/x (LVM volume on /dev/vdb)'."""
        steps = [
            str(layer.kind) if layer.path == self.device else f"{layer.kind} {layer.path}"
            for layer in self.layers
        ]
        bottom = " and ".join(self.disks)
        if self.device in self.disks or (not steps and self.disks):
            return self.device
        if not self.disks and not any(layer.kind in _NO_DISK for layer in self.layers):
            bottom = "a disk that is not there"
        steps += [bottom] if bottom else []
        return f"{self.device} ({' on '.join(steps)})"

    def side(self, own: str) -> Side:
        """Given the path of the system's disk, return on which side this lies."""
        if own in self.disks:
            return Side.OWN
        if not self.disks:
            kinds = {layer.kind for layer in self.layers}
            if kinds & _NO_DISK:
                return Side.NO_DISK
            if kinds & _UNTOLD:
                return Side.OWN
        return Side.OTHER


@dataclass(frozen=True, kw_only=True)
class Elsewhere:
    """A part of the running system that lies wholly on other disks.

    `what` is its mount point, or for swap what fstab calls it; `where` names device, layers and
    disks, or what fstab calls a device that is not there. `waits` says that the boot waits for
    it, according to fstab.
    """

    what: str
    where: str
    waits: bool = False
    is_there: bool = True
    swap: bool = False

    @property
    def vital(self) -> bool:
        """Whether a system cannot start without it."""
        return self.what in _SYSTEM


def stack(machine: Machine, device: str) -> Stack:
    """Return what is below a block device, from the top down; nothing below one that is gone."""
    chain = machine.graph.chain(device)
    layers = tuple(each for each in chain if machine.is_layer(each))
    disks = [each.key for each in chain if each.kind is DeviceKind.DISK]
    if any(layer.kind is DeviceKind.ZVOL for layer in layers):
        disks += _with_content(machine, _is_zfs)
    return Stack(device=device, layers=layers, disks=tuple(dict.fromkeys(disks)))


def stack_of(machine: Machine, mount: Mount) -> Stack:
    """Return what is below a mounted file system that lies on block devices."""
    return _stack_of(machine, mount.device, mount.fstype)


def stack_of_line(machine: Machine, entry: FstabEntry) -> Stack:
    """Return what is below a line of fstab; nothing if its device does not exist."""
    return _stack_of(machine, entry.device or entry.spec, entry.fstype)


def elsewhere(machine: Machine, own: str, *, but_not: str = "") -> tuple[Elsewhere, ...]:
    """Return the parts of the running system that lie wholly on disks other than `own`.

    `but_not` is the disk of the mirror, whose own mounts are the guard's concern.
    """
    found: dict[str, Elsewhere] = {}
    for each in (*_lines(machine, own, but_not), *_mounts(machine, own, but_not)):
        found.setdefault(each.what, each)
    return tuple(found.values())


def _lines(machine: Machine, own: str, but_not: str) -> Iterator[Elsewhere]:
    for entry in machine.fstab:
        if not entry.is_block:
            continue
        below = stack_of_line(machine, entry)
        if below.side(own) is not Side.OTHER or set(below.disks) == {but_not}:
            continue
        is_there = bool(entry.device or below.disks)
        if not is_there and not _may_be_elsewhere(machine, own, entry):
            continue
        swap = entry.fstype == "swap"
        yield Elsewhere(
            what=entry.spec if swap else entry.target,
            where=below.words if is_there else entry.spec,
            waits=not entry.may_be_absent,
            is_there=is_there,
            swap=swap,
        )


def _may_be_elsewhere(machine: Machine, own: str, entry: FstabEntry) -> bool:
    """Whether a missing device named by a line could only matter to its own disk's start.

    A drive for discs does not. Where the system's own disk is mounted in its place, the line is
    wrong.
    """
    if not _DISCS.isdisjoint(entry.fstype.split(",")):
        return False
    seen = machine.mount_at(entry.target)
    return seen is None or not seen.is_block or stack_of(machine, seen).side(own) is Side.OTHER


def _mounts(machine: Machine, own: str, but_not: str) -> Iterator[Elsewhere]:
    for mount in machine.mounts:
        if not mount.is_block:
            continue
        below = stack_of(machine, mount)
        if below.side(own) is Side.OTHER and set(below.disks) != {but_not}:
            yield Elsewhere(what=mount.target, where=below.words)
    for swap in machine.swaps:
        below = stack(machine, swap.path)
        named = {entry.device for entry in machine.fstab if entry.fstype == "swap"}
        if swap.is_file or swap.path in named or set(below.disks) == {but_not}:
            continue
        if below.side(own) is Side.OTHER:
            yield Elsewhere(what=swap.path, where=below.words, swap=True)


def _stack_of(machine: Machine, device: str, fstype: str) -> Stack:
    match fstype:
        case "zfs":
            pool = device.partition("/")[0]
            layer = Device(key=pool, path=pool, kind=DeviceKind.POOL)
            disks = _with_content(machine, lambda held: _is_zfs(held, pool))
            return Stack(device=device, layers=(layer,), disks=disks)
        case "bcachefs":
            every = [stack(machine, each) for each in device.split(":")]
            return Stack(
                device=device,
                layers=tuple(layer for each in every for layer in each.layers),
                disks=tuple(dict.fromkeys(disk for each in every for disk in each.disks)),
            )
        case _:
            return stack(machine, device)


def _with_content(machine: Machine, wanted: Callable[[Content], bool]) -> tuple[str, ...]:
    """Return the disks that hold such a content, in whatever layers."""
    graph = machine.graph
    return tuple(
        disk.key for disk in graph.disks(*(d.key for d in graph.devices if wanted(d.content)))
    )


def _is_zfs(content: Content, pool: str = "") -> bool:
    """Whether it is a member of that pool; one that does not tell its pool may be of any."""
    if not isinstance(content, Foreign) or content.kind != _ZFS_MEMBER:
        return False
    return not pool or content.label in ("", pool)
