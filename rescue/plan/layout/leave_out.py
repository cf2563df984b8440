"""What is left out of a mirror because it lies on other disks: named, and confirmed where the boot
waits for it."""

from collections.abc import Sequence

from rescue.errors import ExitCode
from rescue.model.finding import Refusal
from rescue.model.mirror.elsewhere import Elsewhere
from rescue.plan.layout.contents import some_of

_MANY = 5


def missing(found: Sequence[Elsewhere], agreed: Sequence[str]) -> tuple[Elsewhere, ...]:
    """Return what the boot waits for, a mirror could do without, and nobody has agreed to omit."""
    return tuple(
        each for each in found if each.waits and not each.vital and each.what not in agreed
    )


def missing_refusals(found: Sequence[Elsewhere], agreed: Sequence[str]) -> list[Refusal]:
    """Refuse to make a mirror without things that nobody agreed to omit.

    Also names anything agreed to that is on no other disk: it may be a typing error.
    """
    refusals = [_missing_refusal(each) for each in missing(found, agreed)]
    known = {each.what for each in found}
    refusals += [
        Refusal(
            code=ExitCode.USAGE,
            reason=f"'{what}' is not on another disk than the system",
            hint="--leave-out takes mount points as they are written in fstab"
            + (f": {', '.join(sorted(known))}" if known else ""),
        )
        for what in agreed
        if what not in known
    ]
    return refusals


def question(each: Elsewhere) -> str:
    """Return the question asked before a mirror is made without it."""
    there = "another disk" if each.is_there else "a disk that is not there"
    return f"{_what(each)} is on {there} ({each.where}). Leave it out of the mirror?"


def vital_refusals(found: Sequence[Elsewhere]) -> list[Refusal]:
    """Refuse where a system would not start without something on another disk."""
    return [
        Refusal(
            code=ExitCode.UNSUPPORTED,
            reason=f"{each.what} is on {each.where}, not on the disk of the root file system, and "
            "no mirror would boot without it",
            hint="so far, only systems on one disk can be mirrored; nothing was written",
        )
        for each in found
        if each.vital
    ]


def all_notes(found: Sequence[Elsewhere], agreed: Sequence[str]) -> tuple[str, ...]:
    """Note for each thing that it is left out, and what happens to its line in the mirror's fstab.

    Those that nothing waits for share one sentence: a host of containers has hundreds.
    """
    said = [each for each in found if not each.vital]
    idle = [each for each in said if each.is_there and not each.waits]
    if len(idle) <= _MANY:
        return tuple(_note(each, agreed) for each in said)
    names = some_of([_what(each) for each in idle])
    return (
        *(_note(each, agreed) for each in said if each not in idle),
        f"{len(idle)} are on other disks and not mirrored: {names}",
    )


def new_notes(found: Sequence[Elsewhere], agreed: Sequence[str]) -> tuple[str, ...]:
    """Give the same notes for what the boot waits for and nobody has agreed to omit."""
    return tuple(_note(each, agreed) for each in missing(found, agreed))


def without_waiting(found: Sequence[Elsewhere]) -> tuple[str, ...]:
    """Return what the mirror's fstab must not wait for: the mirror starts without those disks."""
    return tuple(each.what for each in found if each.waits)


def _missing_refusal(each: Elsewhere) -> Refusal:
    if not each.is_there:
        return Refusal(
            code=ExitCode.DRIFTED,
            reason=f"fstab names {each.where} for {_what(each)}, which does not exist",
            hint="attach it, correct the line in /etc/fstab, or leave it out of the mirror: "
            f"--leave-out {each.what}",
        )
    return Refusal(
        code=ExitCode.UNSUPPORTED,
        reason=f"{_what(each)} is on {each.where}, not on the disk of the system: it would be "
        "missing on the mirror",
        hint=f"to leave it out of the mirror: --leave-out {each.what}",
    )


def _note(each: Elsewhere, agreed: Sequence[str]) -> str:
    if not each.is_there:
        said = f"fstab names {each.where} for {_what(each)}, which is not present now"
    else:
        said = f"{_what(each)} is on another disk, {each.where}, and is not mirrored"
    if not each.waits:
        return said
    new = "" if each.what in agreed else " (this has not been confirmed yet)"
    return f"{said}: it is missing on the mirror, which boots without it{new}"


def _what(each: Elsewhere) -> str:
    return f"swap {each.what}" if each.swap else each.what
