"""Files that were touched since the last complete run though size and time are as on the mirror.

What the quick check of rsync cannot see: a program that puts a file's time back, or gives each file
the same one. They are compared by content, one by one, while the source is looked over; that their
owner or their links changed is rsync's own business, and makes no copy.
"""

import os
import stat
import time
from dataclasses import dataclass, field
from pathlib import Path

from rescue.measure.jobs import job_of
from rescue.measure.sides import Sides
from rescue.model.mirror.record import MirrorRecord
from rescue.model.mirror.since import Since, since
from rescue.model.mirror.step import SyncTree
from rescue.model.mirror.unread import Seen
from rescue.model.run.rot import Rewritten
from rescue.model.storage.filesystem import FsKind
from rescue.system.files.same_content import same_content
from rescue.system.files.source_tree import look_over
from rescue.system.rsync.filters import matcher

MOST_REWRITTEN = 100_000
"""Of one file system in one run; the others follow in the next ones."""

_MOST_LINKS = 100_000


@dataclass(kw_only=True)
class Touched:
    """The result of one look over a file system.

    `rewritten` are the paths of files with another content than the mirror's, `unreadable` of those
    that could not be compared, relative to the file system's root. `unfinished` is true where there
    were more than can be remembered. `links` are the paths ('/...') of each file with several
    names, by its inode number, None where there are too many.
    """

    seen: Seen = field(default_factory=Seen)
    rewritten: list[str] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)
    unfinished: bool = False
    links: dict[int, list[str]] | None = field(default_factory=dict)


class Rewriting:
    """One look over the file systems of a source, before a run onto the mirror of a record."""

    def __init__(self, record: MirrorRecord) -> None:
        """Begin now."""
        self._begun = time.time()
        self._since = since(record, now=self._begun)
        self._looked: dict[str, Touched] = {}

    def look(self, step: SyncTree, sides: Sides) -> Touched:
        """Look over one file system of the source, and compare what was touched."""
        looking = _Looking(step, sides, self._since)
        # vfat keeps no ctime; single paths are named by someone who knows what changed.
        knows = sides.kind_of(step.mount_point) is not FsKind.VFAT and step.paths is None
        source = sides.source(step.mount_point)
        looking.found.seen = look_over(source, looking.file if knows else None)
        self._looked[step.mount_point] = looking.found
        return looking.found

    @property
    def found(self) -> Rewritten:
        """The results so far."""
        looked = self._looked.items()
        return Rewritten(
            begun=self._begun,
            files={point: tuple(each.rewritten) for point, each in looked if each.rewritten},
            unreadable=tuple(
                f"{point.rstrip('/')}{path}" for point, each in looked for path in each.unreadable
            ),
            unfinished=tuple(point for point, each in looked if each.unfinished),
        )


class _Looking:
    """Compares the files of one file system as they are told."""

    def __init__(self, step: SyncTree, sides: Sides, limits: Since) -> None:
        job = job_of(step, sides)
        self.found = Touched()
        self._source, self._target = job.source, job.target
        self._is_kept = matcher(job.protect)
        self._since, self._earliest = limits, limits.earliest_ns
        self._at = step.mount_point.rstrip("/")
        self._same_links: dict[tuple[int, int], bool] = {}
        self._links = 0

    def file(self, path: str, info: os.stat_result) -> None:
        """Compare one file where it was touched, and remember its names where it has several."""
        if info.st_nlink > 1:
            self._remember(path, info)
        if info.st_ctime_ns < self._earliest or self._is_kept(path):
            return
        if info.st_ctime_ns < self._since.of(f"{self._at}{path}"):
            return
        copy = Path(f"{self._target}{path}")
        there = _alike(copy, info)
        if there is None:
            return
        try:
            same = self._same(path, copy, info, there)
        except FileNotFoundError:
            return
        except OSError:
            self.found.unreadable.append(path)
            return
        if same:
            return
        if len(self.found.rewritten) < MOST_REWRITTEN:
            self.found.rewritten.append(path)
        else:
            self.found.unfinished = True

    def _remember(self, path: str, info: os.stat_result) -> None:
        self._links += 1
        if self._links > _MOST_LINKS:
            self.found.links = None
        elif self.found.links is not None:
            self.found.links.setdefault(info.st_ino, []).append(path)

    def _same(self, path: str, copy: Path, info: os.stat_result, there: os.stat_result) -> bool:
        """Compare two files; what has many names is read once."""
        key = (info.st_ino, there.st_ino)
        if info.st_nlink > 1 and key in self._same_links:
            return self._same_links[key]
        same = same_content(Path(f"{self._source}{path}"), copy)
        if info.st_nlink > 1:
            if len(self._same_links) >= _MOST_LINKS:
                self._same_links.clear()
            self._same_links[key] = same
        return same


def _alike(copy: Path, info: os.stat_result) -> os.stat_result | None:
    """Return the inode data of the mirror's file if the quick check takes both for the same."""
    try:
        there = copy.lstat()
    except OSError:
        return None
    same = (there.st_size, there.st_mtime_ns) == (info.st_size, info.st_mtime_ns)
    return there if same and stat.S_ISREG(there.st_mode) else None
