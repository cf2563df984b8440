"""Obstacles on the system's own disk: unsupported layers and file systems, and untrue lines of
fstab."""

import re
from collections.abc import Iterable

from rescue.errors import ExitCode
from rescue.model.finding import Refusal
from rescue.model.mirror.elsewhere import Side, Stack, stack, stack_of, stack_of_line
from rescue.model.storage.disk import Partition
from rescue.model.storage.filesystem import FileSystem, FsKind
from rescue.model.storage.machine import Machine
from rescue.model.storage.mount import ANSWER_SECONDS, FstabEntry, Mount
from rescue.plan.layout.contents import describe, some_of

_SUBVOLUME = re.compile(r"subvol(id)?=")
_LATER = "rescue does not support this layout yet; nothing was written"


def obstacles(machine: Machine, own: str) -> tuple[Refusal, ...]:
    """Return everything that prevents mirroring the contents of the disk `own`, each sentence once.

    UNSUPPORTED comes before DRIFTED, which is what fstab names and is not there or not mounted.
    """
    found = [
        *(refusal for mount in machine.mounts for refusal in _of_mount(machine, own, mount)),
        *(refusal for entry in machine.fstab for refusal in _of_line(machine, own, entry)),
        *_of_swaps(machine, own),
        *(_unanswered(target) for target in machine.unanswered),
    ]
    once: dict[str, Refusal] = {}
    for refusal in found:
        once.setdefault(refusal.reason, refusal)
    return tuple(sorted(once.values(), key=lambda refusal: refusal.code))


def root_obstacles(machine: Machine) -> tuple[Refusal, ...]:
    """Return why the running root cannot be mirrored, and what else on its disks cannot."""
    root = machine.mount_at("/")
    if root is None:
        return (_unsupported("it is unknown which device the root file system is on"),)
    below = stack_of(machine, root)
    where = below.words if root.is_block else root.device
    first = _unsupported(
        f"the root file system is {root.fstype} on {where}: not on a plain partition"
    )
    others = [refusal for own in below.disks for refusal in obstacles(machine, own)]
    rest = {each.reason: each for each in others if not each.reason.startswith("/ is on ")}
    return (first, *rest.values())


def _of_mount(machine: Machine, own: str, mount: Mount) -> list[Refusal]:
    """Refuse a mounted file system of the own disk that would be missing on the mirror."""
    if not mount.is_block:
        return []
    below = stack_of(machine, mount)
    if below.side(own) is not Side.OWN:
        return []
    part = _plain(machine, own, below)
    return [_on_layers(mount.target, below)] if part is None else _check_kind(machine, part, mount)


def _plain(machine: Machine, own: str, below: Stack) -> Partition | None:
    """Return the own disk's partition, where nothing but RAID 1 is above it and below a mount."""
    held = machine.holder_of(below.device)
    if held is None or held[0].path != own:
        return None
    # A member of RAID 1 stands for its array, which lies on other disks as well.
    return held[1] if held[1].array or below.disks == (own,) else None


def _on_layers(what: str, below: Stack) -> Refusal:
    return _unsupported(f"{what} is on {below.words}: not on a plain partition")


def _check_kind(machine: Machine, part: Partition, mount: Mount) -> list[Refusal]:
    if not isinstance(part.content, FileSystem):
        said = f"{mount.target} is {mount.fstype} on {mount.device}, which rescue cannot create"
        return [_unsupported(said)]
    whole = any(m.root == "/" for m in machine.mounts if m.device == mount.device)
    if mount.root != "/" and not whole:
        return [
            _unsupported(
                f"{mount.target} is only {mount.root} of the {mount.fstype} on {mount.device} (a "
                "subvolume or a bind mount)"
            )
        ]
    return []


def subvolume_refusals(mounts: Iterable[Mount]) -> list[Refusal]:
    """Refuse to make a mirror of a btrfs with subvolumes.

    Each is a device of its own (st_dev), and would be an empty folder there.

    It is not a reason against a run: any user can make one, and it is reported among what the
    run cannot read.
    """
    return [refusal for mount in mounts for refusal in _check_subvolumes(mount)]


