"""Transitions of a mirror: from its state, by what happens, to its next state; one table.

    NEW, FAILED, COMPLETE -- begin --> RUNNING -- complete --> COMPLETE
                                       RUNNING -- fail, audit_fail --> FAILED

A mirror is complete only between the end of a successful run, audit included, and the start of the
next. So the way to COMPLETE leads through RUNNING alone, and a run that was cut stays RUNNING:
after a power cut nobody is left to write that it happened, and the next run begins from there.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from enum import StrEnum

from rescue.model.mirror.record import MirrorRecord, MirrorState, RunSummary
from rescue.model.mirror.since import behind_after


class MirrorEvent(StrEnum):
    """What can happen to a mirror.

    BEGIN comes right before the first byte is written to it. WRITTEN is the end of the steps,
    and ANNOUNCE the moment in which the source is told of the coming generation: neither makes
    it complete. CUT is an end of a run that could not be recorded. OVERWRITE means that its
    disk became another mirror; NOTE is any news that changes nothing: a refusal, a proof, a
    hook.
    """

    BEGIN = "begin"
    WRITTEN = "written"
    FAIL = "fail"
    AUDIT_FAIL = "audit_fail"
    ANNOUNCE = "announce"
    COMPLETE = "complete"
    CUT = "cut"
    OVERWRITE = "overwrite"
    NOTE = "note"


class TransitionError(AssertionError):
    """An invalid transition: the code that asked for it is at fault."""


_RUNNING = MirrorState.RUNNING
_FAILED, _COMPLETE = MirrorState.FAILED, MirrorState.COMPLETE
_UNCHANGED = {state: state for state in MirrorState}

TRANSITIONS: Mapping[MirrorEvent, Mapping[MirrorState, MirrorState]] = {
    MirrorEvent.BEGIN: dict.fromkeys(MirrorState, _RUNNING),
    MirrorEvent.WRITTEN: {_RUNNING: _RUNNING},
    MirrorEvent.FAIL: {_RUNNING: _FAILED},
    MirrorEvent.AUDIT_FAIL: {_RUNNING: _FAILED},
    MirrorEvent.ANNOUNCE: {_RUNNING: _RUNNING},
    MirrorEvent.COMPLETE: {_RUNNING: _COMPLETE},
    MirrorEvent.CUT: _UNCHANGED,
    MirrorEvent.OVERWRITE: dict.fromkeys(MirrorState, _FAILED),
    MirrorEvent.NOTE: _UNCHANGED,
}


def after(state: MirrorState, event: MirrorEvent) -> MirrorState:
    """Return the state that follows a mirror's state and an event. Raises TransitionError."""
    try:
        return TRANSITIONS[event][state]
    except KeyError as error:
        raise TransitionError(f"a mirror that is {state} cannot {event}") from error


def begun(record: MirrorRecord) -> MirrorRecord:
    """Return the record of a mirror whose writing begins now."""
    return _moved(record, MirrorEvent.BEGIN)


def written(record: MirrorRecord, found: MirrorRecord) -> MirrorRecord:
    """Return the record after the steps, with what they `found` (digests of the boot files).

    Both are of the same run; the mirror has not been audited yet.
    """
    _moved(record, MirrorEvent.WRITTEN)
    return _moved(found, MirrorEvent.WRITTEN)


def failed(record: MirrorRecord, why: str) -> MirrorRecord:
    """Return the record of a mirror whose run did not complete."""
    return replace(_moved(record, MirrorEvent.FAIL), last_error=why)


def audit_failed(record: MirrorRecord, why: str) -> MirrorRecord:
    """Return the record of a mirror that would not boot: the next run rebuilds its boot files."""
    moved = _moved(record, MirrorEvent.AUDIT_FAIL)
    return replace(moved.with_boot_files_anew(), last_error=f"audit: {why}")


def announced(record: MirrorRecord, generation: int) -> MirrorRecord:
    """Return what the source knows of a generation that is about to be complete: its number."""
    return replace(_moved(record, MirrorEvent.ANNOUNCE), generation=generation)


def completed(
    record: MirrorRecord, summary: RunSummary, *, generation: int, unseen: Iterable[str], now: float
) -> MirrorRecord:
    """Return the record of a mirror that came through its audit.

    `unseen` are the paths on the whole tree that the run could not read, has postponed, or left
    out; `now` is in seconds since the epoch.
    """
    compared = summary.checksum
    return replace(
        _moved(record, MirrorEvent.COMPLETE),
        generation=generation,
        last_complete=now,
        last_run=summary,
        last_checksum=summary.started if compared else record.last_checksum,
        suspects=summary.unaccepted if compared else record.suspects,
        last_error="",
        behind=behind_after(record, unseen, now=now),
    )


def overwritten(record: MirrorRecord, by: str) -> MirrorRecord:
    """Return the record of a mirror whose disk is now the mirror called `by`."""
    moved = _moved(record, MirrorEvent.OVERWRITE)
    return replace(moved, last_error=f"its disk was written anew, as '{by}'")


def _moved(record: MirrorRecord, event: MirrorEvent) -> MirrorRecord:
    return replace(record, state=after(record.state, event))
