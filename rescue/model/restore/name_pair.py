"""One name in two trees, the dead disk's and the running system's, and the decision about it."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from enum import StrEnum

from rescue.model.restore.owners import Owners


class Shape(StrEnum):
    """The type of a file; SPECIAL is a device node, a pipe or a socket."""

    FILE = "file"
    FOLDER = "folder"
    LINK = "link"
    SPECIAL = "special"


@dataclass(frozen=True, kw_only=True)
class Fact:
    """What `lstat` tells about one name. Times are nanoseconds since the epoch (man 7 inode).

    `taken` are the bytes of a file that are not holes (None: not measured), `target` is where a
    symbolic link leads. `is_border` is true where another file system is mounted, or a btrfs
    subvolume begins: nothing below it is examined.
    """

    shape: Shape
    size: int
    mtime_ns: int
    ctime_ns: int
    mode: int
    uid: int
    gid: int
    taken: int | None = None
    target: str = ""
    is_border: bool = False


@dataclass(frozen=True, kw_only=True)
class NamePair:
    """A name on both sides; `path` is relative to the root of its file system.

    None where a side does not have it. `unreadable` is true where the dead disk did not tell.
    `rewritten` is true where size and time are equal, and the dead disk's file was touched after
    the mirror's last run began and has another content.
    """

    path: str
    there: Fact | None
    here: Fact | None
    unreadable: bool = False
    rewritten: bool = False


class Decision(StrEnum):
    """What a restore does with a name.

    NEW and UPDATE come back. DOUBTFUL comes back as well, and what is here is put aside, since
    the two times cannot be trusted: the file here was changed after the mirror was last
    written, or the one on the dead disk has a time in the future. The others stay as they are
    here.
    """

    NEW = "new"
    UPDATE = "update"
    DOUBTFUL = "doubtful"
    SAME = "same"
    NEWER_HERE = "newer here"
    ONLY_HERE = "only here"
    OTHER_KIND = "other kind"
    UNREADABLE = "unreadable"


FUTURE_SLACK_NS = 60 * 10**9
"""A time counts as 'in the future' beyond this: clocks on one network differ by seconds."""


def is_future(fact: Fact | None, *, now_ns: int) -> bool:
    """Whether a file (folders do not matter) was changed later than now."""
    return (
        fact is not None
        and fact.shape is not Shape.FOLDER
        and fact.mtime_ns > now_ns + FUTURE_SLACK_NS
    )


def decide(pair: NamePair, *, since_ns: int, now_ns: int) -> Decision:
    """Given a name on both sides, return what a restore does with it.

    `since_ns` is when the mirror was last written by a run: a file here whose inode changed later
    (ctime, which no program can set) was touched on the running system. rsync's own --update
    looks at regular files alone, and would replace a newer link or kind. Of two files with one time
    the dead disk's is the newer one where it was rewritten after the last run began.
    """
    there, here = pair.there, pair.here
    # What lies beyond a border of the dead disk was not read: an empty folder would look whole.
    if pair.unreadable or (there is not None and there.is_border):
        return Decision.UNREADABLE
    if there is None:
        return Decision.ONLY_HERE
    if here is None:
        return Decision.NEW
    if there.shape is not here.shape or here.is_border:
        return Decision.OTHER_KIND
    same = same_at_a_glance(there, here) and not pair.rewritten
    if there.shape in (Shape.FOLDER, Shape.SPECIAL) or same:
        return Decision.SAME
    if here.mtime_ns > there.mtime_ns:
        return Decision.NEWER_HERE
    if here.ctime_ns > since_ns or is_future(there, now_ns=now_ns):
        return Decision.DOUBTFUL
    return Decision.UPDATE


def owned(pairs: Iterable[NamePair], owners: Owners) -> Iterator[NamePair]:
    """Yield the names with the owners that those of the dead disk would have here."""
    users, groups = dict(owners.users.given), dict(owners.groups.given)
    for pair in pairs:
        there = pair.there
        if there is not None:
            uid, gid = users.get(there.uid, there.uid), groups.get(there.gid, there.gid)
            if (uid, gid) != (there.uid, there.gid):
                there = replace(there, uid=uid, gid=gid)
        yield pair if there is pair.there else replace(pair, there=there)


def same_owner(pair: NamePair) -> bool:
    """Whether owner, group and mode agree, where both sides have the name."""
    one, two = pair.there, pair.here
    if one is None or two is None or one.shape is Shape.LINK:
        return True
    return (one.mode, one.uid, one.gid) == (two.mode, two.uid, two.gid)


def same_at_a_glance(there: Fact, here: Fact) -> bool:
    """Whether both agree by rsync's quick check, to the nanosecond."""
    if there.shape is Shape.LINK:
        return there.target == here.target
    return (there.size, there.mtime_ns) == (here.size, here.mtime_ns)
