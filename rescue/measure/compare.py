"""Every content compared before a run; nothing of the mirror is changed.

rsync reads each file on both disks once and tells the digests; those of the source are remembered.
Where contents differ though size and time are equal, the inode's own time says whether a program
wrote to the source's file, which is a change as any other; else the digest of last time says which
side has rotted. What differs in size or time is an ordinary change, and the run's own business.
"""

import os
import stat
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from rescue.errors import BrakeError
from rescue.measure.estimate import Estimate, expect_compared
from rescue.measure.jobs import job_of
from rescue.measure.sides import Sides
from rescue.measure.touched import MOST_REWRITTEN
from rescue.model.event import Event, Progress
from rescue.model.mirror.plan import Plan
from rescue.model.mirror.since import Since, since
from rescue.model.mirror.step import SyncTree
from rescue.model.mirror.step_title import title
from rescue.model.run.rot import Doubt, Known, Rewritten, is_written
from rescue.paths import WORK
from rescue.system.files.atomic import used_on
from rescue.system.files.digests import Digests
from rescue.system.files.name_lists import listed
from rescue.system.files.source_tree import look_over
from rescue.system.process.timed_step import timed_step
from rescue.system.rsync import rsync, sums
from rescue.system.rsync.exit_codes import Ending
from rescue.system.rsync.progress import Listener, Tally
from rescue.system.rsync.sums import Compared, parse_compared

MOST_DOUBTS = 100_000
"""At most this many are remembered; a mirror with more differences is not repaired file by file."""

_TELL_EVERY = 500
_BLOCK = 1 << 20


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """What a run would do, and every file that differs in content but not in size and time."""

    estimated: Estimate
    doubts: tuple[Doubt, ...]


def compare(
    plan: Plan,
    sides: Sides,
    *,
    digests: Digests,
    emit: Callable[[Event], None],
    clock: Callable[[], int] = time.time_ns,
) -> Comparison:
    """Compare every content that the plan's syncs are about; nothing of the mirror is changed.

    The source's digests are recorded; `clock` gives nanoseconds since the epoch. Raises
    RescueError where rsync could not compare them, BrakeError where more files differ than can be
    remembered.
    """
    steps = [step for step in plan.steps if isinstance(step, SyncTree) and step.paths != ()]
    total, doubts = Tally(), list[Doubt]()
    limits, begun = since(plan.record, now=time.time()), time.time()
    written: dict[str, tuple[str, ...]] = {}
    unfinished: list[str] = []
    for number, step in enumerate(steps, 1):
        name = title(replace(step, checksum=True)).replace("mirror ", "look at ", 1)
        with timed_step(name, emit, number=number, total=len(steps)) as outcome:
            one = _Pass(replace(step, checksum=True), sides, digests, emit, clock(), limits)
            one.read()
            found = one.doubts()
            alone = len(found) + len(one.written)
            outcome.detail = f"{alone} differ in content alone"
        doubts += found
        written[step.mount_point] = tuple(one.written)
        unfinished += [step.mount_point] if one.unfinished else []
        for figure in ("files_total", "changed", "deletions"):
            more = getattr(one.listener.tally, figure)
            setattr(total, figure, getattr(total, figure) + more)
    estimated = Estimate(
        files_total=total.files_total,
        changes=total.changed - len(doubts),
        deletions=total.deletions,
        rewritten=Rewritten(
            begun=begun,
            files={point: paths for point, paths in written.items() if paths},
            unfinished=tuple(unfinished),
        ),
    )
    return Comparison(estimated=estimated, doubts=tuple(doubts))


