"""The audit: the mirror's boot chain followed by its files in seconds, without booting."""

from collections.abc import Callable, Iterator
from pathlib import Path

from rescue.errors import RescueError
from rescue.model.boot.firmware import GrubPlatform
from rescue.model.finding import Finding
from rescue.model.mirror.record import MirrorRecord
from rescue.model.storage.disk import Disk
from rescue.system.files.rooted_tree import Tree
from rescue.verify.arrays import check_arrays
from rescue.verify.bios import check_bios
from rescue.verify.chain import Link, Mirror, broken, ok
from rescue.verify.essentials import check_essentials
from rescue.verify.fstab import check_fstab
from rescue.verify.leftovers import check_leftovers
from rescue.verify.menu import check_menu
from rescue.verify.table import check_table
from rescue.verify.uefi import check_asked_for, check_uefi

Look = Callable[[Mirror], Iterator[Finding]]


def audit(
    *, tree: Path, disk: Disk, record: MirrorRecord, asked_for: str = ""
) -> tuple[Finding, ...]:
    """Follow the mirror's boot chain and return one finding for each link, in the chain's order.

    `tree` is the mirror's whole tree mounted at some directory; `disk` is the mirror's disk as it
    is now, its node readable; `asked_for` is the file in EFI/BOOT that this machine's firmware asks
    for, '' for a BIOS. Nothing is written, and nothing raised for a broken mirror: what
    cannot be read is a broken link. The first ERROR is where the boot would break.
    """
    mirror = Mirror(tree=Tree(root=tree), disk=disk, record=record, asked_for=asked_for)
    findings = [finding for link, look in _looks(mirror) for finding in _safely(link, look, mirror)]
    # Menu entries share kernels and arguments: each finding is reported once.
    return tuple(dict.fromkeys(findings))


def _looks(mirror: Mirror) -> Iterator[tuple[Link, Look]]:
    record = mirror.record
    yield Link.TABLE, lambda mirror: iter(check_table(mirror.disk, mirror.record))
    yield Link.MOUNTS, check_mounts
    if not record.platforms:
        yield Link.GRUB, lambda _: iter((broken(Link.GRUB, "no way to start it is recorded"),))
    if GrubPlatform.I386_PC in record.platforms:
        yield Link.BIOS, check_bios
    if GrubPlatform.X86_64_EFI in record.platforms:
        yield Link.UEFI, check_uefi
    if mirror.asked_for:
        yield Link.UEFI, check_asked_for
    yield Link.GRUB_CFG, check_menu
    yield Link.FSTAB, check_fstab
    yield Link.ARRAYS, check_arrays
    yield Link.IDENTIFIERS, check_leftovers
    yield Link.SYSTEM, check_essentials


def _safely(link: Link, look: Look, mirror: Mirror) -> Iterator[Finding]:
    """Take a failing read for what it is: a broken link, and no end of the audit."""
    try:
        yield from look(mirror)
    except OSError as error:
        file = f" ({error.filename})" if error.filename else ""
        yield broken(link, f"cannot be read: {error.strerror or error}{file}")
    except RescueError as error:
        yield broken(link, error.message)


def check_mounts(mirror: Mirror) -> Iterator[Finding]:
    """Check that each mirrored file system is mounted in the tree, where the tree is a mount.

    Without this a mirror whose ESP is not mounted would be judged by what lies below it.
    """
    if not mirror.tree.root.is_mount():
        return
    points = [pair.mount_point for pair in mirror.record.filesystems]
    missing = [point for point in points if not mirror.tree.locate(point).is_mount()]
    for point in missing:
        yield broken(Link.MOUNTS, "is not mounted in the tree", file=point)
    if not missing:
        yield ok(Link.MOUNTS, f"mounted: {', '.join(points)}")
