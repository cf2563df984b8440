"""The record of one mirror: what was done, kept on the mirror and on the source."""

from dataclasses import dataclass, field, replace
from enum import StrEnum

from rescue.model.boot.firmware import GrubPlatform
from rescue.model.mirror.identifiers import IdentifierMap
from rescue.model.mirror.role import Role
from rescue.model.mirror.secret import Secret
from rescue.model.run.exposure import Proven
from rescue.model.run.rot import Suspect
from rescue.model.storage.filesystem import FsKind
from rescue.model.storage.identity import DiskId
from rescue.model.storage.mount import holder_of
from rescue.model.storage.place import Place

RECORD_VERSION = 2
HANDOVER_VERSION = 2


class MirrorState(StrEnum):
    """Whether a mirror can be trusted: COMPLETE only between a good run and the next start."""

    NEW = "new"
    RUNNING = "running"
    FAILED = "failed"
    COMPLETE = "complete"


@dataclass(frozen=True, kw_only=True)
class DiskRef:
    """A disk as a record names it: hardware identity and partition-table id."""

    id: DiskId
    table_uuid: str


@dataclass(frozen=True, kw_only=True)
class FilesystemPair:
    """One mirrored file system: where it is mounted, and its UUIDs on both disks.

    It lies at the same `place` of both.
    """

    mount_point: str
    kind: FsKind
    place: Place
    source_uuid: str
    mirror_uuid: str
    mirror_partuuid: str


@dataclass(frozen=True, kw_only=True)
class SwapPair:
    """One swap area, its place on both disks, and its UUIDs."""

    place: Place
    source_uuid: str
    mirror_uuid: str


@dataclass(frozen=True, kw_only=True)
class FreeSpace:
    """Total and free bytes of one of the mirror's file systems after a run."""

    mount_point: str
    size: int
    free: int


@dataclass(frozen=True, kw_only=True)
class Behind:
    """A place of the source unseen by the last complete run, and the age of the mirror's copy.

    `path` is on the whole tree, and includes everything below it; `since` is when the last run
    that saw it began, in seconds since the epoch (UTC), 0.0 where none did.
    """

    path: str
    since: float


@dataclass(frozen=True, kw_only=True)
class RunSummary:
    """What one run did. Times are seconds since the epoch (UTC) and seconds of duration.

    `started` is when it first read the source: what was touched later may be missing.

    `live` are the file systems that were copied as they were, in use and without a snapshot;
    `hooks_failed` are sentences on hooks before the run that failed without ending it; `suspects`
    are the files that differed in content alone, where every content was compared. `failing_source`
    is why the source's disk was not trusted, so that nothing was deleted; `kept` are paths that
    stayed though something else is in their place on the source. `postponed` are mount points where
    so much was rewritten without a change of size or time that the rest comes with the next run.
    `notes` are sentences on unusual events that cost the mirror nothing.
    """

    started: float
    seconds: float
    checksum: bool
    files_total: int
    files_changed: int
    bytes_changed: int
    deletions: int
    vanished: int = 0
    unreadable: tuple[str, ...] = ()
    live: tuple[str, ...] = ()
    hooks_failed: tuple[str, ...] = ()
    free: tuple[FreeSpace, ...] = ()
    suspects: tuple[Suspect, ...] = ()
    failing_source: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    postponed: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def unaccepted(self) -> tuple[Suspect, ...]:
        """The files that differed in content alone, and that no person accepted."""
        return tuple(each for each in self.suspects if not each.accepted)

    @property
    def is_degraded(self) -> bool:
        """Whether the mirror is whole, and yet not all of it is what it should be."""
        lacks = self.unreadable or self.failing_source or self.kept or self.postponed
        return bool(lacks or self.unaccepted)


