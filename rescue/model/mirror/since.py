"""The moment from which changes of the source may be missing on its mirror.

A program can put a file's time back, and cannot put back when its inode changed (ctime, man 7
inode). What was touched before the last complete run began is on the mirror; what was touched since
is compared by content, where size and time are equal.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath

from rescue.model.mirror.record import Behind, MirrorRecord

MARGIN_NS = 600 * 10**9
"""A clock may have been set back by so much since; what changed then is compared once more."""

_MOST_PLACES = 1000


@dataclass(frozen=True, kw_only=True)
class Since:
    """Nanoseconds since the epoch: for most of the system, and for places that are further behind.

    Places are paths on the whole tree, each with everything below it. 0 is a source of which
    nothing is known to be on the mirror.
    """

    usual_ns: int = 0
    places: tuple[tuple[str, int], ...] = ()

    @property
    def earliest_ns(self) -> int:
        """The earliest of all these times."""
        return min((self.usual_ns, *(ns for _, ns in self.places)))

    def of(self, path: str) -> int:
        """Return it for one path on the whole tree."""
        found = (ns for place, ns in self.places if PurePosixPath(path).is_relative_to(place))
        return min((self.usual_ns, *found))


def since(record: MirrorRecord, *, now: float, margin_ns: int = MARGIN_NS) -> Since:
    """Return the times for the next run onto a mirror; `now` in seconds since the epoch.

    A start time in the future came from a wrong clock, and is ignored.
    """

    def told(seconds: float) -> int:
        return max(0, int(seconds * 1e9) - margin_ns) if seconds <= now else 0

    return Since(
        usual_ns=told(record.last_run.started) if record.last_run else 0,
        places=tuple((each.path, told(each.since)) for each in record.behind),
    )


def behind_after(record: MirrorRecord, unread: Iterable[str], *, now: float) -> tuple[Behind, ...]:
    """Return what stays behind after a run: what it could not read is as old as before.

    `record` is the one that the run began with, `unread` are paths on the whole tree.
    """
    before = since(record, now=now, margin_ns=0)
    places = {path: before.of(path) / 1e9 for path in unread}
    if len(places) > _MOST_PLACES:
        places = {"/": min(places.values())}
    return tuple(Behind(path=path, since=at) for path, at in places.items())
