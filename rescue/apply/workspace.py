"""The workspace of a run: source and mirror mounted in a private mount namespace.

Source: read-only binds, one for each file system, without what is mounted on top. Mirror: each
file system mounted flat, by UUID, on the granted disk and nowhere else. Tree: the mirror's file
systems put together as they will be when it boots.

No link of either side leads anywhere (`mountns.SAFE`): users swap folders for links while they are
read. In the tree of a mirror that is written they do, for the programs that work in it.
"""

import contextlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from types import TracebackType

from rescue import paths
from rescue.errors import RefusedError, RescueError
from rescue.grants import MarkerGrant, WriteGrant
from rescue.model.mirror.plan import Plan
from rescue.model.mirror.record import FilesystemPair, MirrorRecord
from rescue.model.storage.filesystem import FsKind
from rescue.model.storage.identity import DiskId
from rescue.model.storage.place import number_of
from rescue.system.block import blockdev, udev
from rescue.system.files import automount, mount_namespace
from rescue.system.files.paired_trees import link_on_the_way
from rescue.system.process.run import CommandError


@dataclass(frozen=True, kw_only=True)
class Site:
    """What a run takes from the machine it runs on.

    `source_root` is where the source's tree is seen: '/' on a running system. `identify` gives
    the identity of the whole disk at a path, `locate` the device node that carries a pair of a
    record on the disk at a path.
    """

    source_root: Path = Path("/")
    identify: Callable[[str], DiskId] = udev.disk_id
    locate: Callable[[FilesystemPair, str], str] | None = None


def locate(pair: FilesystemPair, disk: str) -> str:
    """Return the device that carries the mirror's file system of a pair.

    The same UUID on another disk, which may be anybody's, does not matter, but for btrfs. Raises
    RefusedError where no device of the disk has the UUID, or several have, PlaceError where it
    lies in a layer: a partition is mounted as it is, and no layer is opened.
    """
    number = number_of(pair.place)
    found = blockdev.with_uuid(pair.mirror_uuid)
    if not found:
        raise RefusedError(
            f"the mirror's file system for {pair.mount_point} (UUID {pair.mirror_uuid}) is not "
            f"there: partition {number} of {disk} is missing or was re-created",
            hint="compare 'rescue disks'; a mirror that lost a partition is prepared again",
        )
    own = [device for device in found if blockdev.belongs_to(device, disk)]
    if not own:
        raise RefusedError(
            f"UUID {pair.mirror_uuid} is on {found[0]}, which does not belong to {disk}",
            hint="the disk that was enrolled is another one: see 'rescue disks'",
        )
    # Of two btrfs with one UUID the kernel may mount the other one (man 5 btrfs).
    if len(own) > 1 or (len(found) > 1 and pair.kind is FsKind.BTRFS):
        raise RefusedError(
            f"{' and '.join(found)} both carry UUID {pair.mirror_uuid}",
            hint="one is a copy of the other: take it off, or give it another UUID",
        )
    return own[0]