def _check_subvolumes(mount: Mount) -> list[Refusal]:
    if mount.root != "/" or mount.fstype != FsKind.BTRFS:
        return []
    if mount.subvolumes is None:
        return [
            _unsupported(
                f"the subvolumes of the btrfs on {mount.target} could not be listed, and would be "
                "missing on the mirror",
                "apt install btrfs-progs; if it is installed, 'btrfs subvolume list "
                f"{mount.target}' says why",
            )
        ]
    if not mount.subvolumes:
        return []
    paths = [f"{mount.target.rstrip('/')}/{path}" for path in mount.subvolumes]
    return [
        _unsupported(
            f"the btrfs on {mount.target} holds subvolumes, which would be empty on the mirror: "
            f"{some_of(paths)}",
            "move their files to plain folders, or to a file system of their own, and delete the "
            "subvolumes ('btrfs subvolume delete'); nothing was written",
        )
    ]


def _of_line(machine: Machine, own: str, entry: FstabEntry) -> list[Refusal]:
    """Compare one line of fstab with what is there."""
    if not entry.is_block:
        return []
    seen = machine.mount_at(entry.target)
    if not entry.device:
        here = seen is not None and seen.is_block and stack_of(machine, seen).side(own) is Side.OWN
        return [_gone(entry)] if here and not entry.may_be_absent else []
    below = stack_of_line(machine, entry)
    if below.side(own) is not Side.OWN:
        return []
    part = _plain(machine, own, below)
    if part is None:
        what = "swap" if entry.fstype == "swap" else entry.target
        return [] if entry.may_be_absent else [_on_layers(what, below)]
    return [] if entry.fstype == "swap" else _check_line(part, entry, seen)


def _check_line(part: Partition, entry: FstabEntry, seen: Mount | None) -> list[Refusal]:
    """Compare a line that names a partition of the own disk with what is mounted there."""
    if any(_SUBVOLUME.match(option) for option in entry.options):
        return [_unsupported(f"{entry.target} is a btrfs subvolume")]
    if entry.may_be_absent or (seen is not None and seen.device == entry.device):
        return []
    if not isinstance(part.content, FileSystem):
        said = f"{entry.target} is {describe(part.content)} on {entry.device}"
        return [_unsupported(f"{said}, which rescue cannot create")]
    instead = f": {seen.device} is there" if seen is not None else ""
    return [
        Refusal(
            code=ExitCode.DRIFTED,
            reason=f"fstab mounts {entry.spec} on {entry.target}, but it is not mounted{instead}",
            hint=f"mount it ('mount {entry.target}'), or run 'systemctl daemon-reload' and check "
            "fstab",
        )
    ]


def _of_swaps(machine: Machine, own: str) -> list[Refusal]:
    """Refuse swap on a layer of the own disk."""
    found = []
    for swap in machine.swaps:
        below = stack(machine, swap.path)
        if not swap.is_file and below.side(own) is Side.OWN and not _plain(machine, own, below):
            found.append(_on_layers("swap", below))
    return found


def _gone(entry: FstabEntry) -> Refusal:
    what = "swap" if entry.fstype == "swap" else entry.target
    return Refusal(
        code=ExitCode.DRIFTED,
        reason=f"fstab names {entry.spec} for {what}, which does not exist",
        hint="attach it, correct the line in /etc/fstab, or add nofail to it",
    )


def _unanswered(target: str) -> Refusal:
    return Refusal(
        code=ExitCode.DRIFTED,
        reason=f"{target} is mounted on demand, and nothing was mounted there within "
        f"{ANSWER_SECONDS:.0f} s of opening it",
        hint=f"find out why: 'ls {target}' and 'systemctl status \"$(systemd-escape --path "
        f"--suffix=mount {target})\"'",
    )


def _unsupported(reason: str, hint: str = _LATER) -> Refusal:
    return Refusal(code=ExitCode.UNSUPPORTED, reason=reason, hint=hint)
