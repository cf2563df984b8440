"""The machines that people described in public, as `discover` would have seen them.

`tests/data/layouts/described.json` has the facts alone, and where each was read: which layers lie
between root and disk, what is mounted besides, how it is started. What nobody told (sizes, the
order of partitions) is made up here, the same for all. A `certainty` says what rests on that.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rescue.model.boot.firmware import Firmware
from rescue.model.storage.disk import TableKind
from rescue.model.storage.layer import Foreign
from rescue.model.storage.machine import Machine
from rescue.model.storage.partition_type import BIOS_BOOT, ESP, LVM
from tests.builders import LINUX_GUID, bare_disk, uuid
from tests.layouts.assembly import Assembly

TARGET = "/dev/sdz"
FACTS = Path(__file__).parents[1] / "data/layouts/described.json"
ROOMS = {"/boot/efi": 512, "/boot": 1024, "/": 20480}
"""How large a file system is, in MiB; any other has 10 GiB."""

_WHOLE = 204800
_MEMBERS = {"md raid5": 3, "md raid10": 4}
_TABLES = {"gpt": TableKind.GPT, "mbr": TableKind.MBR}
_SYSTEM = ("/", "/boot", "/boot/efi", "/home", "/root")


@dataclass(frozen=True, kw_only=True)
class Described:
    """One described machine.

    A chain goes from the disk up: ('gpt', 'partition', 'luks', 'lvm').
    """

    id: str
    source: str
    distribution: str
    firmware: str
    architecture: str
    loader: str
    root_chain: tuple[str, ...]
    system_disks: int
    mounts: tuple[Mapping[str, Any], ...]
    swap: tuple[str, ...]
    extras: tuple[str, ...]
    certainty: str

    @property
    def words(self) -> str:
        """The machine in a few words: 'Debian 12, bios, mbr > partition > ext4'."""
        return f"{self.distribution}, {self.firmware}, {' > '.join(self.root_chain)}"

    @property
    def is_wanted(self) -> bool:
        """Whether a mirror of it is possible at all: a PC whose root is not ZFS."""
        return self.architecture == "amd64" and "zfs" not in self.root_chain


def described() -> tuple[Described, ...]:
    """Return every described machine, in the order of their names."""
    return tuple(_facts(each) for each in json.loads(FACTS.read_text("utf-8")))


def _facts(told: Mapping[str, Any]) -> Described:
    lists = {key: tuple(value) for key, value in told.items() if isinstance(value, list)}
    plain = {key: value for key, value in told.items() if not isinstance(value, list)}
    kept = Described.__dataclass_fields__
    return Described(**{key: value for key, value in {**plain, **lists}.items() if key in kept})


def machine_of(told: Described) -> Machine:
    """Return a described machine, with a bare disk beside it that is as large as its largest."""
    seen = _Seen(told)
    seen.lay_system()
    seen.lay_data()
    seen.lay_extras()
    return seen.finished()


class _Seen:
    """A machine as its description is followed."""

    def __init__(self, told: Described) -> None:
        self.told = told
        self.made = Assembly()
        self._shared: dict[tuple[str, ...], str] = {}
        self.system = self._disks(told.root_chain, told.system_disks)

    def _disks(self, chain: tuple[str, ...], number: int) -> tuple[str, ...]:
        """Add disks with the kind of table that a chain starts with, or as large as it wants."""
        table = _TABLES.get(chain[0])
        if table is not None or chain == ("zfs",):
            disks = tuple(self.made.disk(table or TableKind.GPT) for _ in range(number))
        else:
            disks = tuple(self.made.disk(mib=_WHOLE) for _ in range(number))
        return disks

    # --- what lies where

    def lay_system(self) -> None:
        if self.told.root_chain[0] == "gpt" and self.told.firmware != "uefi":
            for disk in self.system:
                self.made.partition(disk, 1, type_=BIOS_BOOT)
        for each in sorted(filter(self._is_own, self.told.mounts), key=_order):
            # Of two disks without an array, the second has what a system starts without.
            late = "md" not in str(each["chain"]) and each["mount"] in ("/home", "/root")
            self._lay(each, self.system[1:] if late and self.system[1:] else self.system)
        for place in self.told.swap:
            if not place.startswith("/dev/sdb"):
                self._lay_swap(place)

    def lay_data(self) -> None:
        """Put every other file system on disks of its own."""
        for each in self.told.mounts:
            if not self._is_own(each):
                chain = tuple(each["chain"])
                number = next((_MEMBERS.get(word, 2) for word in chain if word[:2] == "md"), 1)
                self._lay(each, self._disks(chain, number))
        for place in self.told.swap:
            if place == "/dev/sdb":
                self.made.swap(self.made.disk(mib=2048))
            elif place.startswith("/dev/sdb"):
                self.made.swap(self.made.partition("/dev/sdb", 2048))

    def lay_extras(self) -> None:
        """Add what else was told and matters to a plan, or could."""
        told = " ".join(self.told.extras)
        if "thin pool of the same group" in told:
            self._lay_thin_pool()
        if "several systems in one volume group" in told:
            other = self._volume(self._root_layers, "other", 10240)
            self.made.file_system(other, "ext4")
        if "Windows beside it" in told:
            windows = self.made.partition(self.system[0], 10240)
            self.made.fill(windows, Foreign(kind="ntfs", uuid=uuid(999)))
        if "overlay" in told:
            self.made.mount("overlay", "/var/lib/docker/overlay2/1/merged", "overlay")
        if "mergerfs" in told:
            self.made.mount("1:2", "/srv/merged", "fuse.mergerfs")

    def finished(self) -> Machine:
        pc = self.told.architecture == "amd64"
        board = "Raspberry Pi" if self.told.loader == "rpi" else ""
        firmware = Firmware.UEFI if self.told.firmware == "uefi" else Firmware.BIOS
        architecture = "x86_64" if pc else "armv7l"
        machine = self.made.machine(firmware, architecture=architecture, board=board)
        largest = max(disk.size for disk in machine.disks)
        target = bare_disk(TARGET, "TARGET01", largest)
        return replace(machine, disks=(*machine.disks, target))

    # --- one file system and what it lies on

    def _is_own(self, mount: Mapping[str, Any]) -> bool:
        return mount["mount"] in _SYSTEM or mount["fs"] == "zfs" == self.told.root_chain[-1]

    def _lay(self, mount: Mapping[str, Any], disks: tuple[str, ...]) -> None:
        target, kind, chain = mount["mount"], mount["fs"], tuple(mount["chain"])
        options = tuple(mount["options"].split(","))
        if kind == "zfs":
            self._lay_zfs(target, disks)
            return
        path = next((each[7:] for each in options if each.startswith("subvol=")), "")
        if path and (at := self._shared.get(("btrfs", *chain))):
            named = self._shared["named", *chain]
        else:
            at = self._device(chain, target, kind, disks)
            named = self.made.file_system(at, kind)
        if path:
            self._shared["btrfs", *chain], self._shared["named", *chain] = at, named
            self.made.subvolume(at, path)
        spec = at if at.startswith("/dev/mapper/") else named
        self.made.mount(at, target, kind, options=options, root=f"/{path}", spec=spec)

    def _device(
        self, chain: tuple[str, ...], target: str, kind: str, disks: tuple[str, ...]
    ) -> str:
        room = ROOMS.get(target, 10240)
        if "lvm" in chain:
            name = target.strip("/").replace("/", "_") or "root"
            return self._volume(chain[: chain.index("lvm")], name, room, disks)
        esp = kind == "vfat" and self.told.firmware == "uefi"
        return self._built(chain, disks, room, ESP if esp else LINUX_GUID)

    @property
    def _root_layers(self) -> tuple[str, ...]:
        """What the volume group of the root file system lies on."""
        chain = next(each["chain"] for each in self.told.mounts if each["mount"] == "/")
        return tuple(chain[: chain.index("lvm")])

    def _volume(
        self, below: tuple[str, ...], name: str, mib: int, disks: tuple[str, ...] = ()
    ) -> str:
        """Make a volume in the group above these layers, which is made with its first one."""
        disks = disks or self.system
        key = ("group", *below, *disks)
        if key not in self._shared:
            self._shared[key] = self._built(below, disks, _WHOLE // 2, LVM)
            self.made.physical(self._shared[key])
        group = self._group if disks == self.system else f"{self._group}-data"
        return self.made.volume(group, name, mib, self._shared[key])

    @property
    def _group(self) -> str:
        """The group's name, as swap in it tells it."""
        told = (place for place in self.told.swap if place.startswith("/dev/mapper/"))
        return next(told, "/dev/mapper/vg-x").removeprefix("/dev/mapper/").partition("-")[0]

    def _built(self, chain: tuple[str, ...], disks: tuple[str, ...], mib: int, type_: str) -> str:
        """Make what a chain names, from the disks up; an array of whole disks is made once."""
        several = any(word.startswith("md") for word in chain)
        at = disks if several else disks[:1]
        for word in chain:
            if word == "partition":
                at = tuple(self._partition(each, mib, type_) for each in at)
            elif word.startswith("md"):
                at = (self._array(word, at),)
            elif word == "luks":
                at = (self.made.luks(at[0]),)
        return at[0]

    def _partition(self, on: str, mib: int, type_: str) -> str:
        if on.startswith("/dev/md"):
            return self.made.array_partition(on, mib)
        return self.made.partition(on, mib, type_=type_)

    def _array(self, word: str, members: tuple[str, ...]) -> str:
        """Make an array, 'md raid1', 'md raid1 (Intel firmware RAID)' or 'md imsm'."""
        firmware = "imsm" in word or "Intel" in word
        key = ("array", *members)
        if key not in self._shared:
            level = "raid1" if firmware else word.partition(" ")[2] or "raid1"
            kind = "isw_raid_member" if firmware else "linux_raid_member"
            self._shared[key] = self.made.array(level, *members, kind=kind)
        return self._shared[key]

    # --- what has no chain of its own

    def _lay_swap(self, place: str) -> None:
        mbr = self.told.root_chain[0] == "mbr"
        if place.startswith("/dev/mapper/"):
            name = place.partition("-")[2]
            self.made.swap(self._volume(self._root_layers, name, 2048), spec=place)
        elif place.startswith("/dev/md"):
            members = tuple(self.made.partition(disk, 2048) for disk in self.system)
            self.made.swap(self._array("md raid1", members))
        elif place.startswith("/dev/"):
            logical = mbr and int(place[-1]) > 4
            self.made.swap(self.made.partition(self.system[0], 2048, logical=logical))
        else:
            self.made.swap_file(place)

    def _lay_zfs(self, target: str, disks: tuple[str, ...]) -> None:
        root = self._is_own({"mount": target, "fs": "zfs"})
        pool = "rpool" if root else target.rpartition("/")[2]
        if ("zfs", pool) not in self._shared:
            self._shared["zfs", pool] = pool
            for disk in disks:
                member = self.made.partition(disk, 102400)
                self.made.fill(member, Foreign(kind="zfs_member", uuid=uuid(998), label=pool))
        dataset = target.removeprefix(f"/{pool}").strip("/") or "ROOT"
        self.made.mount(f"{pool}/{dataset}", target, "zfs")

    def _lay_thin_pool(self) -> None:
        """Add the pool 'data' with a guest's disk in it to the group of the root file system."""
        physical = self._shared["group", *self._root_layers, *self.system]
        pool = self.made.thin_pool(self._group, "data", 40960, physical)
        self.made.volume(self._group, "vm-100-disk-0", 32768, pool)


def _order(mount: Mapping[str, Any]) -> int:
    """Sort what a system's disk has: ESP, /boot and root come first."""
    return [*ROOMS, mount["mount"]].index(mount["mount"])