class _Pass:
    """The comparison of one file system."""

    def __init__(
        self,
        step: SyncTree,
        sides: Sides,
        digests: Digests,
        emit: Callable[[Event], None],
        begun_ns: int,
        limits: Since,
    ) -> None:
        self.listener = Listener(lambda seen: None)
        self._begun_ns = begun_ns
        self._step = step
        self._seen = replace(look_over(sides.source(step.mount_point)), encrypted=())
        self._job = job_of(step, sides, self._seen)
        self._digests, self._emit = digests, emit
        self._limits = limits
        self.written: list[str] = []
        self.unfinished = False
        self._looked_at = 0
        self._files = used_on(self._job.source)[1]
        self._found: dict[str, tuple[Known, Known | None]] = {}

    def read(self) -> None:
        """Read both sides, record the source's digests, and note what differs in content alone."""
        result = rsync.carry_out(sums.compare_argv(self._job), on_line=self._line)
        ending = expect_compared(result, self._step.mount_point)
        # What could not be listed is not gone.
        whole = ending is not Ending.PARTIAL and not self._seen.unread
        if self._step.paths is None and whole:
            self._digests.forget_others(self._step.mount_point)
        self._digests.commit()

    def doubts(self) -> list[Doubt]:
        """Read each differing file again, completely, on both sides; return those to be judged."""
        if not self._found:
            return []
        sides = [
            {**_digests_of(root, self._found), **_unreadable(root, self._found)}
            for root in (self._job.source, self._job.target)
        ]
        doubts = []
        for path, (seen, known) in self._found.items():
            now = _facts(self._job.source / path, seen.digest)
            if now is None or (now.size, now.mtime_ns) != (seen.size, seen.mtime_ns):
                continue
            doubts.append(
                Doubt(
                    path=f"{self._step.mount_point.rstrip('/')}/{path}",
                    source=sides[0].get(path),
                    mirror=sides[1].get(path),
                    known=known,
                    ctime_ns=now.ctime_ns,
                )
            )
        return doubts

    def _line(self, text: str) -> None:
        self.listener.line(text)
        item = parse_compared(text)
        if item is None:
            return
        self._looked_at += 1
        if self._looked_at % _TELL_EVERY == 0:
            self._tell()
        seen = _facts(self._job.source / item.path, item.digest)
        if seen is not None and seen.size == item.size:
            self._take(item, seen)

    def _take(self, item: Compared, seen: Known) -> None:
        point = self._step.mount_point
        if item.only_content:
            known = self._digests.get(point, item.path)
            same = known and (known.size, known.mtime_ns) == (seen.size, seen.mtime_ns)
            self._digests.keep(point, item.path)
            limit = self._limits.of(f"{point.rstrip('/')}/{item.path}")
            if is_written(seen, known if same else None, since_ns=limit):
                if len(self.written) < MOST_REWRITTEN:
                    self.written.append(f"/{item.path}")
                else:
                    self.unfinished = True
                return
            self._found[item.path] = (seen, known if same else None)
            if len(self._found) > MOST_DOUBTS:
                raise BrakeError(
                    f"more than {MOST_DOUBTS:,} files of {point} differ from the mirror's in "
                    "content, with the same size and time",
                    hint="look at both disks ('smartctl --all', 'dmesg'); a mirror whose disk is "
                    "good is prepared anew",
                )
        elif seen.is_settled(begun_ns=self._begun_ns):
            self._digests.put(point, item.path, seen)
        else:
            self._digests.keep(point, item.path)

    def _tell(self) -> None:
        share = min(self._looked_at / self._files, 0.99) if self._files else 0.0
        self._emit(
            Progress(bytes_done=0, share=share, files_done=self._looked_at, files_total=self._files)
        )


def _facts(path: Path, digest: bytes) -> Known | None:
    """Return a regular file's inode data with its digest, or None if it is not a regular file."""
    try:
        info = path.lstat()
    except OSError:
        return None
    if not stat.S_ISREG(info.st_mode):
        return None
    return Known(
        size=info.st_size, mtime_ns=info.st_mtime_ns, ctime_ns=info.st_ctime_ns, digest=digest
    )


def _digests_of(root: Path, paths: Iterable[str]) -> dict[str, bytes | None]:
    """Return the digests of files below `root` now, by path; what is gone is left out."""
    found: dict[str, bytes | None] = {}

    def line(text: str) -> None:
        if item := parse_compared(text):
            found[item.path] = item.digest

    empty = WORK / "empty"
    empty.mkdir(exist_ok=True)
    with listed(paths) as names:
        result = rsync.carry_out(sums.digests_argv(root, names, empty=empty), on_line=line)
    expect_compared(result, str(root))
    return found


def _unreadable(root: Path, paths: Iterable[str]) -> dict[str, bytes | None]:
    """Return the files that cannot be read completely: rsync takes unreadable parts for zeros."""
    return {path: None for path in paths if not _can_be_read(root / path)}


def _can_be_read(path: Path) -> bool:
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NOATIME | os.O_CLOEXEC)
        with os.fdopen(fd, "rb", buffering=0) as file:
            while file.read(_BLOCK):
                pass
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True
