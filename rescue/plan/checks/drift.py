"""Drift: whether the source is still what the mirror was made from."""

from dataclasses import replace
from shlex import quote

from rescue.errors import ExitCode
from rescue.model.boot.files import whole_tree_patterns
from rescue.model.boot.firmware import GrubPlatform
from rescue.model.finding import Refusal
from rescue.model.mirror.record import FilesystemPair, MirrorRecord
from rescue.model.storage.disk import Disk
from rescue.model.storage.filesystem import FileSystem
from rescue.model.storage.machine import Machine
from rescue.model.storage.place import in_words, node_of, place_of
from rescue.plan.checks.loader import loader_refusals
from rescue.plan.layout.contents import describe
from rescue.plan.layout.survey import Member, Survey
from rescue.plan.steps.bootfiles import made_on_the_mirror
from rescue.plan.steps.exclude import excluded
from rescue.plan.steps.grub import BOOTED_BY
from rescue.plan.steps.small_drift import size_of
from rescue.units import human_bytes

_UNDO = "mount it as it was, or "


def drift_refusals(
    machine: Machine, found: Survey, record: MirrorRecord, mirror: Disk | None, *, esp: str
) -> list[Refusal]:
    """Compare the surveyed source with the record.

    Every recorded file system must be mounted where it was, on the partition where it was, with
    the recorded UUID, and fit onto its counterpart; no other file system or swap area may have
    joined the system. What the survey calls unsupported has joined since the mirror was prepared,
    and is drift here. `mirror` is the mirror's disk, None where it is not attached; `esp` is the
    recorded mount point of the EFI system partition, or ''.
    """
    refusals = [_joined(refusal) for refusal in found.refusals]
    refusals += _firmware_refusals(machine, record, esp=esp)
    skipped = left_out(machine, record, esp=esp)
    moved = _moved(found, record)
    for pair in record.filesystems:
        if pair.source_uuid in moved:
            refusals.append(
                _drifted(
                    record,
                    f"{pair.mount_point} (UUID {pair.source_uuid}) is mounted on "
                    f"{moved[pair.source_uuid]} now",
                    but_first=_UNDO,
                )
            )
        elif pair.mount_point not in skipped and pair.mount_point not in machine.unanswered:
            refusals += _mount_refusals(machine, found.disk, record, pair)
            refusals += _size_refusals(machine, record, pair, mirror)
    refusals += [
        _drifted(
            record,
            f"{member.mount_point} ({describe(member.filesystem)}) is new: "
            f"mirror '{record.name}' does not have it",
        )
        for member in found.members
        if _is_new(member, record) and member.filesystem.uuid not in moved
    ]
    return refusals + _swap_refusals(machine, found, record)


def again(record: MirrorRecord) -> str:
    """Return the command that prepares a mirror afresh for the system as it is now."""
    disk = record.mirror.id.name
    without = "".join(f" --leave-out {quote(what)}" for what in record.left_out)
    return f"rescue prepare {disk} --name {record.name} --erase {disk}{without}"


def _joined(refusal: Refusal) -> Refusal:
    """Return what the survey found, as drift.

    Preparing again does not adapt what is unsupported: its own hint says what to do.
    """
    if refusal.code is ExitCode.DRIFTED:
        return refusal
    return replace(refusal, code=ExitCode.DRIFTED, reason=f"new here: {refusal.reason}")


def _is_new(member: Member, record: MirrorRecord) -> bool:
    """Whether the mirror has no place for a file system.

    One that was not mounted when the mirror was prepared is on the mirror, empty, and is known by
    its identifiers alone.
    """
    if member.mounted:
        return member.mount_point not in {pair.mount_point for pair in record.filesystems}
    return member.filesystem.uuid.lower() not in {
        pair.old.uuid.lower() for pair in record.identifiers.pairs
    }


def _moved(found: Survey, record: MirrorRecord) -> dict[str, str]:
    """Return the present mount points of recorded file systems that have moved, by UUID."""
    places = {pair.source_uuid: pair.mount_point for pair in record.filesystems}
    return {
        member.filesystem.uuid: member.mount_point
        for member in found.mounted
        if places.get(member.filesystem.uuid, member.mount_point) != member.mount_point
    }


