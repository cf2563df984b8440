"""rsync's complaints on standard error, sorted by whose fault they are."""

import re
from dataclasses import dataclass
from pathlib import Path

from rescue.system.process.pipes import is_note


@dataclass(frozen=True, kw_only=True)
class Complaints:
    """rsync's messages on standard error, sorted by cause.

    `unreadable` are paths of the source that could not be read (or changed each time they were
    read); `unwritable` are lines about the mirror; `full` is true where the mirror had no room
    (errno ENOSPC or EDQUOT). `failing` is true where the kernel could not read the source's
    disk or found it inconsistent; `kept` are folders of the mirror that must not be deleted
    although the source has something else in their place.
    """

    vanished: tuple[str, ...] = ()
    unreadable: tuple[str, ...] = ()
    unwritable: tuple[str, ...] = ()
    full: bool = False
    failing: bool = False
    kept: tuple[str, ...] = ()


_VANISHED = re.compile(r'^(?:file|directory) has vanished: "(.*)"')
_PATH = re.compile(r'"(.*)"')
_OF_NO_ROOM = re.compile(r"^rsync: .*\((?:28|122)\)$")
# EIO, ENODATA (a sector that is gone), EBADMSG and EUCLEAN (a checksum of the file system is
# wrong), EREMOTEIO.
_OF_THE_DISK = re.compile(r"\((?:5|61|74|117|121)\)$")
# ENOENT, ENOTDIR, ENAMETOOLONG, ELOOP.
_OF_THE_WAY = re.compile(r"\((?:2|20|36|40)\)$")
_KEPT = re.compile(r"could not make way for new [a-z ]+: (.*)")


def is_of_the_way(line: str) -> bool:
    """Whether a line on standard error is about the parent folders of a name.

    A folder among them was moved, deleted or replaced by a link while rsync worked, or the path
    is too long to be passed: that is not a disk's fault, and any user who may write there can
    cause it.
    """
    return bool(_OF_THE_WAY.search(line))


def parse_complaints(stderr: str, *, source: Path, shown_as: str) -> Complaints:
    """Given rsync's standard error, return what it complains about.

    Paths below `source`, where the run sees it, are named as below `shown_as`, where people do.
    """
    vanished, unreadable, unwritable, kept = [], [], [], []
    full = failing = False

    def named(path: str) -> str:
        inside = path.removeprefix(str(source)).lstrip("/")
        return f"{shown_as.rstrip('/')}/{inside}" if path.startswith(str(source)) else path

    # Not splitlines: a name can hold what is the end of a line there, and a complaint behind it.
    for line in stderr.split("\n"):
        path = _PATH.search(line)
        if found := _VANISHED.match(line):
            vanished.append(named(found[1]))
        elif _OF_NO_ROOM.search(line):
            full = True
            unwritable.append(line)
        elif line.startswith("rsync: [sender]") or "failed verification" in line:
            unreadable.append(named(path[1]) if path else line.partition("] ")[2] or line)
            failing = failing or bool(_OF_THE_DISK.search(line))
        elif found := _KEPT.fullmatch(line):
            kept.append(f"{shown_as.rstrip('/')}/{found[1]}")
        elif line.startswith("rsync: ["):
            unwritable.append(line)
        elif is_note(line):
            unreadable.append(f"more than can be listed ({line})")
    return Complaints(
        vanished=tuple(vanished),
        unreadable=tuple(dict.fromkeys(unreadable)),
        unwritable=tuple(unwritable),
        full=full,
        failing=failing,
        kept=tuple(kept),
    )
