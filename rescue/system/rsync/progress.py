"""rsync's output, read line by line: what it counts, and how far it is."""

import re
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(kw_only=True)
class Tally:
    """What one rsync did (or would do); `changed` are regular files that were there before.

    `stopped` is true where it deleted nothing any more, after an error of reading.
    """

    files_total: int = 0
    created: int = 0
    changed: int = 0
    bytes_changed: int = 0
    deletions: int = 0
    stopped: bool = False


_STOPPED = "IO error encountered -- skipping file deletion"
_STATS = {
    "Number of files": "files_total",
    "Number of created files": "created",
    "Number of deleted files": "deletions",
    "Total transferred file size": "bytes_changed",
}
_STAT = re.compile(r"^([A-Z][a-z ]+): (\d{1,19})")
_PROGRESS = re.compile(r"^\s*(\d{1,19})\s+(\d{1,3})%\s+(\S+/s)\s")
_LISTED = re.compile(r"(?:ir|to)-chk=(\d{1,19})/(\d{1,19})")
_ITEM = re.compile(r"^>f([.+cstpoguax ]{9})\|\d+\|")


@dataclass(frozen=True, kw_only=True)
class Advance:
    """rsync's own progress figures (--info=progress2).

    `share` is of the bytes (0 to 1), `rate` is in its own words; `files_listed` are the entries
    that it has found so far, `files_seen` those of them that it is done with.
    """

    bytes_done: int
    share: float
    rate: str
    files_seen: int = 0
    files_listed: int = 0


class Listener:
    """Reads rsync's output line by line, counting, and passing on its progress."""

    def __init__(self, on_progress: Callable[[Advance], None]) -> None:
        """Take the callback for rsync's progress."""
        self.tally = Tally()
        self._seen = self._listed = 0
        self._on_progress = on_progress

    def line(self, text: str) -> None:
        """Process one line of output."""
        if item := _ITEM.match(text):
            self.tally.changed += "+" not in item[1]
        elif far := _PROGRESS.match(text):
            self._advance(int(far[1]), int(far[2]) / 100, far[3], listed=_LISTED.search(text))
        elif (stat := _STAT.match(text)) and stat[1] in _STATS:
            setattr(self.tally, _STATS[stat[1]], int(stat[2]))
        elif text == _STOPPED:
            self.tally.stopped = True

    def _advance(
        self, size: int, share: float, rate: str, *, listed: "re.Match[str] | None"
    ) -> None:
        # In the middle of a file rsync leaves the count of files out.
        if listed:
            self._listed = int(listed[2])
            self._seen = self._listed - int(listed[1])
        self._on_progress(
            Advance(
                bytes_done=size,
                share=share,
                rate=rate,
                files_seen=self._seen,
                files_listed=self._listed,
            )
        )
