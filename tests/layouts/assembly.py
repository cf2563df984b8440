"""A machine put together piece by piece: disks, tables, layers, file systems, mounts, fstab.

Each piece gets the device nodes, links and identifiers that the kernel, udev and Debian's installer
give it, so that what comes out is what `discover` would see.
"""

from dataclasses import replace

from rescue.model.boot.firmware import BootState, Firmware, GrubPlatform
from rescue.model.storage.array import Array, ArrayMember
from rescue.model.storage.device import Device, DeviceKind, subvolume_key
from rescue.model.storage.disk import (
    Disk,
    Partition,
    PartitionKind,
    PartitionTable,
    TableKind,
    Use,
    UseKind,
)
from rescue.model.storage.filesystem import FileSystem, FsKind, SwapArea
from rescue.model.storage.identity import DiskId
from rescue.model.storage.layer import LUKS, Container, Content, Foreign, Nothing
from rescue.model.storage.luks import LuksHeader, LuksKeyslot
from rescue.model.storage.machine import Machine
from rescue.model.storage.mount import FstabEntry, Mount, Swap
from rescue.model.storage.partition_type import LVM, RAID
from rescue.model.storage.subvolume import TOP_LEVEL, BtrfsSubvolume
from rescue.units import Bytes, Sectors
from tests.builders import ESP_GUID, LINUX_GUID, uuid

MIB = 1024 * 1024
PC = (GrubPlatform.I386_PC, GrubPlatform.X86_64_EFI)
MBR_TYPES = {ESP_GUID: "ef", LINUX_GUID: "83", LVM: "8e", RAID: "fd"}


