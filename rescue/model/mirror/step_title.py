"""The titles of steps, in a plan, a progress bar and the journal."""

from typing import assert_never

from rescue.model.mirror.role import Role
from rescue.model.mirror.step import (
    BuildInitramfs,
    CarryFlags,
    InstallGrub,
    MakeFilesystem,
    MakeSwap,
    MakeSwapFile,
    PruneTree,
    Step,
    SyncTree,
    TakeContent,
    TuneFilesystem,
    WipeSignatures,
    WriteBootFiles,
    WriteTable,
)
from rescue.model.storage.place import in_words
from rescue.units import human_bytes


def title(step: Step) -> str:
    """Return a short description of a step."""
    match step:
        case WipeSignatures():
            return "wipe old signatures"
        case WriteTable():
            return f"write the partition table ({len(step.table.partitions)} partitions)"
        case MakeFilesystem():
            where = f" for {step.mount_point}" if step.mount_point else ""
            return f"make {step.filesystem.kind} on {in_words(step.place)}{where}"
        case TuneFilesystem():
            return f"set reserved blocks, errors and mount options of {step.mount_point}"
        case MakeSwap():
            return f"make swap on {in_words(step.place)}"
        case SyncTree():
            how = ", comparing every file's content" if step.checksum else ""
            return f"{'copy' if step.first else 'mirror'} {step.mount_point}{how}"
        case TakeContent():
            return f"write {len(step.paths)} files of {step.mount_point} anew, content for content"
        case PruneTree():
            return f"remove old kernels from {step.mount_point}"
        case CarryFlags():
            return f"set the inode flags of {step.mount_point}"
        case MakeSwapFile():
            return f"make swap file {step.path} ({human_bytes(step.size)})"
        case WriteBootFiles():
            what = "the boot menu" if step.menus else "fstab and the settings of the boot"
            whose = "the mirror's" if step.role is Role.MIRROR else "the new disk's"
            return f"write {what} with {whose} identifiers"
        case BuildInitramfs():
            return "build an initramfs of its own"
        case InstallGrub():
            return f"install GRUB for {step.platform}"
        case _:
            assert_never(step)
