"""Rot: files whose contents differ although size and time are equal."""

from dataclasses import dataclass, field
from enum import StrEnum

SETTLED_NS = 120 * 10**9
"""A file that was written to less than this before it was read may have been half written: times
tick in milliseconds, and what a program writes through memory is given a time when it reaches the
disk (30 s; Linux: Documentation/admin-guide/sysctl/vm.rst, dirty_expire_centisecs)."""


class Verdict(StrEnum):
    """Which side changed, judging by the digest from the file's last comparison.

    UNREADABLE is a file of the source that cannot be read to its end any more.
    """

    SOURCE = "source"
    MIRROR = "mirror"
    BOTH = "both"
    UNKNOWN = "unknown"
    UNREADABLE = "unreadable"


@dataclass(frozen=True, kw_only=True)
class Known:
    """What was recorded of a file; times in nanoseconds since the epoch (UTC)."""

    size: int
    mtime_ns: int
    ctime_ns: int
    digest: bytes

    def is_settled(self, *, begun_ns: int) -> bool:
        """Whether the file was unchanged long enough before `begun_ns` to trust its digest.

        A time in the future says nothing; the inode's own time cannot be set.
        """
        limit = begun_ns - SETTLED_NS
        return self.ctime_ns < limit and (self.mtime_ns < limit or self.mtime_ns > begun_ns)


def is_written(now: Known, known: Known | None, *, since_ns: int) -> bool:
    """Whether a program wrote the source file's content that differs from the mirror's.

    `known` is what was recorded of it with its present size and time. Rot changes no inode, so
    the ctime tells (man 7 inode): it differs from the recorded one or, where nothing was
    recorded, is later than `since_ns`, when everything touched before was on the mirror (0:
    unknown). Where the content is the recorded one, it is the mirror's that has changed.
    """
    if known is not None:
        return known.ctime_ns != now.ctime_ns and known.digest != now.digest
    return now.ctime_ns >= since_ns > 0


@dataclass(frozen=True, kw_only=True)
class Doubt:
    """A file whose contents differ though size and time are equal, as it was found.

    `path` is on the whole tree; `source` and `mirror` are digests now, None where the file cannot
    be read to its end; `known` is what was recorded of it with this size and time, None where
    nothing was. `ctime_ns` is the source's now.
    """

    path: str
    source: bytes | None
    mirror: bytes | None
    known: Known | None
    ctime_ns: int


@dataclass(frozen=True, kw_only=True)
class Suspect:
    """One such file: its path on the whole tree, and the verdict on it.

    `taken` is true where the source's content goes to the mirror all the same: the mirror's has
    rotted, or a person accepted it; otherwise the mirror keeps what it has. `touched` is when the
    source's file was last written to by a program (its ctime, seconds since the epoch, UTC) where
    that was after it was recorded, and 0.0 where no program did it.
    """

    path: str
    verdict: Verdict
    taken: bool
    touched: float = 0.0

    @property
    def accepted(self) -> bool:
        """Whether a person confirmed that the source's content is the right one."""
        return self.taken and self.verdict is not Verdict.MIRROR


@dataclass(frozen=True, kw_only=True)
class Rewritten:
    """Files whose content a program changed without changing size or time.

    `files` are by mount point, relative to the file system's root; `unreadable` are paths on the
    whole tree of those that could not be compared, and `unfinished` the mount points with more such
    files than are carried at once. `begun` is when the look over the source began (seconds since
    the epoch): what is touched from then on is seen by the next one. 0.0 where there was none.
    """

    begun: float = 0.0
    files: dict[str, tuple[str, ...]] = field(default_factory=dict)
    unreadable: tuple[str, ...] = ()
    unfinished: tuple[str, ...] = ()
