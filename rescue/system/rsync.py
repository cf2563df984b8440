"""The door to rsync: its commands, what it prints, and what its exit codes mean (man 1 rsync)."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

from rescue.model.filesystem import FsKind
from rescue.model.owners import Numbers, Owners
from rescue.model.unread import Unread
from rescue.system.pipes import is_note
from rescue.system.rsyncfiles import with_rules_in_a_file
from rescue.system.run import CommandError, Result, run, stream

POLITE = ("nice", "-n", "19", "ionice", "-c", "3")
# -1: times are compared to the nanosecond; rsync's habit is whole seconds, in which a file can
# change twice. Both sides are of one kind, so both keep them.
_ALL_OF_IT = ("-aHAXS", "--numeric-ids", "--modify-window=-1")
# No owners, rights, links or attributes on vfat, and times of two seconds.
_VFAT = ("-rt", "--modify-window=1", "--omit-dir-times")
_OUT = "%i|%l|%n"


@dataclass(frozen=True, kw_only=True)
class SyncJob:
    """One file system onto its twin, both mounted flat.

    `keep` are rsync patterns, anchored with '/': the mirror's own, neither sent nor deleted; of
    '/folder/**' it is the files below.
    `unread` is what of the source cannot be seen: neither sent nor deleted, either.
    `late` and `encrypted` are literal paths below which nothing is deleted: by their own step, and
    while nobody knows whether their names are what they are. `paths` are literal too, None for
    everything. `bandwidth_kib` is KiB a second, 0: no limit. Without `deletions` the target keeps
    what the source does not have. A `tight` one deletes before it copies, and each file takes its
    place as soon as it is copied: the target holds no more than the source and one file. `partial`
    is what the folders are called in which new content waits for the end ('': it takes its place
    at once); nothing of that name is ever sent.
    """

    source: Path
    target: Path
    kind: FsKind
    keep: tuple[str, ...] = ()
    unread: tuple[Unread, ...] = ()
    late: tuple[str, ...] = ()
    encrypted: tuple[str, ...] = ()
    paths: tuple[str, ...] | None = None
    checksum: bool = False
    first: bool = False
    bandwidth_kib: int = 0
    deletions: bool = True
    tight: bool = False
    partial: str = ""


_WALKS_BY_ITSELF = (3, 5)


def carry_out(argv: Sequence[str], *, on_line: Callable[[str], None]) -> Result:
    """Run one of the door's commands, handing on each line; return however it ended.

    Raises CommandError (127) where rsync is missing.
    """
    with with_rules_in_a_file(leaving_links_to_the_kernel(argv, version())) as (words, rules):
        return stream(words, on_line=on_line, source=rules)


def version() -> tuple[int, int]:
    """Return the version of the installed rsync, (0, 0) where it does not say."""
    try:
        said = re.search(r"version v?(\d+)\.(\d+)", run(["rsync", "--version"]).stdout)
    except CommandError:
        said = None
    return (int(said[1]), int(said[2])) if said else (0, 0)


def leaving_links_to_the_kernel(argv: Sequence[str], version: tuple[int, int]) -> list[str]:
    """Return a command of rsync that resolves no path by itself.

    From 3.5 on it reads links and follows those that stay in the tree it works in, past what the
    kernel refuses (`mountns.SAFE`): somebody's folder that becomes a link leads to somebody else's.
    The option's name is of mounts that follow links.
    """
    if version < _WALKS_BY_ITSELF:
        return list(argv)
    place = list(argv).index("rsync") + 1
    return [*argv[:place], "--insecure-links", *argv[place:]]


def sync_argv(job: SyncJob) -> list[str]:
    """Return the command that makes the target equal to the source.

    On an existing mirror, new content is renamed into place and deletions are done at the very
    end, so that the mirror is half old and half new for seconds only.
    """
    waiting = ["--delay-updates", f"--partial-dir={job.partial}"] if job.partial else []
    late_moves = [] if job.first else [*deleting(job), *([] if job.tight else waiting)]
    slowly = [f"--bwlimit={job.bandwidth_kib}"] if job.bandwidth_kib else []
    return [*POLITE, "rsync", *how(job), *late_moves, *slowly, "--info=progress2", *what(job)]


def estimate_argv(job: SyncJob) -> list[str]:
    """Return the command that says what sync_argv would do, and writes nothing."""
    return [*POLITE, "rsync", *how(job), "--dry-run", *deleting(job), *what(job)]


@dataclass(frozen=True, kw_only=True)
class ReturnJob:
    """Named files from a dead disk's file system onto its twin that is in use.

    `names` is a file of paths relative to both roots, each ended by a zero byte; `fresh` is the
    folder in which new content grows before it is renamed, and `aside` the one for what is
    replaced (None: it goes), both on the target's file system. `owners` is what becomes of user and
    group numbers.
    """

    source: Path
    target: Path
    names: Path
    fresh: Path
    aside: Path | None = None
    owners: Owners = field(default_factory=Owners)


# Other rules for attributes take the place of rsync's own, which leaves out 'system.*'.
_WITHOUT_RIGHTS = (
    "--chmod=Fu-s,Fg-s",
    "--filter=-x system.*",
    "--filter=-x security.capability",
)


def return_argv(job: ReturnJob) -> list[str]:
    """Return the command that brings the named files back: no deletions, nothing newer replaced.

    Names on the way to a file are not sent: folders that are here keep what they have. A file
    that is cut grows under another name in `fresh`, never under its own with a newer time. No
    program comes back with rights (set-user-ID, set-group-ID, file capabilities): what the system
    has of them is not among what returns, and a disk or an image may be anybody's.
    """
    aside = ["--backup", f"--backup-dir={job.aside}"] if job.aside else []
    return [
        "rsync",
        *_ALL_OF_IT,
        "--update",
        # Each was looked at: what has the same size and time has another content.
        "--ignore-times",
        "--no-implied-dirs",
        *_WITHOUT_RIGHTS,
        f"--files-from={job.names}",
        "--from0",
        f"--temp-dir={job.fresh}",
        *aside,
        *_mapped("--usermap", job.owners.users),
        *_mapped("--groupmap", job.owners.groups),
        "--8-bit-output",
        "--no-human-readable",
        "--outbuf=Line",
        "--info=progress2",
        "--stats",
        f"--out-format={_OUT}",
        f"{job.source}/",
        f"{job.target}/",
    ]


def _mapped(option: str, numbers: Numbers) -> list[str]:
    """Return the option that gives files of these numbers to others; ACLs follow it, too."""
    pairs = ",".join(f"{there}:{here}" for there, here in numbers.given)
    return [f"{option}={pairs}"] if pairs else []


def escape(path: str) -> str:
    """Return a literal path as a pattern of rsync that has wildcards elsewhere."""
    return re.sub(r"([\\*?\[])", r"\\\1", path)


def _hidden(unread: Unread) -> str:
    """Return the pattern of what cannot be seen; a folder itself is known, what is in it is not."""
    if unread.is_folder:
        return f"{escape(unread.path.rstrip('/'))}/*"
    return _literal(unread.path)


def _literal(path: str) -> str:
    """Return the pattern of one path: without a wildcard in it, it is taken as it is."""
    return escape(path) if re.search(r"[*?[]", path) else path


def deleting(job: SyncJob) -> list[str]:
    """Return the option that deletes what the source does not have, where the job may.

    Never with --ignore-errors: after an error of reading rsync itself deletes nothing any more.
    """
    if not job.deletions:
        return []
    return ["--delete-before"] if job.tight else ["--delete-delay"]


def how(job: SyncJob, *, out: str = _OUT) -> list[str]:
    """Return the options by which every command compares and copies; `out` is each file's line."""
    return [
        *(_VFAT if job.kind is FsKind.VFAT else _ALL_OF_IT),
        "--one-file-system",
        "--open-noatime",
        *(["--checksum"] if job.checksum else []),
        "--8-bit-output",
        "--no-human-readable",
        "--outbuf=Line",
        "--stats",
        f"--out-format={out}",
    ]


