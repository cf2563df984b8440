"""The links of the boot chain, and the context of each check."""

from dataclasses import dataclass
from enum import StrEnum

from rescue.model.finding import Finding, Severity
from rescue.model.mirror.record import FilesystemPair, MirrorRecord
from rescue.model.storage.disk import Disk, TableKind
from rescue.model.storage.place import OnPartition
from rescue.system.files.rooted_tree import Tree
from rescue.verify.owndisk import OwnDisk


class Link(StrEnum):
    """The links of the boot chain, in boot order."""

    TABLE = "table"
    MOUNTS = "mounts"
    BIOS = "bios"
    UEFI = "uefi"
    STUB = "stub"
    GRUB = "grub"
    GRUB_CFG = "grub.cfg"
    KERNEL = "kernel"
    MODULES = "modules"
    INITRAMFS = "initramfs"
    ROOT = "root="
    RESUME = "resume="
    FSTAB = "fstab"
    ARRAYS = "arrays"
    IDENTIFIERS = "identifiers"
    SYSTEM = "system"


@dataclass(frozen=True, kw_only=True)
class Mirror:
    """The mirror being audited: its tree, its disk as it is now, and its record.

    `asked_for` is the file in EFI/BOOT that the firmware of this machine asks for, '' for a BIOS.
    """

    tree: Tree
    disk: Disk
    record: MirrorRecord
    asked_for: str = ""

    @property
    def own(self) -> OwnDisk:
        """The disk as a resolver of identifiers."""
        return OwnDisk(disk=self.disk)

    def path_on(self, pair: FilesystemPair, path: str) -> str:
        """Given a path inside a file system (as GRUB names it), return its path in the tree."""
        return f"{pair.mount_point.rstrip('/')}/{path.lstrip('/')}"

    def pair_of_uuid(self, uuid: str) -> FilesystemPair | None:
        """Return the mirrored file system with that UUID on the mirror."""
        folded = uuid.casefold()
        pairs = self.record.filesystems
        return next((pair for pair in pairs if pair.mirror_uuid.casefold() == folded), None)

    def pair_of_partition(self, number: int) -> FilesystemPair | None:
        """Return the mirrored file system on that partition, and nothing between."""
        place = OnPartition(number=number)
        return next((pair for pair in self.record.filesystems if pair.place == place), None)

    def is_source_uuid(self, uuid: str) -> bool:
        """Whether it is a UUID of the source disk."""
        return uuid.casefold() in {name.decode() for name in self.source_uuids()}

    def source_uuids(self) -> tuple[bytes, ...]:
        """Return every UUID, PARTUUID and GPT id of the source that the mirror does not share.

        As bytes in lower case, for searching binary data. Labels and paths are too short or
        too common for that.
        """
        pairs = self.record.identifiers.pairs
        old = [self.record.source.table_uuid]
        old += [name for pair in pairs for name in (pair.old.uuid, pair.old.partuuid)]
        old += [pair.source_uuid for pair in self.record.filesystems]
        old += [pair.source_uuid for pair in self.record.swaps]
        new = {name.casefold() for pair in pairs for name in (pair.new.uuid, pair.new.partuuid)}
        new.add(self.record.mirror.table_uuid.casefold())
        wanted = {name.casefold() for name in old if len(name) > 8} - new
        return tuple(sorted(name.encode() for name in wanted))

    def leftovers_in(self, data: bytes) -> tuple[str, ...]:
        """Return the source's UUIDs that occur in some bytes, in lower case or upper case."""
        found = []
        for needle in self.source_uuids():
            upper = needle.upper()
            if needle in data or (upper != needle and upper in data):
                found.append(needle.decode())
        return tuple(found)

    @property
    def is_gpt(self) -> bool:
        """Whether the disk has a GUID partition table."""
        return self.disk.table is not None and self.disk.table.kind is TableKind.GPT


def ok(link: Link, message: str, *, file: str = "") -> Finding:
    """Return a finding: this link holds."""
    return Finding(severity=Severity.OK, link=link, message=message, file=file)


def note(link: Link, message: str, *, file: str = "") -> Finding:
    """Return a finding that is worth knowing and breaks nothing."""
    return Finding(severity=Severity.NOTE, link=link, message=message, file=file)


def broken(link: Link, message: str, *, file: str = "") -> Finding:
    """Return a finding: the boot breaks here."""
    return Finding(severity=Severity.ERROR, link=link, message=message, file=file)
