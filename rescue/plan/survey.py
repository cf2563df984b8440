"""What of the source's disk is part of the running system, and what of it cannot be mirrored."""

import re
from dataclasses import dataclass

from rescue.errors import ExitCode
from rescue.model.disk import Disk, Partition, PartitionKind
from rescue.model.filesystem import FileSystem, FsKind, SwapArea
from rescue.model.finding import Refusal
from rescue.model.layer import Container
from rescue.model.machine import Machine
from rescue.model.mount import FstabEntry, Mount
from rescue.plan.contents import describe, holds_nothing, is_bios_boot, some_of

# Image files lie within a mirrored file system; the others hold nothing that stays.
_NO_DISK = re.compile(r"/dev/(loop|sr|fd|ram|zram|cdrom|dvd|fuse|shm)")
_SUBVOLUME = re.compile(r"subvol(id)?=")
_LATER = "mirror it once rescue supports this layout; nothing was written"


@dataclass(frozen=True, kw_only=True)
class Member:
    """One file system of the running system: its partition, and where it belongs.

    `mounted` is False for one that fstab lists with noauto or nofail and that is not there now.
    """

    part: Partition
    filesystem: FileSystem
    mount_point: str
    mounted: bool = True


@dataclass(frozen=True, kw_only=True)
class Survey:
    """The source's disk, sorted: file systems parents first ('/' first), swap areas, the rest."""

    disk: Disk
    members: tuple[Member, ...]
    swaps: tuple[tuple[Partition, SwapArea], ...]
    refusals: tuple[Refusal, ...]
    notes: tuple[str, ...]

    @property
    def mounted(self) -> tuple[Member, ...]:
        """The file systems that are mounted now."""
        return tuple(member for member in self.members if member.mounted)


def survey(machine: Machine, disk: Disk, *, but_not: str = "") -> Survey:
    """Given a machine and the disk it runs from, return what there is to mirror.

    `but_not` is the device node of the mirror's disk, whose own mounts are the guard's concern.
    Refusals are UNSUPPORTED (a layer, another disk, an unknown file system) and DRIFTED (fstab
    names what is not there, or what is not mounted now).
    """
    members = tuple(
        member for part in disk.partitions if (member := _member(machine, part)) is not None
    )
    other = machine.disk_at(but_not)
    elsewhere = {part.path for part in other.partitions} | {but_not} if other else set()
    refusals, notes = _Pile(), list(_notes(disk, members))
    for mount in machine.mounts:
        _look_at_mount(machine, disk, mount, elsewhere, refusals, notes)
    for entry in machine.fstab:
        _look_at_line(machine, disk, entry, elsewhere, refusals, notes)
    _look_at_swaps(machine, disk, elsewhere, refusals, notes)
    return Survey(
        disk=disk,
        members=tuple(sorted(members, key=lambda each: _depth(each.mount_point))),
        swaps=tuple(
            (part, part.content) for part in disk.partitions if isinstance(part.content, SwapArea)
        ),
        refusals=refusals.all(),
        notes=tuple(dict.fromkeys(notes)),
    )


def unsupported_root(machine: Machine) -> Refusal:
    """Return why the running root cannot be mirrored: it is not on a partition of a disk."""
    root = machine.mount_at("/")
    where = f"{root.device} ({root.fstype})" if root else "nothing that is known"
    layers = sorted(
        {
            part.content.kind
            for disk in machine.disks
            for part in disk.partitions
            if isinstance(part.content, Container) and part.uses
        }
    )
    through = f", through {' and '.join(layers)}" if layers else ""
    return Refusal(
        code=ExitCode.UNSUPPORTED,
        reason=f"the root file system is on {where}{through}: not on a plain partition",
        hint=_LATER,
    )


class _Pile:
    """Refusals as they are found, each sentence once, with what is unsupported first."""

    def __init__(self) -> None:
        self._found: dict[str, Refusal] = {}

    def add(self, code: ExitCode, reason: str, hint: str = _LATER) -> None:
        self._found.setdefault(reason, Refusal(code=code, reason=reason, hint=hint))

    def all(self) -> tuple[Refusal, ...]:
        return tuple(sorted(self._found.values(), key=lambda refusal: refusal.code))


