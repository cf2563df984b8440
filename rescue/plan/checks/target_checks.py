"""The checks of a target disk: every reason not to write to it, all at once."""

from rescue import paths
from rescue.errors import ExitCode
from rescue.model.finding import Refusal
from rescue.model.storage.disk import Disk, UseKind
from rescue.model.storage.filesystem import FsKind
from rescue.model.storage.identity import spelled
from rescue.model.storage.layer import Container
from rescue.model.storage.machine import Machine
from rescue.plan.checks.loader import loader_refusals
from rescue.plan.checks.recognise import names_of
from rescue.plan.layout.contents import contents_of, describe, holds_nothing
from rescue.plan.layout.table import sectors_needed
from rescue.units import human_bytes, to_bytes

# The first refusal gives the exit code: what protects data comes before what is missing.
_ORDER = (
    ExitCode.USAGE,
    ExitCode.REFUSED,
    ExitCode.UNSUPPORTED,
    ExitCode.DRIFTED,
    ExitCode.FAILED,
)
_MKFS = {"mkfs.fat": FsKind.VFAT, "mke2fs": FsKind.EXT4}


def in_order(refusals: list[Refusal]) -> tuple[Refusal, ...]:
    """Return the refusals, each once, the weightiest kind first."""
    return tuple(sorted(dict.fromkeys(refusals), key=lambda each: _ORDER.index(each.code)))


def find_target(machine: Machine, text: str) -> tuple[Disk | None, tuple[Refusal, ...]]:
    """Return the one disk that a path, a by-id path, a serial, a WWN or its table's id names."""
    found = [disk for disk in machine.disks if _is_named(disk, text)]
    if len(found) == 1:
        return found[0], ()
    if found:
        known = "; ".join(f"{disk.path} ({_known_as(machine, disk)})" for disk in found)
        reason = f"'{text}' names several disks: {known}"
        return None, (_guard(reason, "use a name that only the intended disk has"),)
    if machine.holder_of(text) is not None:
        reason = f"'{text}' is a partition, and a mirror is a whole disk"
    else:
        reason = f"there is no disk '{text}'"
    hint = "'rescue disks' lists the disks and their names"
    return None, (Refusal(code=ExitCode.USAGE, reason=reason, hint=hint),)


def _is_named(disk: Disk, text: str) -> bool:
    table = disk.table.uuid if disk.table is not None else ""
    return disk.path == text or disk.id.is_named_by(text) or bool(table and table == text)


def _known_as(machine: Machine, disk: Disk) -> str:
    return next(iter(names_of(machine, disk)), "no name of its own")


def root_refusals(machine: Machine) -> list[Refusal]:
    """Refuse anyone but root."""
    if machine.is_root:
        return []
    return [Refusal(code=ExitCode.USAGE, reason="only root can do this", hint="try it with sudo")]


def machine_refusals(machine: Machine) -> list[Refusal]:
    """Return what prevents any mirroring: no root, or the machine runs from a mirror."""
    refusals = root_refusals(machine)
    if machine.is_nameless_mirror:
        refusals.append(nameless_refusal(machine))
    if machine.running_mirror is not None:
        refusals.append(
            _guard(
                f"this machine runs from its mirror '{machine.running_mirror.name}': the disk it "
                "normally runs from may hold newer data",
                "move the machine back to a first disk before anything is mirrored again: "
                "'rescue failback DISK'",
            )
        )
    return refusals


def nameless_refusal(machine: Machine) -> Refusal:
    """Refuse what needs to know which mirror it is that this machine runs from."""
    return _guard(
        f"this machine runs from a mirror that cannot be identified: {'; '.join(machine.damage)}",
        f"the mirror also holds the record of the source: copy {paths.RECORDS}/NAME.json to "
        f"/{paths.MARKER}",
    )


def tool_refusals(machine: Machine, kinds: frozenset[FsKind]) -> list[Refusal]:
    """Return which programs are missing; those that make file systems count for `kinds` only.

    Where no package would help, none is named.
    """
    if loader_refusals(machine):
        return []
    return [
        Refusal(
            code=ExitCode.FAILED,
            reason=f"the program {tool} is not installed",
            hint=f"apt install {package}",
        )
        for tool, package in machine.missing_tools
        if _is_needed(tool, kinds)
    ]


