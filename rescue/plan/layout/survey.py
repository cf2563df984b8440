"""The survey of the source's disk: what belongs to the system, and what cannot be mirrored."""

from dataclasses import dataclass

from rescue.model.finding import Refusal
from rescue.model.mirror.elsewhere import Elsewhere, elsewhere
from rescue.model.storage.disk import Disk, Partition, PartitionKind
from rescue.model.storage.filesystem import FileSystem, SwapArea
from rescue.model.storage.machine import Machine
from rescue.model.storage.partition_type import is_bios_boot
from rescue.plan.checks.obstacles import obstacles
from rescue.plan.layout.contents import describe, holds_nothing
from rescue.plan.layout.leave_out import vital_refusals


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
    """The source's disk, sorted: file systems parents first ('/' first), swap areas, the rest.

    `elsewhere` lies wholly on other disks.
    """

    disk: Disk
    members: tuple[Member, ...]
    swaps: tuple[tuple[Partition, SwapArea], ...]
    refusals: tuple[Refusal, ...]
    notes: tuple[str, ...]
    elsewhere: tuple[Elsewhere, ...] = ()

    @property
    def mounted(self) -> tuple[Member, ...]:
        """The file systems that are mounted now."""
        return tuple(member for member in self.members if member.mounted)


def survey(machine: Machine, disk: Disk, *, but_not: str = "") -> Survey:
    """Given a machine and the disk it runs from, return what there is to mirror.

    `but_not` is the device node of the mirror's disk, whose own mounts are the guard's concern.
    Refusals are UNSUPPORTED (a layer, an unknown file system, a part of the system on another disk)
    and DRIFTED (fstab names what is not there, or what is not mounted now).
    """
    members = tuple(
        member for part in disk.partitions if (member := _member(machine, part)) is not None
    )
    others = elsewhere(machine, disk.path, but_not=but_not)
    return Survey(
        disk=disk,
        members=tuple(sorted(members, key=lambda each: _depth(each.mount_point))),
        swaps=tuple(
            (part, part.content) for part in disk.partitions if isinstance(part.content, SwapArea)
        ),
        refusals=(*vital_refusals(others), *obstacles(machine, disk.path)),
        notes=tuple(dict.fromkeys(_notes(disk, members))),
        elsewhere=others,
    )


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


def _depth(mount_point: str) -> tuple[int, str]:
    """Sort parents before children: '/' first, then by the number of components."""
    return len([part for part in mount_point.split("/") if part]), mount_point
