"""Servers drawn for property tests: the system's own disks with layers of every kind, and others.

Every stack of layers is drawn, also those that no plan is made for yet: what holds for a plan holds
for each that gets one, whenever it does.
"""

from dataclasses import replace

from hypothesis import strategies as st

from rescue.model.boot.firmware import Firmware
from rescue.model.storage.disk import TableKind
from rescue.model.storage.filesystem import FsKind
from rescue.model.storage.layer import Foreign
from rescue.model.storage.machine import Machine
from rescue.model.storage.partition_type import BIOS_BOOT, ESP, LVM, RAID
from tests.builders import LINUX_GUID, bare_disk, uuid
from tests.layouts.assembly import MIB, Assembly

TARGET = "/dev/sdz"
STACKS = (
    ("plain",),
    ("lvm",),
    ("luks",),
    ("luks", "lvm"),
    ("lvm", "luks"),
    ("md",),
    ("md", "lvm"),
    ("md", "luks", "lvm"),
    ("subvolumes",),
)
"""What lies between the system's partitions and its file systems, from below."""

KINDS = st.sampled_from([FsKind.EXT4, FsKind.XFS, FsKind.BTRFS, FsKind.EXT2])
ROOMS = st.integers(64, 4096)
MOUNT_POINTS = ("/home", "/var", "/var/log", "/srv", "/srv/data", "/opt/with space")