def what(job: SyncJob) -> list[str]:
    """Return filters and operands. The first rule that matches counts: keep before late."""
    # rsync's own rule for them is of folders alone: a link of that name would be sent.
    rules = [f"-p {job.partial}"] if job.partial else []
    rules += [f"- {_hidden(each)}" for each in job.unread]
    rules += [rule for pattern in job.keep for rule in _kept(pattern)]
    for path in (*job.late, *job.encrypted):
        rules += [f"P {_literal(path)}"] if path != "/" else []
        rules += [f"P {escape(path.rstrip('/'))}/**"]
    filters = [f"--filter={rule}" for rule in rules]
    if job.paths is None:
        return [*filters, f"{job.source}/", f"{job.target}/"]
    # '/./' is where the path on the receiving side begins.
    named = [f"{job.source}/./{path.strip('/')}" for path in job.paths]
    missing = ["--delete-missing-args"] if job.deletions else ["--ignore-missing-args"]
    return [*filters, "--relative", *missing, *named, f"{job.target}/"]


def _kept(pattern: str) -> list[str]:
    """Return the rules that leave a pattern alone; of '/folder/**' the folders come along."""
    return [*([f"+ {pattern}/"] if pattern.endswith("/**") else []), f"- {pattern}"]


class Ending(Enum):
    """What an exit code of rsync means for the mirror."""

    DONE = "done"
    VANISHED = "vanished"
    PARTIAL = "partial"
    FAILED = "failed"


