"""Subvolumes of a mounted btrfs: listed, made, deleted, and opened by default.

See man 8 btrfs-subvolume. btrfs-progs of Debian 12 (6.2) lists subvolumes as text alone.
"""

import re
from dataclasses import replace
from pathlib import Path

from rescue.errors import RescueError
from rescue.model.storage.subvolume import TOP_LEVEL, BtrfsSubvolume
from rescue.system.process.run import CommandError, run

_ROOT_INODE = 256
"""The inode number of every subvolume's own folder (BTRFS_FIRST_FREE_OBJECTID)."""

# A name may hold line breaks: it goes on until the next line that begins like this.
_BEGIN = (
    r"^ID (?P<id>\d+) gen \d+ parent (?P<parent>\d+) top level \d+ "
    r"parent_uuid (?P<origin>\S+) +received_uuid (?P<received>\S+) +uuid (?P<uuid>\S+) +path "
)
_NEXT = r"^ID \d+ gen \d+ parent \d+ top level \d+ parent_uuid "
_LISTED = re.compile(rf"{_BEGIN}(?P<path>.*?)(?={_NEXT}|\Z)", re.MULTILINE | re.DOTALL)
_DEFAULT = re.compile(r"ID (\d+) ")
_DELETE_TIMEOUT = 900.0


def list_argv(target: str, *, read_only: bool = False) -> list[str]:
    """Return the command that lists the subvolumes of the whole file system mounted there.

    Not with -o, which leaves out what lies in other subvolumes. `read_only` asks for those alone.
    """
    return ["btrfs", "subvolume", "list", "-puqR", *(["-r"] if read_only else []), target]


def subvolumes(target: str) -> tuple[BtrfsSubvolume, ...]:
    """Return all subvolumes but the top one of the btrfs that is mounted there, by their ids.

    Snapshots are among them. Names that users chose may look like lines of the list: `is_one` says
    whether a subvolume is where one is said to be. Raises RescueError where they cannot be listed:
    no root, no btrfs-progs, no btrfs.
    """
    listed = parse_subvolumes(run(list_argv(target)).stdout)
    unwritable = parse_subvolumes(run(list_argv(target, read_only=True)).stdout)
    read_only = {each.id for each in unwritable}
    marked = (replace(each, read_only=each.id in read_only) for each in listed)
    return from_the_top(tuple(marked), seen_from=root_id(target))


def parse_subvolumes(text: str) -> tuple[BtrfsSubvolume, ...]:
    """Given what `list_argv` prints, return its subvolumes, paths as they are printed.

    An empty text is what it prints where there are none. Raises RescueError if it is not a list.
    """
    if text and not re.match(_NEXT, text):
        raise RescueError(
            "btrfs did not answer with a list of subvolumes",
            hint="report this with the output of 'btrfs subvolume list'",
        )
    return tuple(
        BtrfsSubvolume(
            id=int(found["id"]),
            parent=int(found["parent"]),
            path=found["path"].removesuffix("\n"),
            uuid=found["uuid"],
            snapshot_of=found["origin"].strip("-"),
            received=found["received"].strip("-"),
        )
        for found in _LISTED.finditer(text)
    )


def from_the_top(
    listed: tuple[BtrfsSubvolume, ...], *, seen_from: int
) -> tuple[BtrfsSubvolume, ...]:
    """Return listed subvolumes with their paths from the top of the file system.

    btrfs-progs names what lies in the subvolume that it was asked at, whose id is `seen_from`, by
    its path in there, and everything else from the top.
    """
    parents = {each.id: each.parent for each in listed}
    base = next((each.path for each in listed if each.id == seen_from), "")
    if not base:
        return listed
    return tuple(
        replace(each, path=f"{base}/{each.path}") if _is_inside(each, seen_from, parents) else each
        for each in listed
    )


def _is_inside(each: BtrfsSubvolume, folder: int, parents: dict[int, int]) -> bool:
    at, passed = each.parent, {TOP_LEVEL}
    while at != folder and at not in passed:
        passed.add(at)
        at = parents.get(at, TOP_LEVEL)
    return at == folder


def root_id(target: str) -> int:
    """Return the id of the subvolume that a path lies in. Raises RescueError if it is on none."""
    said = run(["btrfs", "inspect-internal", "rootid", target]).stdout.strip()
    if not said.isascii() or not said.isdigit():
        raise RescueError(f"btrfs did not answer with the id of the subvolume at {target}")
    return int(said)


def default_subvolume(target: str) -> int:
    """Return the id of what is mounted where no option says what. Raises RescueError."""
    found = _DEFAULT.match(run(["btrfs", "subvolume", "get-default", target]).stdout)
    if found is None:
        raise RescueError(f"btrfs did not answer with the default subvolume of {target}")
    return int(found[1])


def set_default(path: Path) -> None:
    """Let the subvolume at a path be what is mounted where no option says what."""
    run(["btrfs", "subvolume", "set-default", str(path)])


def create(path: Path) -> None:
    """Make an empty subvolume at a path whose folder exists. Raises CommandError."""
    run(["btrfs", "subvolume", "create", str(path)])


def delete(path: Path) -> None:
    """Delete the subvolume at a path, which holds no other. Raises CommandError.

    The space is free when the commit is over, which is waited for.
    """
    run(["btrfs", "subvolume", "delete", "--commit-after", str(path)], timeout=_DELETE_TIMEOUT)


def is_one(path: Path) -> bool:
    """Whether a subvolume begins at a path of a btrfs, and not behind a link. Raises OSError."""
    return path.lstat().st_ino == _ROOT_INODE


def has_quotas(target: str) -> bool:
    """Whether the btrfs mounted there counts by quota groups (man 8 btrfs-qgroup)."""
    try:
        run(["btrfs", "qgroup", "show", target])
    except CommandError:
        return False
    return True
