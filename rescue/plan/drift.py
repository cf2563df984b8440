"""Whether the source is still what the mirror was made from; else nothing may be deleted."""

from rescue.errors import ExitCode
from rescue.model.disk import Disk
from rescue.model.filesystem import FileSystem
from rescue.model.finding import Refusal
from rescue.model.machine import Machine
from rescue.model.record import FilesystemPair, MirrorRecord
from rescue.plan.bootfiles import made_on_the_mirror, whole_tree_patterns
from rescue.plan.contents import describe
from rescue.plan.exclude import excluded
from rescue.plan.survey import Survey

_AGAIN = "if the change is meant, prepare the mirror again: 'rescue prepare DISK'"


def drift_refusals(
    machine: Machine, found: Survey, record: MirrorRecord, *, esp: str
) -> list[Refusal]:
    """Compare the surveyed source with the record.

    Every recorded file system must be mounted where it was, with the recorded UUID; no other
    file system or swap area may have joined the system. What the survey calls unsupported has
    joined since the mirror was prepared, and is drift here. `esp` is the recorded mount point
    of the EFI system partition, or ''.
    """
    refusals = [
        Refusal(code=ExitCode.DRIFTED, reason=refusal.reason, hint=refusal.hint)
        if refusal.code is ExitCode.DRIFTED
        else Refusal(code=ExitCode.DRIFTED, reason=f"new here: {refusal.reason}", hint=_AGAIN)
        for refusal in found.refusals
    ]
    skipped = left_out(machine, record, esp=esp)
    for pair in record.filesystems:
        if pair.mount_point not in skipped:
            refusals += _mount_refusals(machine, found.disk, pair)
    known = {pair.mount_point for pair in record.filesystems}
    refusals += [
        _drifted(
            f"{member.mount_point} ({describe(member.filesystem)}) is new: "
            f"mirror '{record.name}' does not have it"
        )
        for member in found.mounted
        if member.mount_point not in known
    ]
    return refusals + _swap_refusals(machine, found, record)


def left_out(machine: Machine, record: MirrorRecord, *, esp: str) -> frozenset[str]:
    """Return the recorded mount points that fstab mounts on demand (noauto) and are not there.

    The mirror keeps what it has of them. File systems that hold files of the boot are never
    left out: a run could not tell an absent file from a removed one.
    """
    on_demand = {
        entry.target
        for entry in machine.fstab
        if "noauto" in entry.options and machine.mount_at(entry.target) is None
    }
    keep = made_on_the_mirror(esp, record.platforms, "") + whole_tree_patterns(esp)
    every = excluded(record.filesystems, keep=keep, swap_files=(), esp=esp)
    return frozenset(
        each.mount_point
        for each in every
        if each.mount_point in on_demand and not each.keep and not each.late
    )


def _mount_refusals(machine: Machine, disk: Disk, pair: FilesystemPair) -> list[Refusal]:
    """Refuse where a recorded file system is not mounted, or another one is in its place."""
    mount = machine.mount_at(pair.mount_point)
    if mount is None:
        return [
            Refusal(
                code=ExitCode.DRIFTED,
                reason=f"{pair.mount_point} is not mounted on this machine: the run would delete "
                "it on the mirror",
                hint=f"mount it ('mount {pair.mount_point}') and run again",
            )
        ]
    held = machine.holder_of(mount.device)
    content = held[1].content if held is not None and held[0].path == disk.path else None
    if not isinstance(content, FileSystem) or mount.root != "/":
        return [_drifted(f"{pair.mount_point} is {mount.fstype} on {mount.device} now")]
    if content.uuid != pair.source_uuid:
        return [
            _drifted(
                f"{pair.mount_point} has UUID {content.uuid}, and the mirror was made from "
                f"{pair.source_uuid}"
            )
        ]
    if content.kind is not pair.kind:
        return [_drifted(f"{pair.mount_point} is {content.kind} now, it was {pair.kind}")]
    return []


def _swap_refusals(machine: Machine, found: Survey, record: MirrorRecord) -> list[Refusal]:
    """Refuse swap areas that fstab names or the kernel uses and that the mirror does not have."""
    known = {pair.source_uuid for pair in record.swaps}
    used = {entry.device for entry in machine.fstab if entry.fstype == "swap"}
    used |= {swap.path for swap in machine.swaps if not swap.is_file}
    return [
        _drifted(f"the swap area on partition {part.number} (UUID {area.uuid}) is new")
        for part, area in found.swaps
        if area.uuid not in known and part.path in used
    ]


def _drifted(reason: str) -> Refusal:
    return Refusal(code=ExitCode.DRIFTED, reason=reason, hint=_AGAIN)
