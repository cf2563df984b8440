"""The decision which side of a mirrored file has rotted, and what to do about it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import PurePosixPath

from rescue.errors import ExitCode
from rescue.model.finding import Refusal
from rescue.model.mirror.plan import Plan
from rescue.model.mirror.step import Step, SyncTree, TakeContent
from rescue.model.run.rot import Doubt, Rewritten, Suspect, Verdict
from rescue.model.storage.mount import holder_of
from rescue.plan.checks.failing_source import without_deletions
from rescue.plan.steps.exclude import relative

MOST_SUSPECTS = 10_000
MOST_TOLD = 1_000
"""Of a comparison with more findings, this many are named in record and summary."""


def verdict(source: bytes | None, mirror: bytes | None, known: bytes | None) -> Verdict | None:
    """Given both sides' current digests and the recorded one, return which side changed.

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
    """Return the verdict on each file, and what happens to it.

    Rot on the mirror is repaired; anything else waits for a person's decision, and the mirror
    keeps what it has. `accepted` are the paths that a person named.
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
    """Return a run's plan after every content was compared.

    Files to be copied although size and time are equal get a step of their own before the
    others: no other step compares contents any more, so that what is not copied stays. Where
    the source cannot be read, nothing is deleted either.
    """
    points = tuple(pair.mount_point for pair in plan.record.filesystems)
    taken: dict[str, list[str]] = {}
    for each in suspects:
        if each.taken:
            point = holder_of(each.path, points)
            taken.setdefault(point, []).append(relative(each.path, point))
    mended = _taking(plan, taken)
    after = replace(plan, steps=mended + _by_size_and_time(plan), compared=True, suspects=suspects)
    unreadable = sum(each.verdict is Verdict.UNREADABLE for each in suspects)
    said = (f"{unreadable} of its files cannot be read completely",) if unreadable else ()
    return without_deletions(after, said)


def with_rewritten(plan: Plan, found: Rewritten) -> Plan:
    """Return the plan that also copies what a program rewrote without changing size or time.

    Before the others: they give the folders their times again.
    """
    return replace(plan, steps=(*_taking(plan, found.files), *plan.steps), rewritten=found)


def _by_size_and_time(plan: Plan) -> tuple[Step, ...]:
    """Return the steps of which none looks at contents any more."""
    return tuple(
        replace(step, checksum=False) if isinstance(step, SyncTree) else step for step in plan.steps
    )


def _taking(plan: Plan, files: Mapping[str, Sequence[str]]) -> tuple[TakeContent, ...]:
    return tuple(
        TakeContent(
            mount_point=step.mount_point,
            paths=tuple(files[step.mount_point]),
            bandwidth_kib=step.bandwidth_kib,
        )
        for step in plan.steps
        if isinstance(step, SyncTree) and files.get(step.mount_point)
    )


def refused_comparison(plan: Plan, suspects: tuple[Suspect, ...], reason: str) -> Plan:
    """Return a run's plan after a comparison with implausibly many findings.

    None of the findings is copied, and nothing is deleted: only ordinary changes are carried.
    The first suspects stand for all of them.
    """
    held = tuple(replace(each, taken=False) for each in suspects[:MOST_TOLD])
    after = replace(plan, steps=_by_size_and_time(plan), compared=True, suspects=held)
    return without_deletions(after, (reason,))


def check_suspects(suspects: tuple[Suspect, ...], *, most: int = MOST_SUSPECTS) -> Refusal | None:
    """Refuse a run where so many files differ only in content that a disk must be failing."""
    waiting = sum(not each.accepted for each in suspects)
    if waiting <= most:
        return None
    return Refusal(
        code=ExitCode.BRAKE,
        reason=f"{waiting:,} files differ from the mirror's in content, with the "
        "same size and time: a disk, a cable or the memory is failing",
        hint="check both disks ('smartctl --all', 'dmesg') before anything is written; accept "
        "what somebody really changed with --accept-content PATH",
    )
