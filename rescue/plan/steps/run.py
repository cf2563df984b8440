"""The steps of a run, in an order that leaves a bootable mirror wherever it is cut.

First everything is copied, and nothing deleted below /boot and the kernels' modules; then the
swap files, the settings, the initramfs and GRUB; then the menus, which name what is there by now;
only then the old kernels go. The inode flags come last: what is immutable cannot be written.
"""

from dataclasses import dataclass

from rescue.model.boot.files import SETTINGS, is_menu, menu_patterns, whole_tree_patterns
from rescue.model.boot.firmware import GrubPlatform
from rescue.model.mirror.record import MirrorRecord
from rescue.model.mirror.role import Role
from rescue.model.mirror.step import (
    BuildInitramfs,
    CarryFlags,
    InstallGrub,
    PruneTree,
    Step,
    SyncTree,
    WriteBootFiles,
)
from rescue.model.storage.filesystem import FsKind
from rescue.model.storage.machine import Machine
from rescue.model.storage.mount import holder_of
from rescue.plan.layout.leave_out import without_waiting
from rescue.plan.layout.survey import Survey
from rescue.plan.steps.bootfiles import made_on_the_mirror
from rescue.plan.steps.exclude import Excluded, excluded, relative, swap_files
from rescue.plan.steps.grub import DEFAULT_DISTRIBUTOR, resume_uuid

_MENDED = (3, 5)
"""The version of rsync that fixed what users could do with links (Debian's security updates)."""


@dataclass(frozen=True, kw_only=True)
class Run:
    """The steps, and sentences worth reading."""

    steps: tuple[Step, ...]
    notes: tuple[str, ...]


def run_steps(
    machine: Machine,
    found: Survey,
    record: MirrorRecord,
    *,
    esp: str,
    first: bool = False,
    checksum: bool = False,
    paths: tuple[str, ...] | None = None,
    without: frozenset[str] = frozenset(),
    bandwidth_kib: int = 0,
    role: Role = Role.MIRROR,
) -> Run:
    """Given the surveyed source and the record, return a run's steps.

    `first` is the run onto empty file systems: there is nothing to prune. `paths` are the only
    ones to look at, on the whole tree. `without` are mount points that are left as the mirror
    has them; `bandwidth_kib` is KiB a second, 0: no limit. `role` is what the written disk will
    be.
    """
    distributor = machine.boot.distributor or DEFAULT_DISTRIBUTOR
    files, notes = swap_files(machine, record.filesystems)
    every = excluded(
        record.filesystems,
        protect=made_on_the_mirror(esp, record.platforms, distributor) + whole_tree_patterns(esp),
        files=(
            *(step.path for step in files),
            *(linked.path for linked in machine.linked_files),
        ),
        esp=esp,
    )
    points = tuple(pair.mount_point for pair in record.filesystems)
    looked_at = tuple(
        each
        for each in every
        if each.mount_point not in without and _paths_on(each.mount_point, points, paths) != ()
    )
    steps: list[Step] = [
        SyncTree(
            mount_point=each.mount_point,
            protect=each.protect,
            prune_last=() if first else each.prune_last,
            paths=_paths_on(each.mount_point, points, paths),
            checksum=checksum,
            first=first,
            bandwidth_kib=bandwidth_kib,
        )
        for each in looked_at
    ]
    steps += files
    steps += _boot_steps(machine, found, record, esp=esp, distributor=distributor, role=role)
    steps += _last_steps(looked_at, record, first=first)
    return Run(steps=tuple(steps), notes=(*notes, *_notes(machine)))


def _notes(machine: Machine) -> tuple[str, ...]:
    """Note programs that are older than they should be."""
    if not (0, 0) < machine.rsync < _MENDED:
        return ()
    major, minor = machine.rsync
    return (
        f"rsync {major}.{minor} is installed, which follows symbolic links where newer versions "
        "do not: the kernel refuses to follow them for this run only ('apt install rsync' "
        "upgrades it)",
    )


def _last_steps(
    looked_at: tuple[Excluded, ...], record: MirrorRecord, *, first: bool
) -> list[Step]:
    """Return what comes when everything is copied: old kernels go, and inode flags are set."""
    steps: list[Step] = (
        []
        if first
        else [
            PruneTree(
                mount_point=each.mount_point, prune_last=each.prune_last, protect=each.protect
            )
            for each in looked_at
            if each.prune_last
        ]
    )
    kinds = {pair.mount_point: pair.kind for pair in record.filesystems}
    steps += [
        CarryFlags(mount_point=each.mount_point)
        for each in looked_at
        if kinds[each.mount_point] is not FsKind.VFAT
    ]
    return steps


def _boot_steps(
    machine: Machine,
    found: Survey,
    record: MirrorRecord,
    *,
    esp: str,
    distributor: str,
    role: Role,
) -> list[Step]:
    """Return the steps after which the disk boots what was copied, the menus last."""
    resume = resume_uuid(machine, found.disk, record.swaps)
    menus = tuple(linked for linked in machine.linked_files if is_menu(linked.name))
    settings = tuple(linked for linked in machine.linked_files if linked not in menus)
    return [
        WriteBootFiles(
            patterns=SETTINGS,
            resume_uuid=resume,
            role=role,
            linked=settings,
            nofail=without_waiting(found.elsewhere),
        ),
        BuildInitramfs(),
        *(_install(each, distributor, esp) for each in record.platforms),
        WriteBootFiles(
            patterns=menu_patterns(esp), resume_uuid=resume, menus=True, role=role, linked=menus
        ),
    ]


def _install(platform: GrubPlatform, distributor: str, esp: str) -> InstallGrub:
    place = esp if platform is GrubPlatform.X86_64_EFI else ""
    return InstallGrub(platform=platform, distributor=distributor, esp=place)


def _paths_on(
    point: str, points: tuple[str, ...], paths: tuple[str, ...] | None
) -> tuple[str, ...] | None:
    """Return those of the paths that lie on one file system, as it names them itself."""
    if paths is None:
        return None
    return tuple(relative(path, point) for path in paths if holder_of(path, points) == point)
