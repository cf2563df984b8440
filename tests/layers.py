"""Machines with layers, drawn for property tests: whatever lies on whatever, over several disks."""

from dataclasses import replace

from hypothesis import strategies as st

from rescue.model.storage.device import Device, DeviceKind, subvolume_key
from rescue.model.storage.disk import Disk, TableKind, Use, UseKind
from rescue.model.storage.filesystem import FileSystem, FsKind, SwapArea
from rescue.model.storage.layer import Container, Content, Foreign, Nothing
from rescue.model.storage.machine import Machine
from rescue.model.storage.mount import FstabEntry, Mount
from rescue.units import Bytes
from tests.builders import bare_disk, part, server, uuid, with_disk, with_partition

HELD_BY = {
    DeviceKind.CRYPT: "crypto_LUKS",
    DeviceKind.VOLUME: "LVM2_member",
    DeviceKind.ARRAY: "linux_raid_member",
}
"""What is below such a layer carries a signature of this type."""

_MOST_BELOW = {DeviceKind.CRYPT: 1, DeviceKind.VOLUME: 3, DeviceKind.ARRAY: 4}
_LAYERS = tuple(HELD_BY)


class _Drawn:
    """A machine as it grows: what lies free to be built on, and what was built."""

    def __init__(self, draw: st.DrawFn) -> None:
        self._draw = draw
        self.machine = server(draw(st.sampled_from(TableKind)))
        self.free: list[str] = []
        self.layers: dict[str, Device] = {}
        self._contents: dict[str, Content] = {}
        self._count = 0

    def add_disks(self) -> None:
        for number in range(self._draw(st.integers(1, 4))):
            path = f"/dev/sd{'abcd'[number]}"
            disk: Disk = bare_disk(path, f"DATA{number:04}")
            parts = self._draw(st.integers(0, 3))
            for index in range(1, parts + 1):
                made = part(index, index * 64, 32, device=path, serial=disk.id.serial)
                disk = with_partition(disk, replace(made, uuid=f"{number}-{index}"))
            self.machine = with_disk(self.machine, disk)
            self.free += [each.path for each in disk.partitions] or [path]

    def add_layer(self) -> None:
        kind = self._draw(st.sampled_from(_LAYERS))
        most = min(_MOST_BELOW[kind], len(self.free))
        below = self._draw(
            st.lists(st.sampled_from(self.free), min_size=1, max_size=most, unique=True)
        )
        count = self._draw(st.integers(1, 3)) if kind is DeviceKind.VOLUME else 1
        for path in below:
            self.free.remove(path)
            self._contents[path] = Container(kind=HELD_BY[kind], uuid=self._next())
        for _ in range(count):
            self._count += 1
            path = (
                f"/dev/md{self._count}"
                if kind is DeviceKind.ARRAY
                else f"/dev/mapper/l{self._count}"
            )
            self.layers[path] = Device(
                key=path,
                kind=kind,
                path=path,
                name=f"l{self._count}",
                size=Bytes(1 << 25),
                made_of=tuple(below),
            )
            self.free.append(path)

    def fill(self) -> None:
        """Put something onto whatever is free: a file system, perhaps mounted, swap, nothing."""
        for path in self.free:
            kind = self._draw(st.sampled_from(["ext4", "xfs", "btrfs", "f2fs", "swap", ""]))
            match kind:
                case "":
                    self._contents[path] = Nothing()
                    continue
                case "swap":
                    self._contents[path] = SwapArea(uuid=self._next())
                    continue
                case "f2fs":
                    self._contents[path] = Foreign(kind=kind, uuid=self._next())
                case _:
                    self._contents[path] = FileSystem(kind=FsKind(kind), uuid=self._next())
            if self._draw(st.booleans()):
                self._mount(path, kind)

    def _mount(self, path: str, kind: str) -> None:
        self._count += 1
        target, root, key = f"/srv/{self._count}", "/", path
        if kind == "btrfs" and self._draw(st.booleans()):
            root = f"/@{self._count}"
            key = subvolume_key(path, root)
            self.layers[key] = Device(
                key=key, kind=DeviceKind.SUBVOLUME, name=root.strip("/"), made_of=(path,)
            )
        mount = Mount(device=path, target=target, fstype=kind, root=root)
        options = ("defaults",) if self._draw(st.booleans()) else ("nofail",)
        line = FstabEntry(spec=path, target=target, fstype=kind, options=options, device=path)
        lines = (line,) if self._draw(st.booleans()) else ()
        self.machine = replace(
            self.machine,
            mounts=(*self.machine.mounts, mount),
            fstab=(*self.machine.fstab, *lines),
        )

    def finished(self) -> Machine:
        layers = tuple(
            replace(each, content=self._contents.get(each.key, Nothing()), uses=self._uses(key))
            for key, each in self.layers.items()
        )
        disks = tuple(self._filled(disk) for disk in self.machine.disks)
        return replace(self.machine, disks=disks, devices=layers)

    def _filled(self, disk: Disk) -> Disk:
        content, uses = self._contents.get(disk.path, disk.content), self._uses(disk.path)
        disk = replace(disk, content=content, uses=uses)
        for each in disk.partitions:
            if each.path in self._contents:
                held, used = self._contents[each.path], self._uses(each.path)
                disk = with_partition(disk, replace(each, content=held, uses=used))
        return disk

    def _uses(self, path: str) -> tuple[Use, ...]:
        held = (key for key, each in self.layers.items() if path in each.made_of and each.path)
        mounted = (mount.target for mount in self.machine.mounts if mount.device == path)
        return (
            *(Use(kind=UseKind.MOUNTED, where=target) for target in mounted),
            *(Use(kind=UseKind.HOLDER, where=key) for key in held),
        )

    def _next(self) -> str:
        self._count += 1
        return uuid(1000 + self._count)


@st.composite
def layered_machines(draw: st.DrawFn) -> Machine:
    """Draw a server on plain partitions with LUKS, LVM, md and subvolumes on its other disks."""
    drawn = _Drawn(draw)
    drawn.add_disks()
    for _ in range(draw(st.integers(0, 6))):
        drawn.add_layer()
    drawn.fill()
    return drawn.finished()
