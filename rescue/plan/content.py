"""Which side of a mirrored file has rotted, and what becomes of it."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import PurePosixPath

from rescue.errors import ExitCode
from rescue.model.content import Doubt, Suspect, Verdict
from rescue.model.finding import Refusal
from rescue.model.plan import Plan
from rescue.model.step import Step, SyncTree, TakeContent
from rescue.plan.distrust import without_deletions
from rescue.plan.exclude import owner, relative

MOST_SUSPECTS = 10_000


def verdict(source: bytes | None, mirror: bytes | None, known: bytes | None) -> Verdict | None:
    """Given the digests of both sides now and the recorded one, say which side changed.

    None is a side that cannot be read, and a digest that was never recorded. Returns None where
    both sides are equal after all.
    """
    if source is None:
        return Verdict.UNREADABLE
    if source == mirror:
        return None
    # A copy that cannot be read is worth nothing, whatever is known of the source.
    if source == known or (mirror is None and known is None):
        return Verdict.MIRROR
    if known is None:
        return Verdict.UNKNOWN
    return Verdict.SOURCE if mirror == known else Verdict.BOTH


def is_accepted(path: str, accepted: tuple[str, ...]) -> bool:
    """Whether a path is, or lies below, one of those that a person named."""
    return any(PurePosixPath(path).is_relative_to(each) for each in accepted)


def judge(doubts: Iterable[Doubt], *, accepted: tuple[str, ...]) -> tuple[Suspect, ...]:
    """Return what is said of each file, and what becomes of it.

    A mirror's rot is mended; anything else waits for a person's word, and the mirror keeps what it
    has. `accepted` are the paths that a person named.
    """
    return tuple(
        _suspect(each, found, accepted)
        for each in doubts
        if (found := verdict(each.source, each.mirror, each.known.digest if each.known else None))
    )


def _suspect(doubt: Doubt, found: Verdict, accepted: tuple[str, ...]) -> Suspect:
    by_word = is_accepted(doubt.path, accepted) and found is not Verdict.UNREADABLE
    was_touched = doubt.known is not None and doubt.known.ctime_ns != doubt.ctime_ns
    return Suspect(
        path=doubt.path,
        verdict=found,
        taken=found is Verdict.MIRROR or by_word,
        touched=doubt.ctime_ns / 1e9 if was_touched else 0.0,
    )


def with_comparison(plan: Plan, suspects: tuple[Suspect, ...]) -> Plan:
    """Return the plan of a run after every content was compared.

    What shall be taken though size and time are equal is a step of its own, before the others: no
    other step looks at contents any more, so that what is not taken stays. Where the source cannot
    be read, nothing is deleted either.
    """
    points = tuple(pair.mount_point for pair in plan.record.filesystems)
    taken: dict[str, list[str]] = {}
    for each in suspects:
        if each.taken:
            point = owner(each.path, points)
            taken.setdefault(point, []).append(relative(each.path, point))
    mended: tuple[Step, ...] = tuple(
        TakeContent(mount_point=step.mount_point, paths=tuple(taken[step.mount_point]))
        for step in plan.steps
        if isinstance(step, SyncTree) and step.mount_point in taken
    )
    rest = tuple(
        replace(step, checksum=False) if isinstance(step, SyncTree) else step for step in plan.steps
    )
    after = replace(plan, steps=mended + rest, compared=True, suspects=suspects)
    unreadable = sum(each.verdict is Verdict.UNREADABLE for each in suspects)
    said = (f"{unreadable} of its files cannot be read to their end",) if unreadable else ()
    return without_deletions(after, said)


def check_suspects(suspects: tuple[Suspect, ...], *, most: int = MOST_SUSPECTS) -> Refusal | None:
    """Refuse a run where so many files differ in content alone that a disk must be failing."""
    waiting = sum(not each.accepted for each in suspects)
    if waiting <= most:
        return None
    return Refusal(
        code=ExitCode.BRAKE,
        reason=f"{waiting:,} files differ from the mirror's in content, with the "
        "same size and time: a disk, a cable or the memory is failing",
        hint="look at both disks ('smartctl --all', 'dmesg') before anything is written; what a "
        "person changed is accepted with --accept-content PATH",
    )
