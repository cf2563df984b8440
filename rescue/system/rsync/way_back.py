"""rsync's command that brings named files back from a dead disk (man 1 rsync)."""

from dataclasses import dataclass, field
from pathlib import Path

from rescue.model.restore.owners import Numbers, Owners
from rescue.system.rsync.rsync import ALL_OF_IT, OUT


@dataclass(frozen=True, kw_only=True)
class ReturnJob:
    """Named files from a dead disk's file system onto its counterpart that is in use.

    `names` is a file of paths relative to both roots, each ended by a zero byte; `fresh` is the
    folder in which new content grows before it is renamed, and `aside` the one for what is
    replaced (None: it is deleted), both on the target's file system. `owners` is the mapping of
    user and group numbers.
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
    """Return the command that brings back named files, without deleting or replacing newer ones.

    Parent folders of a file are not sent: folders that are here keep what they have. An
    interrupted file grows under another name in `fresh`, never under its own with a newer time.
    No program comes back with privileges (set-user-ID, set-group-ID, file capabilities): the
    system's own programs are not among what returns, and a disk or an image may be anybody's.
    """
    aside = ["--backup", f"--backup-dir={job.aside}"] if job.aside else []
    return [
        "rsync",
        *ALL_OF_IT,
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
        f"--out-format={OUT}",
        f"{job.source}/",
        f"{job.target}/",
    ]


def _mapped(option: str, numbers: Numbers) -> list[str]:
    """Return the option that gives files of these numbers to others; ACLs follow it, too."""
    pairs = ",".join(f"{there}:{here}" for there, here in numbers.given)
    return [f"{option}={pairs}"] if pairs else []
