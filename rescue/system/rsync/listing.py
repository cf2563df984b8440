"""The listing of what rsync would do, file by file (man 1 rsync, --dry-run, --itemize-changes)."""

import re
from dataclasses import dataclass

from rescue.system.process.run import Result
from rescue.system.rsync.rsync import SyncJob, carry_out, estimate_argv
from rescue.system.rsync.sums import unescape

_SENT = re.compile(r">f([.+cstpoguax ]{9})\|\d+\|(.+)", re.DOTALL)
_DELETED = re.compile(r"\*deleting +\|\d+\|(.+)", re.DOTALL)


@dataclass(frozen=True, kw_only=True)
class Sent:
    """A regular file whose content would be sent; `path` is relative, `there` if it replaces one.

    Additional hard links to another file are not included.
    """

    path: str
    there: bool


@dataclass(frozen=True, kw_only=True)
class Outlook:
    """What would be sent, and the paths that would be deleted: files, links and folders."""

    sent: tuple[Sent, ...]
    deleted: tuple[str, ...]
    result: Result


def parse_sent(line: str) -> Sent | None:
    """Given a line of output, return the file reported as sent, or None for anything else."""
    found = _SENT.fullmatch(line)
    return Sent(path=unescape(found[2]), there="+" not in found[1]) if found else None


def parse_deleted(line: str) -> str | None:
    """Given a line of output, return the path reported as deleted, or None for anything else."""
    found = _DELETED.fullmatch(line)
    return unescape(found[1]).rstrip("/") if found else None


def outlook(job: SyncJob) -> Outlook:
    """Ask rsync what a job would do, without writing. The caller judges the result."""
    lines: list[str] = []
    result = carry_out(estimate_argv(job), on_line=lines.append)
    sent = [parse_sent(line) for line in lines]
    deleted = [parse_deleted(line) for line in lines]
    return Outlook(
        sent=tuple(each for each in sent if each is not None),
        deleted=tuple(each for each in deleted if each is not None),
        result=result,
    )
