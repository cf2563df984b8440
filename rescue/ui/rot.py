"""Rotten files, listed for people."""

import time
from collections.abc import Sequence
from typing import assert_never

from rescue.model.mirror.record import RunSummary
from rescue.model.run.rot import Suspect, Verdict
from rescue.model.run.status import RunTroubles


def suspect_line(each: Suspect) -> str:
    """Return the sentence on one file: which side changed, and what was done about it."""
    if each.accepted:
        return f"{each.path}: the source's content was accepted, and is on the mirror"
    match each.verdict:
        case Verdict.MIRROR if not each.taken:
            return f"{each.path} has rotted on the MIRROR, and was not rewritten"
        case Verdict.MIRROR:
            return f"{each.path} had rotted on the MIRROR, and was rewritten"
        case Verdict.SOURCE:
            return (
                f"{each.path} has changed on the SOURCE, and its time has not{_how(each)}; {_KEPT}"
            )
        case Verdict.BOTH:
            return (
                f"{each.path} has changed on BOTH sides, and its time has not{_how(each)}; {_KEPT}"
            )
        case Verdict.UNKNOWN:
            return (
                f"{each.path} differs, and no digest of it is on record: either side may be "
                f"wrong; {_KEPT}"
            )
        case Verdict.UNREADABLE:
            return f"{each.path} cannot be read completely on the SOURCE; {_KEPT}"
        case _:
            assert_never(each.verdict)


_KEPT = "the mirror keeps what it has"


def suspect_counts(suspects: Sequence[Suspect]) -> list[str]:
    """Return a sentence for each side that is in doubt, for the status."""
    lines = []
    for verdict, what in (
        (Verdict.MIRROR, "rotted on the mirror and rewritten: check its disk"),
        (Verdict.SOURCE, "changed on the source with an unchanged time, and held back"),
        (Verdict.BOTH, "changed on both sides with an unchanged time, and held back"),
        (Verdict.UNKNOWN, "different with the same time, and held back"),
        (Verdict.UNREADABLE, "not readable on the source"),
    ):
        paths = [each.path for each in suspects if each.verdict is verdict]
        if paths:
            more = f", {paths[0]} and others" if len(paths) > 1 else f", {paths[0]}"
            lines.append(f"{len(paths)} {'files' if len(paths) > 1 else 'file'} {what}{more}")
    return lines


def suspect_hints(suspects: Sequence[Suspect]) -> list[str]:
    """Return what to do next, if anything needs a person's decision."""
    waiting = [each for each in suspects if not each.taken]
    if not waiting:
        return []
    return [
        "hint: if the source's file is the right one: 'rescue mirror --accept-content PATH'. "
        "Otherwise bring the mirror's back: mount its partition read-only, and 'cp "
        "--preserve=all'"
    ]


def trouble_lines(troubles: RunTroubles) -> list[str]:
    """Return what was not as it should be in a run that came to its end."""
    lines = [*troubles.hooks_failed, *failing_source_lines(troubles)]
    if troubles.unreadable:
        first, more = troubles.unreadable[0], len(troubles.unreadable) - 1
        lines.append(f"the last run could not read {first}" + (f" and {more} more" if more else ""))
    return [*lines, *suspect_counts(troubles.suspects)]


def failing_source_lines(run: RunSummary | RunTroubles) -> list[str]:
    """Return lines saying that a failing source disk degraded the run, and why."""
    if not run.failing_source:
        return []
    why = "; ".join(run.failing_source)
    kept = [f"{path} stays as it was on the mirror" for path in run.kept]
    return [
        f"DEGRADED: the source's disk is failing ({why}): nothing was deleted "
        "on the mirror, and what cannot be read stays as it was. Replace that disk",
        *kept,
    ]


def _how(each: Suspect) -> str:
    if not each.touched:
        return " (no program wrote to it: suspect its disk, a cable or the memory)"
    when = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(each.touched))
    return f" (something wrote to it at {when} and set the time back)"