def _member(machine: Machine, part: Partition) -> Member | None:
    """Return the file system on a partition, where the running system has a place for it."""
    if not isinstance(part.content, FileSystem):
        return None
    mounts = [m.target for m in machine.mounts if m.device == part.path and m.root == "/"]
    listed = [e for e in machine.fstab if e.device == part.path and e.target.startswith("/")]
    places = [entry.target for entry in listed if entry.target in mounts] or mounts
    if "/" in places:
        places = ["/"]
    if places:
        return Member(part=part, filesystem=part.content, mount_point=places[0])
    if listed:
        return Member(
            part=part, filesystem=part.content, mount_point=listed[0].target, mounted=False
        )
    return None


def _notes(disk: Disk, members: tuple[Member, ...]) -> list[str]:
    """Say what is made and left empty, and what is only a partition on the mirror."""
    known = {member.part.number for member in members}
    notes = [
        f"{member.mount_point} is not mounted now: the mirror gets the file system, empty"
        for member in members
        if not member.mounted
    ]
    for part in disk.partitions:
        plain = holds_nothing(part.content) or isinstance(part.content, SwapArea)
        plain = plain or part.kind is PartitionKind.EXTENDED
        if part.number not in known and not plain and not is_bios_boot(part):
            notes.append(
                f"partition {part.number} ({describe(part.content)}) is not part of the running "
                "system: the mirror gets the partition, empty"
            )
    return notes


def _look_at_mount(
    machine: Machine,
    disk: Disk,
    mount: Mount,
    elsewhere: set[str],
    refusals: _Pile,
    notes: list[str],
) -> None:
    """Refuse a mounted block file system that would be missing on the mirror."""
    if mount.fstype in ("zfs", "bcachefs"):
        refusals.add(ExitCode.UNSUPPORTED, f"{mount.target} is on {mount.fstype}")
        return
    if not mount.device.startswith("/dev/") or _NO_DISK.match(mount.device):
        return
    if mount.device in elsewhere:
        return
    held = machine.holder_of(mount.device)
    if held is None:
        refusals.add(
            ExitCode.UNSUPPORTED, f"{mount.target} is on {mount.device}: not on a plain partition"
        )
    elif held[0].path != disk.path:
        _on_another_disk(machine, held[0], mount.target, mount.device, refusals, notes)
    else:
        _check_kind(machine, held[1], mount, refusals)


def _check_kind(machine: Machine, part: Partition, mount: Mount, refusals: _Pile) -> None:
    if not isinstance(part.content, FileSystem):
        refusals.add(
            ExitCode.UNSUPPORTED,
            f"{mount.target} is {mount.fstype} on {mount.device}, which rescue does not make",
        )
        return
    whole = any(m.root == "/" for m in machine.mounts if m.device == mount.device)
    if mount.root != "/" and not whole:
        refusals.add(
            ExitCode.UNSUPPORTED,
            f"{mount.target} is the part {mount.root} of the {mount.fstype} on {mount.device} "
            "(a subvolume or a bind mount)",
        )
    if mount.root == "/" and mount.fstype == FsKind.BTRFS:
        _check_subvolumes(mount, refusals)


def _check_subvolumes(mount: Mount, refusals: _Pile) -> None:
    """Refuse a btrfs with subvolumes: each is a device of its own (st_dev), and rsync would make
    an empty folder of it without a word."""
    if mount.subvolumes is None:
        refusals.add(
            ExitCode.UNSUPPORTED,
            f"the subvolumes of the btrfs on {mount.target} could not be listed, and would be "
            "missing on the mirror",
            "apt install btrfs-progs; where it is installed, "
            f"'btrfs subvolume list {mount.target}' says why",
        )
    elif mount.subvolumes:
        paths = [f"{mount.target.rstrip('/')}/{path}" for path in mount.subvolumes]
        refusals.add(
            ExitCode.UNSUPPORTED,
            f"the btrfs on {mount.target} holds subvolumes, which would be empty on the mirror: "
            f"{some_of(paths)}",
            "move their files into plain folders, or give them a file system of their own, and "
            "delete the subvolumes ('btrfs subvolume delete'); nothing was written",
        )


