"""Steps on the bare disk: wipe, table, file systems, swap. Each checks the disk first."""

from rescue.apply.step_context import StepContext
from rescue.apply.workspace import locate
from rescue.errors import RefusedError, RescueError
from rescue.model.mirror.step import (
    MakeFilesystem,
    MakeSwap,
    TuneFilesystem,
    WipeSignatures,
    WriteTable,
)
from rescue.model.storage.disk import PartitionKind
from rescue.model.storage.place import number_of
from rescue.system.block import blockdev, blockinfo, mkfs, udev
from rescue.system.block import write_table as ptable
from rescue.system.process.run import run
from rescue.units import MIB

_MKFS_TIMEOUT = 6 * 3600.0  # seconds; all inode tables of a large disk are written


def wipe(step: WipeSignatures, work: StepContext) -> str:
    """Remove every signature, from the inside out: partitions, then the disk and both its ends."""
    del step
    with blockdev.exclusive(work.device) as held:
        work.check_disk()
        _expect_old_table(work)
        nodes = udev.partition_paths(work.device)
        for number in sorted(nodes, reverse=True):
            run(mkfs.wipe_argv(nodes[number]))
        run(mkfs.wipe_argv(work.device))
        blockdev.erase_ends(held, length=MIB)
        blockdev.reread(held)
    udev.settle()
    return f"{len(nodes)} partitions"


def write_table(step: WriteTable, work: StepContext) -> str:
    """Write the table, let the kernel read it, and wipe signatures found in the new partitions.

    A signature of an older layout may lie exactly where a partition begins now.
    """
    with blockdev.exclusive(work.device) as held:
        work.check_disk()
        ptable.write_table(work.device, step.table)
        blockdev.reread(held)
    udev.settle()
    for part in step.table.partitions:
        if part.kind is not PartitionKind.EXTENDED:
            run(mkfs.wipe_argv(blockdev.partition_path(work.device, part.number)))
    udev.settle()
    return f"{len(step.table.partitions)} partitions"


def make_filesystem(step: MakeFilesystem, work: StepContext) -> str:
    """Make the file system, and check that libblkid finds it by the requested UUID."""
    work.check_disk()
    device = blockdev.partition_path(work.device, number_of(step.place))
    run(mkfs.mkfs_argv(step.filesystem, device), timeout=_MKFS_TIMEOUT)
    if settings := step.filesystem.options.ext:
        run(mkfs.tune_argv(settings, device))
    _expect_uuid(device, step.filesystem.uuid)
    return f"UUID {step.filesystem.uuid}"


def tune_filesystem(step: TuneFilesystem, work: StepContext) -> str:
    """Set what tune2fs sets, on the mirror's file system of that mount point."""
    work.check_disk()
    pair = next(each for each in work.record.filesystems if each.mount_point == step.mount_point)
    device = (work.site.locate or locate)(pair, work.device)
    run(mkfs.tune_argv(step.settings, device))
    return f"{step.settings.reserved:g} % reserved, errors={step.settings.errors}"


def make_swap(step: MakeSwap, work: StepContext) -> str:
    """Make the swap area, and check that libblkid finds it by the requested UUID."""
    work.check_disk()
    device = blockdev.partition_path(work.device, number_of(step.place))
    run(mkfs.mkswap_argv(step.swap, device))
    _expect_uuid(device, step.swap.uuid)
    return f"UUID {step.swap.uuid}"


def _expect_old_table(work: StepContext) -> None:
    """See that the disk still holds the table that was on it when it was shown to a person.

    One dock gives every disk one serial: another disk may lie in it by now.
    """
    planned = work.grant.plan.target_table
    seen = blockinfo.probe(work.device) if planned else None
    found = seen.table_uuid.lower() if seen is not None else ""
    if planned and found != planned:
        raise RefusedError(
            f"{work.device} holds the partition table {found or 'none'}, and {planned} when it was "
            "planned for: it may be another disk",
            hint="nothing was written; look with 'rescue disks', and start again",
        )


def _expect_uuid(device: str, uuid: str) -> None:
    udev.settle()
    seen = blockinfo.probe(device)
    if seen is None or seen.uuid.lower() != uuid.lower():
        raise RescueError(
            f"{device} was made with UUID {uuid} and shows {seen.uuid if seen else 'none'}",
            hint="see 'dmesg' for errors of the disk",
        )