_MEANINGS = {
    0: (Ending.DONE, "success"),
    1: (Ending.FAILED, "it does not know an option that rescue uses"),
    2: (Ending.FAILED, "its two halves are of different versions"),
    3: (Ending.FAILED, "source or mirror could not be opened"),
    4: (Ending.FAILED, "it was built without something that is needed (ACLs, attributes)"),
    5: (Ending.FAILED, "its second process did not start"),
    10: (Ending.FAILED, "error in a connection"),
    11: (Ending.FAILED, "a file could not be written: the mirror is full or has errors"),
    12: (Ending.FAILED, "its processes lost each other"),
    13: (Ending.FAILED, "its messages could not be read"),
    14: (Ending.FAILED, "its processes could not talk to each other"),
    20: (Ending.FAILED, "it was ended by a signal"),
    21: (Ending.FAILED, "one of its processes was lost"),
    22: (Ending.FAILED, "not enough memory"),
    23: (Ending.PARTIAL, "some files were not transferred"),
    24: (Ending.VANISHED, "some files vanished before they were read"),
    25: (Ending.FAILED, "it stopped at the limit of deletions"),
    30: (Ending.FAILED, "nothing moved for too long"),
    35: (Ending.FAILED, "the connection was not answered"),
    127: (Ending.FAILED, "rsync is not installed"),
}


def meaning(code: int) -> tuple[Ending, str]:
    """Given an exit code (negative where a signal ended it), return what it means, in words."""
    if code < 0:
        return Ending.FAILED, f"it was ended by signal {-code}"
    return _MEANINGS.get(code, (Ending.FAILED, f"exit code {code}, which its manual does not list"))


@dataclass(frozen=True, kw_only=True)
class Complaints:
    """What rsync said on standard error, sorted by whose fault it is.

    `unreadable` are paths of the source that could not be read (or changed while they were
    read, each time); `unwritable` are lines about the mirror; `full` is true where the mirror
    had no room (errno ENOSPC or EDQUOT). `failing` is true where the kernel could not read the
    source's disk or found it inconsistent; `kept` are folders of the mirror in whose place the
    source has something else, and which may not be deleted.
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
    """Whether a line on standard error is about what lies on the way to a name.

    A folder on it was moved, deleted or swapped for a link while rsync worked, or it is too long to
    be said: no fault of a disk, and of whoever may write there.
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
    """Where rsync says it stands (--info=progress2).

    `share` is of the bytes (0 to 1), `rate` is in its own words; `files_listed` are the entries
    that it has found so far, `files_seen` those of them that it is done with.
    """

    bytes_done: int
    share: float
    rate: str
    files_seen: int = 0
    files_listed: int = 0


class Listener:
    """Reads rsync's output line by line: counts, and hands on how far it is."""

    def __init__(self, on_progress: Callable[[Advance], None]) -> None:
        """Take what is called with where rsync stands."""
        self.tally = Tally()
        self._seen = self._listed = 0
        self._on_progress = on_progress

    def line(self, text: str) -> None:
        """Take one line of output."""
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
