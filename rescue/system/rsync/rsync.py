"""The door to rsync: what makes one file system equal to another, as a command, and its start."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from rescue.model.mirror.unread import Unread
from rescue.model.storage.filesystem import FsKind
from rescue.system.process.run import CommandError, Result, run, stream
from rescue.system.rsync.rule_files import with_rules_in_a_file

POLITE = ("nice", "-n", "19", "ionice", "-c", "3")
# -1: times are compared to the nanosecond; rsync's habit is whole seconds, in which a file can
# change twice. Both sides are of one kind, so both keep them.
ALL_OF_IT = ("-aHAXS", "--numeric-ids", "--modify-window=-1")
# No owners, rights, links or attributes on vfat, and times of two seconds.
_VFAT = ("-rt", "--modify-window=1", "--omit-dir-times")
OUT = "%i|%l|%n"


@dataclass(frozen=True, kw_only=True)
class SyncJob:
    """One file system onto its counterpart, both mounted without submounts.

    `protect` are rsync patterns, anchored with '/': the mirror's own, neither sent nor deleted;
    for '/folder/**' these are the files below. `unread` is what cannot be seen of the source:
    neither sent nor deleted, either. `prune_last` and `encrypted` are literal paths below which
    nothing is deleted: the former have a step of their own, and in the latter the names may not
    be the real ones. `paths` are literal too, None for everything. `bandwidth_kib` is KiB a
    second, 0: no limit. Without `deletions` the target keeps what the source does not have. A
    `tight` one deletes before it copies, and each file takes its place as soon as it is copied:
    the target holds no more than the source and one file. `partial` is the name of the folders
    in which new content waits for the end ('': it takes its place at once); nothing of that
    name is ever sent.
    """

    source: Path
    target: Path
    kind: FsKind
    protect: tuple[str, ...] = ()
    unread: tuple[Unread, ...] = ()
    prune_last: tuple[str, ...] = ()
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
    """Run one of this module's commands, passing on each line; return however it ended.

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
    """Return an rsync command that does not resolve links itself.

    From 3.5 on it reads links and follows those that stay in the tree it works in, bypassing
    what the kernel refuses (`mountns.SAFE`): a user's folder that becomes a link could lead to
    another user's. The option is named after mounts that follow links.
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
    late_moves = [] if job.first else [*deleting(job), *([] if job.tight else waiting(job))]
    slowly = [f"--bwlimit={job.bandwidth_kib}"] if job.bandwidth_kib else []
    return [*POLITE, "rsync", *how(job), *late_moves, *slowly, "--info=progress2", *what(job)]


def estimate_argv(job: SyncJob) -> list[str]:
    """Return the command that reports what sync_argv would do, without writing."""
    return [*POLITE, "rsync", *how(job), "--dry-run", *deleting(job), *what(job)]


def escape(path: str) -> str:
    """Return a literal path as an rsync pattern, for lists that also contain wildcards."""
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


def waiting(job: SyncJob) -> list[str]:
    """Return the options by which new content waits for the end before it takes its place."""
    return ["--delay-updates", f"--partial-dir={job.partial}"] if job.partial else []


def how(job: SyncJob, *, out: str = OUT) -> list[str]:
    """Return the options by which every command compares and copies; `out` is each file's line."""
    return [
        *(_VFAT if job.kind is FsKind.VFAT else ALL_OF_IT),
        "--one-file-system",
        "--open-noatime",
        *(["--checksum"] if job.checksum else []),
        "--8-bit-output",
        "--no-human-readable",
        "--outbuf=Line",
        "--stats",
        f"--out-format={out}",
    ]


def rules(job: SyncJob) -> list[str]:
    """Return the filters. The first rule that matches counts: keep before late."""
    # rsync's own rule for them is of folders alone: a link of that name would be sent.
    found = [f"-p {job.partial}"] if job.partial else []
    found += [f"- {_hidden(each)}" for each in job.unread]
    found += [rule for pattern in job.protect for rule in _kept(pattern)]
    for path in (*job.prune_last, *job.encrypted):
        found += [f"P {_literal(path)}"] if path != "/" else []
        found += [f"P {escape(path.rstrip('/'))}/**"]
    return [f"--filter={rule}" for rule in found]


def what(job: SyncJob) -> list[str]:
    """Return filters and operands."""
    if job.paths is None:
        return [*rules(job), f"{job.source}/", f"{job.target}/"]
    # '/./' is where the path on the receiving side begins.
    named = [f"{job.source}/./{path.strip('/')}" for path in job.paths]
    missing = ["--delete-missing-args"] if job.deletions else ["--ignore-missing-args"]
    return [*rules(job), "--relative", *missing, *named, f"{job.target}/"]


def _kept(pattern: str) -> list[str]:
    """Return the rules that leave a pattern alone; of '/folder/**' the folders come along."""
    return [*([f"+ {pattern}/"] if pattern.endswith("/**") else []), f"- {pattern}"]
