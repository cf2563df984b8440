"""The progress of a copy: rsync's figures against what the source holds."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from rescue.model.event import Progress
from rescue.system.files.atomic import used_on
from rescue.system.rsync.progress import Advance
from rescue.system.rsync.rsync import SyncJob

_SURE_AFTER_SECONDS = 3.0
_SURE_AFTER_SHARE = 0.01


@dataclass(frozen=True, kw_only=True)
class Whole:
    """The total amount to copy: bytes and files of the source's file system, 0 if unknown."""

    size: int = 0
    files: int = 0


def whole_of(job: SyncJob) -> Whole:
    """Return what the job's source holds, from its own counters; unknown for named paths."""
    if job.paths is not None:
        return Whole()
    size, files = used_on(job.source)
    return Whole(size=size, files=files)


def progress_of(seen: Advance, whole: Whole, *, first: bool, seconds: float) -> Progress:
    """Given rsync's figures after a number of seconds, return the progress of the step.

    A first copy is as far as its bytes, a later one as far as the files it has looked at: rsync
    itself knows only the part of the list that it has made so far, and its share jumps back.
    """
    total = max(whole.files, seen.files_listed) if whole.files else 0
    share = seen.share
    if first and whole.size:
        share = seen.bytes_done / whole.size
    elif total:
        share = seen.files_seen / total
    # The source grows meanwhile, and hard links are counted once there: it is not done until it is.
    share = min(share, 0.99)
    sure = seconds >= _SURE_AFTER_SECONDS and share >= _SURE_AFTER_SHARE
    return Progress(
        bytes_done=seen.bytes_done,
        share=share,
        rate=seen.rate,
        files_done=seen.files_seen,
        files_total=total,
        seconds_left=seconds * (1 - share) / share if sure else None,
    )


def pacer(job: SyncJob, *, emit: Callable[[Progress], None]) -> Callable[[Advance], None]:
    """Return a callback that takes rsync's figures for one job and passes on its progress."""
    whole, begun = whole_of(job), time.monotonic()

    def tell(seen: Advance) -> None:
        emit(progress_of(seen, whole, first=job.first, seconds=time.monotonic() - begun))

    return tell
