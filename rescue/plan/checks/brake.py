"""The brake: a run that would delete or change most of the mirror waits for confirmation."""

from rescue.errors import ExitCode
from rescue.model.finding import Refusal


def check_brake(
    *, files_total: int, changes: int, deletions: int, share: float = 0.25, count: int = 10_000
) -> Refusal | None:
    """Return a refusal if a run would change more than it may on its own.

    `files_total` are the files on the source. Changes and deletions together must exceed both
    the share (0 to 1) and the count: a small system may change by half on a day of upgrades,
    and a large one by 10,000 files.
    """
    touched = changes + deletions
    if touched <= count or touched <= share * files_total:
        return None
    part = f"{touched / files_total:.0%} of " if files_total else ""
    return Refusal(
        code=ExitCode.BRAKE,
        reason=f"this run would change {changes:,} files and delete {deletions:,} on the mirror: "
        f"{part}the source's {files_total:,} files (the brake: {share:.0%} and {count:,})",
        hint="check the source first: is everything there, or has something encrypted it? If the "
        "changes are intended, run again with --accept-changes",
    )