class Workspace:
    """A context that mounts and checks everything on entry, and unmounts it on exit.

    Entering takes the process into a private mount namespace for good.
    """

    def __init__(
        self,
        record: MirrorRecord,
        device: str,
        *,
        site: Site | None,
        grant: WriteGrant | MarkerGrant | None = None,
        plan: Plan | None = None,
    ) -> None:
        """Use `writable`, `comparing`, `mirror_only` or `read_only`.

        With a plan the source is beside the mirror: those of its file systems that are copied.
        """
        self.record = record
        self._device = device
        self._site = site or Site()
        self._grant = grant
        self._with_source = plan is not None
        self._copied = plan.copied if plan is not None else frozenset()

    @classmethod
    def writable(cls, grant: WriteGrant, *, site: Site | None = None) -> "Workspace":
        """Return a workspace whose mirror can be written, and with the source beside it."""
        plan = grant.plan
        return cls(plan.record, plan.target_path, site=site, grant=grant, plan=plan)

    @classmethod
    def mirror_only(
        cls, record: MirrorRecord, grant: WriteGrant, *, site: Site | None = None
    ) -> "Workspace":
        """Return a workspace of the record's file systems on the granted disk, no source."""
        return cls(record, grant.path, site=site, grant=grant)

    @classmethod
    def marker_only(cls, grant: MarkerGrant, *, site: Site | None = None) -> "Workspace":
        """Return a workspace of the root of the mirror that was proven, where its marker lies."""
        record = grant.plan.record
        return cls(replace(record, filesystems=(record.root,)), grant.path, site=site, grant=grant)

    @classmethod
    def read_only(
        cls, record: MirrorRecord, device: str, *, site: Site | None = None
    ) -> "Workspace":
        """Return a workspace to look at a mirror; not even a journal is replayed."""
        return cls(record, device, site=site)

    @classmethod
    def comparing(cls, plan: Plan, *, site: Site | None = None) -> "Workspace":
        """Return a workspace to compare source and mirror; nothing of ours can be written.

        The kernel may replay the journal that a power cut left: without that there would be
        nothing to compare. Only for a disk that the guard has recognised as this mirror: raises
        RefusedError where another one is at its place now.
        """
        _expect_disk(plan, site or Site())
        return cls(plan.record, plan.target_path, site=site, plan=plan)

    def __enter__(self) -> "Workspace":
        mount_namespace.enter_private()
        paths.WORK.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Small on purpose: what is written past a mount that is not there soon ends.
        mount_namespace.mount(mount_namespace.tmpfs_argv(paths.WORK, size="4m", mode="0700"))
        try:
            for index, pair in enumerate(self.record.filesystems):
                self._mount_mirror(index, pair)
                if pair.mount_point in self._copied:
                    self._mount_source(index, pair)
            self._make_tree()
        except BaseException:
            with contextlib.suppress(CommandError):
                mount_namespace.unmount_all(paths.WORK)
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            mount_namespace.unmount_all(paths.WORK)
        except CommandError:
            # The namespace ends with us in any case; the error on the way is the one to tell.
            if error is None:
                raise

    def source(self, mount_point: str) -> Path:
        """Return where the source's file system mounted there is seen, read-only.

        Raises RescueError for one that is not copied: an empty folder must not pass for it.
        """
        if mount_point not in self._copied:
            raise RescueError(f"{mount_point} is not copied in this run")
        return paths.WORK / "source" / str(self._index(mount_point))

    def mirror(self, mount_point: str) -> Path:
        """Return where the mirror's counterpart of that file system is seen."""
        return paths.WORK / "mirror" / str(self._index(mount_point))

    def tree(self) -> Path:
        """Return the mirror's root with its other file systems at their places."""
        return paths.WORK / "tree"

    def kind_of(self, mount_point: str) -> FsKind:
        """Return the kind of that file system."""
        return self.record.filesystems[self._index(mount_point)].kind

    def check_mounted(self, mount_point: str) -> None:
        """Raise RescueError unless both counterparts are still what was mounted."""
        pair = self.record.filesystems[self._index(mount_point)]
        mount_namespace.expect(self.mirror(mount_point), uuid=pair.mirror_uuid, below=paths.WORK)
        mount_namespace.expect(self.source(mount_point), uuid=pair.source_uuid, below=paths.WORK)

    def pair_of(self, path: str) -> tuple[FilesystemPair, str]:
        """Given a path on the whole tree, return its file system and the path within ('/...')."""
        pair = self.record.holder_of(path)
        inside = PurePosixPath(path).relative_to(pair.mount_point)
        return pair, str(PurePosixPath("/") / inside)

    def _index(self, mount_point: str) -> int:
        for index, pair in enumerate(self.record.filesystems):
            if pair.mount_point == mount_point:
                return index
        raise RescueError(f"{mount_point} is not among the file systems of this mirror")

    def _place(self, pair: FilesystemPair) -> Path:
        """Return where the source's file system is mounted for everybody."""
        place = self._site.source_root / pair.mount_point.lstrip("/")
        mount_namespace.uncover(place)
        # What is mounted on demand may have been unmounted since it was planned.
        automount.open_path(place)
        return place

    def _mount_source(self, index: int, pair: FilesystemPair) -> None:
        place = self._place(pair)
        seen = mount_namespace.mounted_at(place)
        if seen.uuid.lower() != pair.source_uuid.lower():
            raise RefusedError(
                f"{place} is {seen.device} (UUID {seen.uuid or '?'}), and the mirror was made "
                f"from UUID {pair.source_uuid}",
                hint="nothing was written; mount what belongs there, or prepare the mirror again",
            )
        target = paths.WORK / "source" / str(index)
        target.mkdir(parents=True)
        mount_namespace.bind_safely(place, target)
        mount_namespace.expect(target, uuid=pair.source_uuid, below=paths.WORK)

    def _mount_mirror(self, index: int, pair: FilesystemPair) -> None:
        target = paths.WORK / "mirror" / str(index)
        target.mkdir(parents=True)
        device = (self._site.locate or locate)(pair, self._device)
        if self._grant is not None:
            self._grant.check(self._site.identify(self._device), path=self._device)
        access = mount_namespace.Access.READ_WRITE
        if self._grant is None:
            access = (
                mount_namespace.Access.READ if self._with_source else mount_namespace.Access.LOOK
            )
        compression = ""
        if access is mount_namespace.Access.READ_WRITE and pair.mount_point in self._copied:
            compression = mount_namespace.compression_at(self._place(pair))
        argv = mount_namespace.mount_argv(
            device, target, pair.kind, access, compression=compression
        )
        mount_namespace.mount(argv)
        mount_namespace.expect(target, uuid=pair.mirror_uuid, below=paths.WORK)

    def _make_tree(self) -> None:
        """Bind the mirror's file systems together; a mount point that is missing is left out.

        On the first run they are made by the first sync: `complete_tree` is called after it.
        """
        self.tree().mkdir()
        self._bind_into_tree("/", self.tree())
        self.complete_tree()

    def complete_tree(self) -> None:
        """Bind what is not in the tree yet, parents first."""
        for pair in self.record.filesystems:
            place = self.tree() / pair.mount_point.lstrip("/")
            # A link of a user's on the way would lead to the running system's own folders.
            if pair.mount_point == "/" or link_on_the_way(self.tree(), pair.mount_point):
                continue
            if not place.is_dir():
                continue
            if place.stat().st_dev != self.mirror(pair.mount_point).stat().st_dev:
                self._bind_into_tree(pair.mount_point, place)

    def _bind_into_tree(self, mount_point: str, place: Path) -> None:
        mount_namespace.mount(mount_namespace.bind_argv(self.mirror(mount_point), place))
        if self._grant is not None:
            mount_namespace.mount(mount_namespace.take_back_argv(place))


def _expect_disk(plan: Plan, site: Site) -> None:
    """Raise RefusedError unless the disk at the plan's path is the plan's mirror, now."""
    if not plan.shown.is_unchanged(site.identify(plan.target_path)):
        raise RefusedError(
            f"{plan.target_path} is not the disk of mirror '{plan.record.name}' any more",
            hint="run 'rescue disks' and start again",
        )