class _Drawn:
    """A server as it grows, with one stack of layers."""

    def __init__(self, draw: st.DrawFn, stack: tuple[str, ...]) -> None:
        self._draw = draw
        self.stack = stack
        self.made = Assembly()
        self.table = draw(st.sampled_from(TableKind))
        self.sector = draw(st.sampled_from([512, 512, 4096]))
        self.firmware = draw(st.sampled_from(Firmware))
        count = 2 if "md" in stack else 1
        self.disks = [self.made.disk(self.table, sector=self.sector) for _ in range(count)]
        self._below: tuple[str, ...] = ()
        self._volume = ""
        self._pool = self._pool_spec = ""

    # --- the disks of the system

    def lay_boot(self) -> None:
        """Make what a boot loader needs, outside of what it cannot read."""
        if self.table is TableKind.GPT:
            for disk in self.disks:
                self.made.partition(disk, 1, type_=BIOS_BOOT)
        if self.firmware is Firmware.UEFI:
            esp = self.made.partition(self.disks[0], 100, type_=ESP)
            self._mount(esp, "/boot/efi", FsKind.VFAT)
        if "luks" in self.stack or self._draw(st.booleans()):
            self._mount(self._flat(self._draw(ROOMS)), "/boot", FsKind.EXT4)

    def lay_system(self) -> None:
        """Make the root file system, some more, and swap: in the stack, or beside it."""
        self._lay("/", in_stack=True)
        chosen = self._draw(st.lists(st.sampled_from(MOUNT_POINTS), unique=True, max_size=4))
        for target in sorted(chosen):
            self._lay(target, in_stack=self._draw(st.booleans()))
        match self._draw(st.sampled_from(["none", "stack", "beside", "file"])):
            case "stack" if "subvolumes" not in self.stack:
                self._swap(self._layered(self._draw(ROOMS)))
            case "beside":
                self._swap(self._flat(self._draw(ROOMS)))
            case "file":
                self.made.swap_file("/swapfile")
            case _:
                pass

    def lay_unused(self) -> None:
        """Add what lies on the system's disks and is no part of the running system."""
        if self._draw(st.booleans()):
            other = self.made.partition(self.disks[0], self._draw(ROOMS))
            self.made.fill(other, Foreign(kind="ntfs", uuid=uuid(9001), label="Windows"))
        if "lvm" in self.stack and self._draw(st.booleans()):
            pool = self._below
            if self._draw(st.booleans()):
                pool = (self.made.thin_pool("host-vg", "pool", 4096, *self._below),)
            guest = self.made.volume("host-vg", "vm-100", self._draw(ROOMS), *pool)
            self.made.file_system(guest, FsKind.EXT4)
        if "lvm" in self.stack and self._draw(st.booleans()):
            self.made.snapshot(self._volume, "before", 64)

    def lay_data(self) -> None:
        """Add disks with data, which no mirror of this system has."""
        for number in range(self._draw(st.integers(0, 2))):
            disk = self.made.disk(TableKind.GPT)
            at = self.made.partition(disk, self._draw(ROOMS))
            if self._draw(st.booleans()):
                at = self.made.volume(f"data{number}", "all", 32, *self.made.physical(at))
            option = self._draw(st.sampled_from(["defaults", "nofail", "noauto"]))
            self._mount(at, f"/mnt/{number}", FsKind.XFS, (option,))

    # --- one file system

    def _lay(self, target: str, *, in_stack: bool) -> None:
        if in_stack and "subvolumes" in self.stack:
            self._lay_subvolume(target)
            return
        room = self._draw(ROOMS)
        at = self._layered(room) if in_stack else self._flat(room)
        self._mount(at, target, self._draw(KINDS))

    def _lay_subvolume(self, target: str) -> None:
        if not self._pool:
            self._pool = self._flat(16384)
            self._pool_spec = self.made.file_system(self._pool, FsKind.BTRFS)
        path = f"@{target.replace('/', '_')}"
        self.made.subvolume(self._pool, path)
        options = ("defaults", f"subvol={path}")
        self.made.mount(
            self._pool, target, FsKind.BTRFS, options=options, root=f"/{path}", spec=self._pool_spec
        )

    def _layered(self, mib: int) -> str:
        """Make a device in the stack."""
        if "lvm" not in self.stack:
            at = self._flat(mib)
            return self.made.luks(at) if "luks" in self.stack else at
        if not self._below:
            below = self._flat(65536, LVM)
            if self.stack.index("lvm") > 0 and "luks" in self.stack:
                below = self.made.luks(below)
            self._below = self.made.physical(below)
        name = f"lv{self.made.count}"
        at = self._volume = self.made.volume("host-vg", name, mib, *self._below)
        return self.made.luks(at) if self.stack == ("lvm", "luks") else at

    def _flat(self, mib: int, type_: str = LINUX_GUID) -> str:
        """Make a partition, or where the stack is on md an array of one partition of each disk."""
        if "md" not in self.stack:
            return self.made.partition(self.disks[0], mib, type_=type_)
        raid = RAID if self.table is TableKind.GPT else "fd"
        members = [self.made.partition(disk, mib, type_=raid) for disk in self.disks]
        return self.made.array("raid1", *members)

    def _mount(
        self, at: str, target: str, kind: str, options: tuple[str, ...] = ("defaults",)
    ) -> None:
        label = self._draw(st.sampled_from(["", "", f"label{self.made.count}"]))
        tags = [self.made.file_system(at, kind, label), *([f"LABEL={label}"] if label else [])]
        spec = self._draw(st.sampled_from([*tags, *self.made.names(at)]))
        self.made.mount(at, target, kind, options=options, spec=spec)

    def _swap(self, at: str) -> None:
        self.made.swap(at, spec=self._draw(st.sampled_from(["", *self.made.names(at)])))

    def finished(self) -> Machine:
        """Return the machine, and beside it a bare disk that is as large or larger."""
        machine = self.made.machine(self.firmware)
        size = max(disk.size for disk in machine.disks) + self._draw(st.integers(0, 99)) * MIB
        target = bare_disk(TARGET, "TARGET01", size)
        target = replace(target, logical_sector=self.sector, physical_sector=self.sector)
        return replace(machine, disks=(*machine.disks, target))


@st.composite
def system_machines(draw: st.DrawFn, stacks: tuple[tuple[str, ...], ...] = STACKS) -> Machine:
    """Draw a server whose system lies in one of these stacks, and a bare disk for its mirror."""
    drawn = _Drawn(draw, draw(st.sampled_from(stacks)))
    drawn.lay_boot()
    drawn.lay_system()
    drawn.lay_unused()
    drawn.lay_data()
    return drawn.finished()
