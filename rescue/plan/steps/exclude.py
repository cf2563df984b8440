"""The exclusions of each file system's copy, relative to that file system's root."""

from dataclasses import dataclass

from rescue.model.mirror.record import FilesystemPair
from rescue.model.mirror.step import MakeSwapFile
from rescue.model.storage.machine import Machine
from rescue.model.storage.mount import holder_of, is_within

# Debian has /lib as a link to /usr/lib since bookworm.
_PRUNED_LAST = ("/boot", "/usr/lib/modules")


@dataclass(frozen=True, kw_only=True)
class Excluded:
    """Per mount point: the mirror's own paths, and those that are pruned at the end."""

    mount_point: str
    protect: tuple[str, ...]
    prune_last: tuple[str, ...]


def relative(path: str, mount_point: str) -> str:
    """Return a path of the whole tree as its own file system names it, beginning with '/'."""
    return path if mount_point == "/" else path.removeprefix(mount_point) or "/"


def excluded(
    filesystems: tuple[FilesystemPair, ...],
    *,
    protect: tuple[str, ...],
    files: tuple[str, ...],
    esp: str,
) -> tuple[Excluded, ...]:
    """Deal paths of the whole tree out to the file systems on which they lie, in their order.

    `protect` are globs; `files` are plain paths, in which glob characters are escaped. A file
    system that is mounted below such a path is pruned last as a whole.
    """
    points = tuple(pair.mount_point for pair in filesystems)
    prune_last = _PRUNED_LAST + ((esp,) if esp else ())
    literal = tuple(_escaped(path) for path in files)
    return tuple(
        Excluded(
            mount_point=point,
            protect=tuple(
                relative(path, point)
                for path in protect + literal
                if holder_of(path, points) == point
            ),
            prune_last=_pruned_last_on(point, points, prune_last),
        )
        for point in points
    )


def swap_files(
    machine: Machine, filesystems: tuple[FilesystemPair, ...]
) -> tuple[tuple[MakeSwapFile, ...], tuple[str, ...]]:
    """Return the active swap files to be recreated on the mirror, and notes on the others."""
    points = {pair.mount_point for pair in filesystems}
    made, notes = [], []
    for swap in machine.swaps:
        if not swap.is_file:
            continue
        seen = machine.mount_holding(swap.path)
        if (seen.target if seen else "/") in points:
            made.append(MakeSwapFile(path=swap.path, size=swap.size))
        else:
            notes.append(f"swap file {swap.path} is on a file system that is not mirrored")
    return tuple(made), tuple(notes)


def _pruned_last_on(
    point: str, points: tuple[str, ...], prune_last: tuple[str, ...]
) -> tuple[str, ...]:
    if any(is_within(point, path) for path in prune_last):
        return ("/",)
    return tuple(relative(path, point) for path in prune_last if holder_of(path, points) == point)


def _escaped(path: str) -> str:
    """Return a path in which glob characters stand for themselves (man 1 rsync, patterns)."""
    if not any(char in path for char in "*?["):
        return path
    return "".join(f"\\{char}" if char in "*?[\\" else char for char in path)