def _firmware_refusals(machine: Machine, record: MirrorRecord, *, esp: str) -> list[Refusal]:
    """Refuse where the mirror could not start this machine, or a run could not keep it so."""
    if foreign := loader_refusals(machine):
        return [_joined(each) for each in foreign]
    if GrubPlatform.X86_64_EFI in record.platforms and not esp:
        reason = "the mirror has an EFI system partition, and this machine's disk no longer has one"
        return [_drifted(record, reason)]
    needed = BOOTED_BY[machine.boot.firmware]
    if needed in record.platforms:
        return []
    return [
        _drifted(
            record,
            f"this machine now boots with {machine.boot.firmware.upper()}, and mirror "
            f"'{record.name}' has no GRUB for it",
        )
    ]


def _size_refusals(
    machine: Machine, record: MirrorRecord, pair: FilesystemPair, mirror: Disk | None
) -> list[Refusal]:
    """Refuse where the files need more than the mirror's whole partition."""
    mount = machine.mount_at(pair.mount_point)
    counterpart = node_of(pair.place, mirror) if mirror is not None else None
    if (
        mount is None
        or mirror is None
        or counterpart is None
        or mount.used <= size_of(mirror, counterpart)
    ):
        return []
    return [
        _drifted(
            record,
            f"the files of {pair.mount_point} take {human_bytes(mount.used)}, and its partition on "
            f"mirror '{record.name}' has {human_bytes(size_of(mirror, counterpart))}",
        )
    ]


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
    protect = made_on_the_mirror(esp, record.platforms, "") + whole_tree_patterns(esp)
    linked = tuple(each.path for each in machine.linked_files)
    every = excluded(record.filesystems, protect=protect, files=linked, esp=esp)
    return frozenset(
        each.mount_point
        for each in every
        if each.mount_point in on_demand and not each.protect and not each.prune_last
    )


def _mount_refusals(
    machine: Machine, disk: Disk, record: MirrorRecord, pair: FilesystemPair
) -> list[Refusal]:
    """Refuse where a recorded file system is not mounted, or another one is in its place."""
    mount = machine.mount_at(pair.mount_point)
    if mount is None:
        return [
            Refusal(
                code=ExitCode.DRIFTED,
                reason=f"{pair.mount_point} is not mounted on this machine: the run would delete "
                "its files from the mirror",
                hint=f"mount it ('mount {pair.mount_point}') and run again",
            )
        ]
    held = machine.holder_of(mount.device)
    content = held[1].content if held is not None and held[0].path == disk.path else None
    if not isinstance(content, FileSystem) or mount.root != "/":
        return [_drifted(record, f"{pair.mount_point} is {mount.fstype} on {mount.device} now")]
    if content.uuid != pair.source_uuid:
        return [
            _drifted(
                record,
                f"{pair.mount_point} has UUID {content.uuid}, and the mirror was made from "
                f"{pair.source_uuid}",
            )
        ]
    if content.kind is not pair.kind:
        return [_drifted(record, f"{pair.mount_point} is {content.kind} now, it was {pair.kind}")]
    if held is not None and (place := place_of(held[1])) != pair.place:
        now, was = in_words(place), in_words(pair.place)
        return [_drifted(record, f"{pair.mount_point} is on {now} now, it was on {was}")]
    return []


def _swap_refusals(machine: Machine, found: Survey, record: MirrorRecord) -> list[Refusal]:
    """Refuse swap areas that fstab names or the kernel uses and that the mirror does not have."""
    known = {pair.source_uuid for pair in record.swaps}
    used = {entry.device for entry in machine.fstab if entry.fstype == "swap"}
    used |= {swap.path for swap in machine.swaps if not swap.is_file}
    return [
        _drifted(record, f"the swap area on partition {part.number} (UUID {area.uuid}) is new")
        for part, area in found.swaps
        if area.uuid not in known and part.path in used
    ]


def _drifted(record: MirrorRecord, reason: str, *, but_first: str = "") -> Refusal:
    hint = f"{but_first}if the change is intended, prepare the mirror again: '{again(record)}'"
    return Refusal(code=ExitCode.DRIFTED, reason=reason, hint=hint)