def target_refusals(
    machine: Machine, target: Disk, source: Disk | None, *, give_up: str
) -> list[Refusal]:
    """Return what prevents writing to the target: role, use, identity, size, content.

    `give_up` is the identity of the disk whose content the person gave up by name. It never
    helps against a disk that is in use.
    """
    refusals = _use_refusals(target) + _line_refusals(machine, target)
    root = machine.mount_at("/")
    if (source is not None and target.path == source.path) or (
        root is not None and root.device in (target.path, *(p.path for p in target.partitions))
    ):
        refusals.insert(0, _guard(f"{target.path} is the disk this machine runs from", _OTHER))
    if target.read_only:
        refusals.append(_guard(f"{target.path} is read-only", "look for a write-protect switch"))
    refusals += _identity_refusals(machine, target)
    if source is not None and target.path != source.path:
        refusals += _size_refusals(target, source)
    names = names_of(machine, target)
    if what_is_lost(target) and spelled(give_up) not in names:
        refusals.append(
            _guard(
                f"{target.path} is not empty: {'; '.join(what_is_lost(target))}",
                "if all of it may be lost, confirm it by name: --erase "
                f"{next(iter(names), 'SERIAL')}",
            )
        )
    return refusals


def what_is_lost(target: Disk) -> tuple[str, ...]:
    """Return a sentence for each thing on the disk that would be gone."""
    lost = [] if holds_nothing(target.content) else [f"the whole disk: {describe(target.content)}"]
    lost += [
        f"partition {part.number}: {human_bytes(part.length * target.logical_sector)}, "
        f"{describe(part.content)}"
        for part in target.partitions
    ]
    return tuple(lost)


_OTHER = "name another disk; 'rescue disks' lists them"


def _guard(reason: str, hint: str) -> Refusal:
    return Refusal(code=ExitCode.REFUSED, reason=reason, hint=hint)


def _use_refusals(target: Disk) -> list[Refusal]:
    """Refuse a disk that the system holds, or that is part of an array or volume group."""
    refusals = []
    for use in target.all_uses:
        if use.kind is UseKind.MOUNTED:
            reason, hint = f"{target.path} is mounted on {use.where}", f"umount {use.where}"
        elif use.kind is UseKind.SWAP:
            reason, hint = f"{target.path} holds active swap ({use.where})", f"swapoff {use.where}"
        else:
            reason = f"{target.path} is in use by {use.where} (LVM, RAID or encryption)"
            hint = _OTHER
        refusals.append(_guard(reason, hint))
    refusals += [
        _guard(
            f"{target.path} belongs to {content.kind} ({content.uuid or 'no UUID'})",
            "take it out of its volume group or array and wipe it (wipefs -a), or " + _OTHER,
        )
        for content in contents_of(target)
        if isinstance(content, Container)
    ]
    return refusals


def _line_refusals(machine: Machine, target: Disk) -> list[Refusal]:
    """Refuse a disk that this machine's own boot waits for."""
    nodes = {target.path, *(part.path for part in target.partitions)}
    return [
        _guard(
            f"fstab names {entry.spec} on {target.path} for {entry.target}",
            "this machine would not boot without it: remove the line, or add nofail to it",
        )
        for entry in machine.fstab
        if entry.device in nodes and not entry.may_be_absent
    ]


def _identity_refusals(machine: Machine, target: Disk) -> list[Refusal]:
    if not target.id.is_stable:
        return [
            _guard(
                f"{target.path} has neither a serial number nor a WWN: it could not be told apart "
                "from another disk",
                "connect it in another way (another adapter often shows the serial)",
            )
        ]
    if names_of(machine, target):
        return []
    doubles = [d.path for d in machine.disks if d.path != target.path and d.id.same_disk(target.id)]
    return [
        _guard(
            f"{target.path} shows the same identity '{target.id.name}' as {path}, and nothing else "
            "that tells them apart",
            "connect only this one, or connect it in another way: this adapter gives every disk "
            "the same serial",
        )
        for path in doubles
    ]


def _size_refusals(target: Disk, source: Disk) -> list[Refusal]:
    if target.logical_sector != source.logical_sector:
        return [
            _guard(
                f"{target.path} has logical sectors of {target.logical_sector} bytes, "
                f"{source.path} of {source.logical_sector}",
                "use a disk with the same sector size",
            )
        ]
    missing = sectors_needed(source) - target.sectors
    if missing <= 0:
        return []
    size = to_bytes(sectors_needed(source), logical_sector=source.logical_sector)
    return [
        _guard(
            f"{target.path} is too small: the partitions need {human_bytes(size)}, it is "
            f"{missing} sectors ({human_bytes(missing * source.logical_sector)}) short",
            "use a disk of at least that size",
        )
    ]


def _is_needed(tool: str, kinds: frozenset[FsKind]) -> bool:
    if not tool.startswith(("mkfs.", "mke2fs")):
        return True
    kind = _MKFS.get(tool)
    if kind is None:
        kind = next((each for each in FsKind if tool == f"mkfs.{each}"), None)
    return kind is None or kind in kinds or (kind.is_ext and any(each.is_ext for each in kinds))