def _on_another_disk(
    machine: Machine,
    other: Disk,
    target: str,
    device: str,
    refusals: _Pile,
    notes: list[str],
) -> None:
    """A disk that comes and goes is no part of the system; any other would be missing."""
    lines = [entry for entry in machine.fstab if entry.device == device]
    passing = not lines and (other.removable or other.transport == "usb")
    if passing or (lines and all(entry.may_be_absent for entry in lines)):
        notes.append(f"{target} is on another disk ({other.path}) and is not mirrored")
    else:
        refusals.add(
            ExitCode.UNSUPPORTED,
            f"{target} is on another disk ({device}) than the root file system",
            "only systems on one disk can be mirrored yet; with noauto or nofail in fstab it is "
            "left out",
        )


def _look_at_line(
    machine: Machine,
    disk: Disk,
    entry: FstabEntry,
    elsewhere: set[str],
    refusals: _Pile,
    notes: list[str],
) -> None:
    """Compare one line of fstab with what is there."""
    if not entry.is_block or _NO_DISK.match(entry.spec) or entry.device in elsewhere - {""}:
        return
    what = "swap" if entry.fstype == "swap" else entry.target
    if not entry.device:
        if entry.may_be_absent:
            notes.append(f"fstab names {entry.spec} for {what}, which is not there now")
        else:
            refusals.add(
                ExitCode.DRIFTED,
                f"fstab names {entry.spec} for {what}, which does not exist",
                "attach it, correct the line in /etc/fstab, or add nofail to it",
            )
        return
    held = machine.holder_of(entry.device)
    if held is None:
        if not entry.may_be_absent:
            refusals.add(
                ExitCode.UNSUPPORTED, f"{what} is on {entry.device}: not on a plain partition"
            )
    elif held[0].path != disk.path:
        _on_another_disk(machine, held[0], what, entry.device, refusals, notes)
    elif entry.fstype != "swap":
        _check_line(machine, held[1], entry, refusals)


def _check_line(machine: Machine, part: Partition, entry: FstabEntry, refusals: _Pile) -> None:
    """Compare a line that names a partition of the root's disk with what is mounted there."""
    if any(_SUBVOLUME.match(option) for option in entry.options):
        refusals.add(ExitCode.UNSUPPORTED, f"{entry.target} is a btrfs subvolume")
        return
    seen = machine.mount_at(entry.target)
    if seen is not None and seen.device == entry.device:
        return
    if entry.may_be_absent:
        return
    if not isinstance(part.content, FileSystem):
        refusals.add(
            ExitCode.UNSUPPORTED,
            f"{entry.target} is {describe(part.content)} on {entry.device}, "
            "which rescue does not make",
        )
        return
    instead = f": {seen.device} is there" if seen is not None else ""
    refusals.add(
        ExitCode.DRIFTED,
        f"fstab mounts {entry.spec} on {entry.target}, but it is not mounted{instead}",
        f"mount it ('mount {entry.target}'), or run 'systemctl daemon-reload' and look at fstab",
    )


def _look_at_swaps(
    machine: Machine, disk: Disk, elsewhere: set[str], refusals: _Pile, notes: list[str]
) -> None:
    """Refuse swap on a layer; swap on another disk that fstab does not name is only said."""
    for swap in machine.swaps:
        if swap.is_file or _NO_DISK.match(swap.path) or swap.path in elsewhere:
            continue
        held = machine.holder_of(swap.path)
        if held is None:
            refusals.add(ExitCode.UNSUPPORTED, f"swap is on {swap.path}: not on a plain partition")
        elif held[0].path != disk.path and not any(e.device == swap.path for e in machine.fstab):
            notes.append(f"swap on {swap.path} is on another disk and is not mirrored")


def _depth(mount_point: str) -> tuple[int, str]:
    """Sort parents before children: '/' first, then by the number of components."""
    return len([part for part in mount_point.split("/") if part]), mount_point
