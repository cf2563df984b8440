"""The next steps of a machine: what to do where a mirror is not well, and on the way home."""

from rescue.model.mirror.record import MirrorRecord, MirrorState
from rescue.model.run.next_step import Next, NextStep
from rescue.model.run.status import Health, MirrorStatus
from rescue.model.storage.disk import Disk
from rescue.model.storage.machine import Machine
from rescue.plan.failback import is_normal_source
from rescue.plan.layout.table import sectors_needed


def source_steps(mirrors: tuple[MirrorStatus, ...]) -> tuple[NextStep, ...]:
    """Return what to do on a machine on its first disk, that its mirrors are well again."""
    if not mirrors:
        return NextStep(what=Next.LOOK), NextStep(what=Next.PREPARE)
    steps = []
    for each in mirrors:
        if each.health is not Health.GOOD:
            steps.append(
                NextStep(
                    what=Next.MIRROR, mirror=each.name, disk=each.disk, attach=not each.attached
                )
            )
        if each.failed_its_proof:
            steps.append(NextStep(what=Next.PROVE, mirror=each.name))
    return tuple(steps)


def mirror_steps(machine: Machine, running: MirrorRecord) -> tuple[NextStep, ...]:
    """Return the way home of a machine that runs from its mirror, with the disks that are there."""
    if running.state is not MirrorState.COMPLETE:
        return (NextStep(what=Next.START_OTHER, disk=running.source.id.name),)
    old = [disk for disk in machine.disks if _is_old_source(disk, machine, running)]
    bare = [
        disk
        for disk in machine.disks
        if _could_be_first(disk, machine) and not is_normal_source(disk, running)
    ]
    return (
        NextStep(what=Next.RESTORE, disk=running.source.id.name, device=old[0].path if old else ""),
        NextStep(what=Next.FAILBACK, disk=bare[0].id.name if bare else ""),
    )


def handed_over_steps(record: MirrorRecord) -> tuple[NextStep, ...]:
    """Return how to move to the first disk that a failback made in this session."""
    disk = record.mirror.id.name
    return (
        NextStep(what=Next.STOP_SERVICES),
        NextStep(what=Next.FAILBACK_AGAIN, disk=disk),
        NextStep(what=Next.POWER_OFF, disk=disk),
        NextStep(what=Next.MIRROR_THERE),
    )


def _is_old_source(disk: Disk, machine: Machine, running: MirrorRecord) -> bool:
    root = machine.root_disk
    return (root is None or disk.path != root.path) and is_normal_source(disk, running)


def _could_be_first(disk: Disk, machine: Machine) -> bool:
    """Whether a disk is bare, can be told from others, and holds what this one does."""
    root = machine.root_disk
    bare = disk.table is None and not disk.all_uses and disk.id.is_stable
    return bare and root is not None and disk.sectors >= sectors_needed(root)
