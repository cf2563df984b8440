"""The job of a step: what rsync is to compare, or to make equal, of one file system."""

from collections.abc import Iterable

from rescue.measure.sides import Sides
from rescue.model.mirror.own_files import OWN_PATHS
from rescue.model.mirror.step import SyncTree
from rescue.model.mirror.unread import Seen, Unread
from rescue.system.rsync.rsync import SyncJob
from rescue.system.rsync.stand_ins import standing_for

NOT_LOOKED = Seen()


def job_of(step: SyncTree, sides: Sides, seen: Seen = NOT_LOOKED) -> SyncJob:
    """Return the job of a step on both sides; what only a mirror has is kept.

    What cannot be seen of the source is left alone, and nothing is deleted in what is encrypted.
    """
    return SyncJob(
        source=sides.source(step.mount_point),
        target=sides.mirror(step.mount_point),
        kind=sides.kind_of(step.mount_point),
        protect=(*_own(step.mount_point, sides), *step.protect),
        unread=(*seen.unread, *hidden(seen.hollow)),
        prune_last=step.prune_last,
        encrypted=standing_for(seen.encrypted),
        paths=step.paths,
        checksum=step.checksum,
        first=step.first,
        bandwidth_kib=step.bandwidth_kib,
        deletions=step.deletions,
        tight=step.tight,
        partial=sides.record.partial,
    )


def hidden(paths: Iterable[str]) -> tuple[Unread, ...]:
    """Return rsync rules that neither send nor delete these files."""
    return tuple(Unread(path=path, why="is carried by itself", is_folder=False) for path in paths)


def _own(mount_point: str, sides: Sides) -> tuple[str, ...]:
    owned = (sides.pair_of(path) for path in OWN_PATHS)
    return tuple(inside for pair, inside in owned if pair.mount_point == mount_point)