@dataclass(frozen=True, kw_only=True)
class MirrorRecord:
    """Everything known about one mirror. On the mirror: /.rescue/mirror.json.

    `twins` are the other disks of a server on RAID 1: each holds what `source` holds, and the
    machine may run from any of them.

    `left_out` are mount points (and swap, as fstab names it) on other disks that a person
    agreed to omit from the mirror.

    `generation` grows with every complete run and is kept on both disks; `last_checksum` is
    when the last complete run that compared every content began, in seconds since the epoch
    (UTC), 0.0 where none did, and `suspects` are what it found and no person accepted;
    `last_tried` is when the last run began, whatever became of it (0.0: an older rescue did not
    note it); `grub_digest` is of the GRUB files that grub-install last used, so that an upgrade
    is noticed; `initramfs_digests` are of the source's initramfs from which each of the
    mirror's was made. `fstab` are the lines of the source's as the last run saw them, so that
    the next one can report what is new. `last_proof` may be of an older generation.
    `comparison_cut` is true where the last scheduled comparison did not finish. `behind` are
    places that the last run could not see. `secret` is shared by both disks; a record that an
    older rescue wrote has none. `partial` is the last run's name for the folders in which new
    content waits ('': an older rescue, whose name for them was fixed): if it was interrupted,
    they are still there.
    """

    version: int = RECORD_VERSION
    role: Role = Role.MIRROR
    name: str
    host: str
    machine_id: str
    source: DiskRef
    mirror: DiskRef
    filesystems: tuple[FilesystemPair, ...]
    swaps: tuple[SwapPair, ...]
    identifiers: IdentifierMap
    platforms: tuple[GrubPlatform, ...]
    twins: tuple[DiskRef, ...] = ()
    left_out: tuple[str, ...] = ()
    state: MirrorState = MirrorState.NEW
    generation: int = 0
    last_complete: float = 0.0
    last_run: RunSummary | None = None
    last_checksum: float = 0.0
    last_tried: float = 0.0
    suspects: tuple[Suspect, ...] = ()
    last_error: str = ""
    grub_digest: str = ""
    initramfs_digests: tuple[tuple[str, str], ...] = ()
    fstab: tuple[str, ...] = ()
    last_proof: Proven | None = None
    comparison_cut: bool = False
    behind: tuple[Behind, ...] = ()
    secret: Secret = field(default_factory=Secret)
    partial: str = ""

    @property
    def is_sound(self) -> bool:
        """Whether its paths are safe: the name is a file name, and the places lie in a tree.

        Data read from a disk is not trusted.
        """
        places = [pair.mount_point for pair in self.filesystems]
        inside = all(
            place.startswith("/") and ".." not in place.split("/") and "\0" not in place
            for place in places
        )
        named = self.name not in ("", ".", "..") and not set("/\0") & set(self.name)
        return named and inside and "/" in places

    @property
    def places(self) -> tuple[Place, ...]:
        """Where everything lies that is mirrored, file systems and swap areas."""
        return (*(pair.place for pair in self.filesystems), *(swap.place for swap in self.swaps))

    def with_boot_files_anew(self) -> "MirrorRecord":
        """Return the record of a mirror that does not boot; its next run rebuilds the boot files.

        Otherwise they would be left as they are because the source's digests have not
        changed.
        """
        return replace(self, grub_digest="", initramfs_digests=())

    @property
    def proof(self) -> Proven | None:
        """The proof of the last complete run, None where it was not proven."""
        last = self.last_proof
        return last if last is not None and last.generation == self.generation else None

    def holder_of(self, path: str) -> FilesystemPair:
        """Return the mirrored file system that holds a path of the whole tree.

        Raises ValueError where none does: the path does not begin at the root.
        """
        point = holder_of(path, (pair.mount_point for pair in self.filesystems))
        return next(pair for pair in self.filesystems if pair.mount_point == point)

    @property
    def whole_generation(self) -> int:
        """The newest generation that can have come to its end.

        A number is announced before the mirror is marked with it: cut between, nobody has it.
        """
        return self.generation - (self.state is not MirrorState.COMPLETE)

    @property
    def sources(self) -> tuple[DiskRef, ...]:
        """The disks that the machine may run from: one, or all of a RAID 1."""
        return (self.source, *self.twins)

    @property
    def root(self) -> FilesystemPair:
        """The pair of the root file system."""
        return next(pair for pair in self.filesystems if pair.mount_point == "/")

    def inverted(self) -> "MirrorRecord":
        """Return the record of the other direction: source and mirror have changed their roles.

        State, generation and digests stay as they are; no disk is proven by another. Raises
        ValueError where the identifiers do not know a file system of the record.
        """
        return replace(
            self,
            source=self.mirror,
            mirror=self.source,
            twins=(),
            filesystems=tuple(
                replace(
                    pair,
                    source_uuid=pair.mirror_uuid,
                    mirror_uuid=pair.source_uuid,
                    mirror_partuuid=self._source_partuuid(pair),
                )
                for pair in self.filesystems
            ),
            swaps=tuple(
                replace(pair, source_uuid=pair.mirror_uuid, mirror_uuid=pair.source_uuid)
                for pair in self.swaps
            ),
            identifiers=self.identifiers.inverted(),
            last_proof=None,
        )

    def _source_partuuid(self, pair: FilesystemPair) -> str:
        for names in (device.old for device in self.identifiers.pairs):
            if names.uuid == pair.source_uuid:
                return names.partuuid
        raise ValueError(f"no identifiers are recorded for {pair.mount_point} ({pair.source_uuid})")


@dataclass(frozen=True, kw_only=True)
class Handover:
    """A completed failback: stored on the running mirror in /.rescue/failback.json.

    `record` has the running mirror as its source and the new first disk as its mirror.
    `boot_id` is the kernel's for the session in which it was done (man 4 random): in that
    session the new disk cannot have run by itself, so that it may be brought up to date again.
    `at` is in seconds since the epoch (UTC).
    """

    version: int = HANDOVER_VERSION
    record: MirrorRecord
    boot_id: str
    at: float