class Assembly:
    """A machine as it grows. What is added is named by the path that is returned."""

    def __init__(self) -> None:
        """Nothing is there yet."""
        self._disks: dict[str, Disk] = {}
        self._devices: dict[str, Device] = {}
        self._contents: dict[str, Content] = {}
        self._mounts: list[Mount] = []
        self._fstab: list[FstabEntry] = []
        self._swaps: list[Swap] = []
        self._count = 0

    # --- disks and partitions

    def disk(self, table: TableKind | None = None, *, mib: int = 0, sector: int = 512) -> str:
        """Add a disk, as large as its partitions need where no size is given."""
        letter = "abcdefghijklmnopqrstuvwxyz"[len(self._disks)]
        serial = f"SRC{len(self._disks):04}"
        signature = uuid(self._next())
        identifier = signature if table is TableKind.GPT else f"5eedbe{len(self._disks):02x}"
        self._disks[f"/dev/sd{letter}"] = Disk(
            path=f"/dev/sd{letter}",
            id=DiskId(serial=serial, by_id=(f"ata-{serial}",)),
            size=Bytes(mib * MIB),
            logical_sector=sector,
            physical_sector=sector,
            model="described",
            transport="sata",
            table=PartitionTable(kind=table, uuid=identifier, partitions=()) if table else None,
        )
        return f"/dev/sd{letter}"

    def partition(
        self, disk: str, mib: int, *, type_: str = LINUX_GUID, logical: bool = False
    ) -> str:
        """Add a partition behind the last one; the fourth of an MBR is the extended one."""
        found = self._disks[disk]
        table = found.table
        assert table is not None, f"{disk} has no partition table"
        unit = MIB // found.logical_sector
        if table.kind is TableKind.GPT:
            made = self._piece(found, self._end(disk), mib * unit, len(table.partitions) + 1, type_)
            return self._add(disk, made)
        primary = [each for each in table.partitions if each.kind is not PartitionKind.LOGICAL]
        has_extended = any(each.kind is PartitionKind.EXTENDED for each in primary)
        if (logical or len(primary) == 3) and not has_extended:
            extended = self._piece(found, self._end(disk), unit, len(primary) + 1, "5")
            self._add(disk, replace(extended, kind=PartitionKind.EXTENDED))
        if logical or len(primary) >= 3:
            number = 5 + sum(each.kind is PartitionKind.LOGICAL for each in table.partitions)
            # Each logical partition has a MiB before it for its EBR.
            start = self._end(disk) + (unit if number > 5 else 0)
            made = self._piece(found, start, mib * unit, number, MBR_TYPES.get(type_, type_))
            return self._add(disk, replace(made, kind=PartitionKind.LOGICAL))
        made = self._piece(
            found, self._end(disk), mib * unit, len(primary) + 1, MBR_TYPES.get(type_, type_)
        )
        return self._add(disk, made)

    def _piece(self, disk: Disk, start: int, length: int, number: int, type_: str) -> Partition:
        table = disk.table
        assert table is not None
        gpt = table.kind is TableKind.GPT
        partuuid = uuid(self._next()) if gpt else f"{table.uuid}-{number:02x}"
        return Partition(
            number=number,
            start=Sectors(start),
            length=Sectors(length),
            type=type_,
            uuid=partuuid,
            path=f"{disk.path}{number}",
            links=(
                f"/dev/disk/by-id/ata-{disk.id.serial}-part{number}",
                f"/dev/disk/by-partuuid/{partuuid}",
            ),
        )

    def _add(self, disk: str, made: Partition) -> str:
        table = self._disks[disk].table
        assert table is not None
        grown = replace(table, partitions=(*table.partitions, made))
        self._disks[disk] = replace(self._disks[disk], table=grown)
        return made.path

    def _end(self, disk: str) -> int:
        """Return the sector behind the last partition, the first MiB's where there is none."""
        found = self._disks[disk]
        unit = MIB // found.logical_sector
        ends = (
            each.start + (unit if each.kind is PartitionKind.EXTENDED else each.length)
            for each in found.partitions
        )
        return max((*ends, unit))

    # --- layers

    def array(self, level: str, *members: str, kind: str = "linux_raid_member") -> str:
        """Make an md array of a level ('raid1') of these devices."""
        number = sum(each.kind is DeviceKind.ARRAY for each in self._devices.values())
        held = uuid(self._next())
        for member in members:
            self._contents[member] = Container(kind=kind, uuid=held)
        words = held.replace("-", "")
        name = ":".join(words[place : place + 8] for place in range(0, 32, 8))
        links = (f"/dev/disk/by-id/md-name-server:{number}", f"/dev/disk/by-id/md-uuid-{name}")
        return self._layer(
            DeviceKind.ARRAY,
            f"/dev/md{number}",
            *members,
            name=f"server:{number}",
            detail=level,
            links=links,
            size=min(self._size(each) for each in members),
            array=Array(
                uuid=name,
                level=level,
                metadata="external:imsm" if kind == "isw_raid_member" else "1.2",
                wanted=len(members),
                members=tuple(ArrayMember(key=each) for each in members),
            ),
        )

    def array_partition(self, array: str, mib: int) -> str:
        """Make a partition inside an array that holds a partition table."""
        self._contents[array] = Foreign(kind="partition table (gpt)", uuid=uuid(self._next()))
        number = 1 + sum(array in each.made_of for each in self._devices.values())
        path = f"{array}p{number}"
        return self._layer(DeviceKind.PARTITION, path, array, size=Bytes(mib * MIB))

    def luks(self, on: str, name: str = "") -> str:
        """Encrypt a device with LUKS, and open it under a name."""
        held = uuid(self._next())
        header = LuksHeader(
            version=2,
            cipher="aes-xts-plain64",
            key_bits=512,
            keyslots=(LuksKeyslot(number=0, kdf="argon2id", memory=1048576),),
        )
        self._contents[on] = Container(kind=LUKS, uuid=held, luks=header)
        name = name or f"{on.rpartition('/')[2]}_crypt"
        dm = f"/dev/disk/by-id/dm-uuid-CRYPT-LUKS2-{held.replace('-', '')}-{name}"
        return self._mapped(DeviceKind.CRYPT, name, on, links=(dm,), size=self._size(on))

    def physical(self, *on: str) -> tuple[str, ...]:
        """Make devices physical volumes of LVM; volumes are made of them."""
        for each in on:
            number = self._next()
            known = f"src{number:03}-0000-0000-0000-0000-0000-{number:06}"
            self._contents[each] = Container(kind="LVM2_member", uuid=known)
        return on

    def volume(self, group: str, name: str, mib: int, *physical: str, detail: str = "") -> str:
        """Make a logical volume of a group that lies on these physical volumes."""
        mapper = f"{group.replace('-', '--')}-{name.replace('-', '--')}"
        links = (f"/dev/{group}/{name}", f"/dev/disk/by-id/dm-uuid-LVM-{group}{name}")
        return self._mapped(
            DeviceKind.VOLUME,
            mapper,
            *physical,
            name=f"{group}/{name}",
            detail=detail,
            links=links,
            size=Bytes(mib * MIB),
        )

    def thin_pool(self, group: str, name: str, mib: int, *physical: str) -> str:
        """Make a thin pool; thin volumes are made of what is returned."""
        halves = [
            self.volume(group, f"{name}_{half}", size, *physical)
            for half, size in (("tdata", mib), ("tmeta", 4))
        ]
        inner = self._inner(f"{group}/{name}", "tpool", Bytes(mib * MIB), *halves)
        self.volume(group, name, mib, inner)
        return inner

    def snapshot(self, volume: str, name: str, mib: int) -> str:
        """Make a snapshot of a volume with so much room, as LVM lays both over what was one."""
        whole = self._devices[volume]
        group = whole.name.partition("/")[0]
        real = self._inner(whole.name, "real", whole.size, *whole.made_of)
        cow = self._inner(f"{group}/{name}", "cow", Bytes(mib * MIB), *whole.made_of)
        self._devices[volume] = replace(whole, made_of=(real,))
        made = self.volume(group, name, int(whole.size) // MIB, cow, real)
        self._contents[made] = self._contents.get(volume, Nothing())
        return made

    def _inner(self, name: str, layer: str, size: Bytes, *below: str) -> str:
        """Make what LVM keeps below a volume for itself: 'vg0-data-real'."""
        mapper = "-".join(part.replace("-", "--") for part in name.split("/"))
        path = f"/dev/mapper/{mapper}-{layer}"
        return self._layer(
            DeviceKind.VOLUME, path, *below, name=name, detail=layer, links=(path,), size=size
        )

    def subvolume(self, on: str, path: str) -> str:
        """Make a subvolume of the btrfs on a device, by its path from the top ('@home')."""
        key, name, number = subvolume_key(on, path), path.strip("/"), self._next()
        known = BtrfsSubvolume(id=256 + number, parent=TOP_LEVEL, path=name, uuid=uuid(number))
        self._devices[key] = Device(
            key=key, kind=DeviceKind.SUBVOLUME, name=name, made_of=(on,), subvolume=known
        )
        return key

    def _mapped(
        self,
        kind: DeviceKind,
        mapper: str,
        *below: str,
        links: tuple[str, ...],
        size: Bytes,
        name: str = "",
        detail: str = "",
    ) -> str:
        path = f"/dev/mapper/{mapper}"
        links = (*links, f"/dev/disk/by-id/dm-name-{mapper}", path)
        return self._layer(
            kind, path, *below, name=name or mapper, detail=detail, links=links, size=size
        )

    def _layer(
        self,
        kind: DeviceKind,
        path: str,
        *below: str,
        size: Bytes,
        name: str = "",
        detail: str = "",
        links: tuple[str, ...] = (),
        array: Array | None = None,
    ) -> str:
        self._devices[path] = Device(
            key=path,
            kind=kind,
            path=path,
            name=name,
            detail=detail,
            size=size,
            links=tuple(sorted(links)),
            made_of=below,
            array=array,
        )
        return path

    def _size(self, path: str) -> Bytes:
        if path in self._devices:
            return self._devices[path].size
        for disk in self._disks.values():
            for part in disk.partitions:
                if part.path == path:
                    return Bytes(part.length * disk.logical_sector)
        return self._disks[path].size

    # --- what lies on them, and where it is mounted

    def fill(self, path: str, content: Content) -> None:
        """Put anything onto a device."""
        self._contents[path] = content

    def file_system(self, path: str, kind: str, label: str = "") -> str:
        """Make a file system of a kind by libblkid's name; return how fstab names it by default."""
        number = self._next()
        held = f"50BC-{number:04X}" if kind == FsKind.VFAT else uuid(number)
        known = kind in tuple(FsKind)
        self._contents[path] = (
            FileSystem(kind=FsKind(kind), uuid=held, label=label)
            if known
            else Foreign(kind=kind, uuid=held, label=label)
        )
        return f"UUID={held}"

    def mount(
        self,
        path: str,
        target: str,
        fstype: str,
        *,
        options: tuple[str, ...] = ("defaults",),
        root: str = "/",
        spec: str = "",
    ) -> None:
        """Mount what lies on a device, by a line of fstab unless `spec` is empty."""
        inside = () if fstype == FsKind.BTRFS and root == "/" else None
        self._mounts.append(
            Mount(device=path, target=target, fstype=fstype, root=root, subvolumes=inside)
        )
        if spec:
            line = FstabEntry(spec=spec, target=target, fstype=fstype, options=options, device=path)
            self._fstab.append(line)

    def swap(self, path: str, *, spec: str = "", mib: int = 512) -> None:
        """Swap to a device, which gets an area; by its UUID in fstab where no `spec` is given."""
        held = uuid(self._next())
        self._contents[path] = SwapArea(uuid=held)
        self._swaps.append(Swap(path=path, is_file=False, size=mib * MIB))
        self._fstab.append(
            FstabEntry(
                spec=spec or f"UUID={held}",
                target="none",
                fstype="swap",
                options=("sw",),
                device=path,
            )
        )

    def swap_file(self, path: str, *, mib: int = 512) -> None:
        """Swap to a file."""
        self._swaps.append(Swap(path=path, is_file=True, size=mib * MIB))
        self._fstab.append(FstabEntry(spec=path, target="none", fstype="swap", options=("sw",)))

    @property
    def count(self) -> int:
        """How many identifiers were given out: a number that no other piece has had."""
        return self._count

    def names(self, path: str) -> tuple[str, ...]:
        """Return what fstab can call a device, whatever lies on it: path, links, PARTUUID."""
        if path in self._devices:
            return tuple(dict.fromkeys((path, *self._devices[path].links)))
        parts = (part for disk in self._disks.values() for part in disk.partitions)
        part = next(each for each in parts if each.path == path)
        return path, *part.links, f"PARTUUID={part.uuid}"

    # --- the whole

    def machine(
        self,
        firmware: Firmware,
        *,
        architecture: str = "x86_64",
        board: str = "",
        others: tuple[Disk, ...] = (),
    ) -> Machine:
        """Return the machine, with these disks beside its own."""
        devices = tuple(
            replace(each, content=self._contents.get(key, Nothing()), uses=self._uses(key))
            for key, each in self._devices.items()
        )
        root = next((each.spec for each in self._fstab if each.target == "/"), "")
        is_pc = architecture == "x86_64"
        return Machine(
            host="server",
            machine_id="0123456789abcdef0123456789abcdef",
            is_root=True,
            disks=(*(self._finished(disk) for disk in self._disks.values()), *others),
            mounts=(
                *sorted(self._mounts, key=lambda each: each.target),
                Mount(device="proc", target="/proc", fstype="proc"),
                Mount(device="tmpfs", target="/run", fstype="tmpfs"),
            ),
            fstab=tuple(self._fstab),
            fstab_text="".join(map(_as_line, self._fstab)),
            swaps=tuple(self._swaps),
            boot=BootState(
                firmware=firmware,
                command_line=f"BOOT_IMAGE=/vmlinuz root={root} ro quiet",
                distributor="debian",
                platforms=PC if is_pc else (),
                architecture=architecture,
                board=board,
                grub_menu=is_pc,
            ),
            devices=devices,
        )

    def _finished(self, disk: Disk) -> Disk:
        """Return a disk with its contents, large enough for its partitions."""
        unit = MIB // disk.logical_sector
        end = max((each.start + each.length for each in disk.partitions), default=0)
        size = max(disk.size, (end + unit) * disk.logical_sector)
        content = self._contents.get(disk.path, disk.content)
        made = replace(disk, size=Bytes(size), content=content, uses=self._uses(disk.path))
        if made.table is None:
            return made
        parts = (self._held(each, end) for each in made.partitions)
        return replace(made, table=replace(made.table, partitions=tuple(parts)))

    def _held(self, part: Partition, end: int) -> Partition:
        if part.kind is PartitionKind.EXTENDED:
            return replace(part, length=Sectors(end - part.start))
        content = self._contents.get(part.path, Nothing())
        return replace(part, content=content, uses=self._uses(part.path))

    def _uses(self, path: str) -> tuple[Use, ...]:
        held = [key for key, each in self._devices.items() if path in each.made_of and each.path]
        mounted = [each.target for each in self._mounts if each.device == path]
        swaps = [each.path for each in self._swaps if each.path == path]
        return (
            *(Use(kind=UseKind.MOUNTED, where=target) for target in mounted),
            *(Use(kind=UseKind.SWAP, where=each) for each in swaps),
            *(Use(kind=UseKind.HOLDER, where=key) for key in held),
        )

    def _next(self) -> int:
        self._count += 1
        return self._count


def _as_line(entry: FstabEntry) -> str:
    target = entry.target.replace(" ", r"\040")
    return f"{entry.spec} {target} {entry.fstype} {','.join(entry.options)} 0 0\n"
