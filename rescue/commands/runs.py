"""What the commands that write a disk share: perform a granted plan, look at it, record it."""

from collections.abc import Mapping
from dataclasses import replace
from time import time

from rescue.apply.engine import Outcome, apply_plan
from rescue.apply.marker import store_marker
from rescue.apply.workspace import Workspace
from rescue.commands.enrolled import known_records
from rescue.commands.logbook import Logbook
from rescue.config import Config
from rescue.confirm import WriteGrant
from rescue.discover.machine import discover
from rescue.errors import AuditError, ExitCode, RescueError, in_words
from rescue.model.boot import Firmware
from rescue.model.event import Event
from rescue.model.finding import Finding, Severity
from rescue.model.machine import Machine
from rescue.model.plan import Plan, PlanKind
from rescue.model.record import MirrorRecord, MirrorState
from rescue.model.secret import Secret
from rescue.model.since import behind_after
from rescue.plan.recognise import attached_mirror
from rescue.recovery import recovery_page
from rescue.state import note_record, save_record
from rescue.system import journal
from rescue.ui.findings import finding_lines, finding_words
from rescue.ui.screen import Screen, summary_lines
from rescue.verify.audit import audit

_MEND = "'rescue mirror' makes anew what the boot reads; 'rescue audit' shows the whole chain"
_WRITTEN = {
    PlanKind.PREPARE: "mirror",
    PlanKind.MIRROR: "mirror",
    PlanKind.FAILBACK: "new disk",
}
_AFTER_AUDIT = {
    PlanKind.PREPARE: _MEND,
    PlanKind.MIRROR: _MEND,
    PlanKind.FAILBACK: "mend the cause here, and run 'rescue failback' again with --erase",
}


def perform(plan: Plan, leave: WriteGrant, screen: Screen) -> Outcome:
    """Apply the plan. Where that fails, the records say so before the error goes on.

    From the first step on the records say that the mirror is not whole: after a power cut nobody
    is left to say it. A mirror that was refused before is what it was, and so is its marker.
    """
    begun = False

    def emit(event: Event) -> None:
        nonlocal begun
        if not begun:
            begun = True
            _note_begun(plan)
        screen.emit(event)

    try:
        return apply_plan(plan, leave, emit=emit)
    except BaseException as error:
        said = in_words(error)
        if begun:
            _settle(plan.record, leave, state=MirrorState.FAILED, error=said)
        elif plan.kind is PlanKind.MIRROR:
            note_record(replace(plan.record, last_error=said))
        raise
    finally:
        screen.close()


def with_warnings(
    outcome: Outcome, warned: tuple[str, ...], *, notes: tuple[str, ...] = ()
) -> Outcome:
    """Return the outcome with what went wrong in hooks that stopped nothing, and earlier notes."""
    done = outcome.summary
    return replace(outcome, summary=replace(done, hooks_failed=warned, notes=notes + done.notes))


def _note_begun(plan: Plan) -> None:
    """Write into the source's records that the plan's disk is being written now.

    Other mirrors that lay on this disk are no more.
    """
    if plan.kind is not PlanKind.FAILBACK:
        note_record(replace(plan.record, state=MirrorState.RUNNING))
    for other in known_records():
        on_this = bool(plan.target_table) and other.mirror.table_uuid == plan.target_table
        if on_this and other.name != plan.record.name:
            said = f"its disk was written anew, as '{plan.record.name}'"
            note_record(replace(other, state=MirrorState.FAILED, last_error=said))


def look(machine: Machine, record: MirrorRecord) -> tuple[Finding, ...]:
    """Mount the mirror read-only and follow its boot chain. Raises RescueError if it is gone."""
    disk = attached_mirror(machine, record)
    if disk is None:
        raise RescueError(
            f"mirror '{record.name}' ({record.mirror.id.name}) is not attached",
            hint="attach it, and look with 'rescue disks'",
        )
    with Workspace.read_only(record, disk.path) as workspace:
        boot = machine.boot
        asked_for = boot.removable if boot.firmware is Firmware.UEFI else ""
        return audit(tree=workspace.tree(), disk=disk, record=record, asked_for=asked_for)


def finish(
    plan: Plan,
    outcome: Outcome,
    leave: WriteGrant,
    screen: Screen,
    *,
    settings: Config,
    book: Logbook,
) -> ExitCode:
    """Audit what was written; only then is the mirror complete, one generation further.

    Returns DONE or DEGRADED. Raises AuditError that names the first broken link.
    """
    machine = expect_to_boot(outcome, leave, screen)
    complete = replace(
        with_secret(outcome.record, screen),
        generation=plan.record.generation + 1,
        last_complete=time(),
        last_run=outcome.summary,
        last_checksum=(
            outcome.summary.started if outcome.summary.checksum else outcome.record.last_checksum
        ),
        suspects=(
            outcome.summary.unaccepted if outcome.summary.checksum else outcome.record.suspects
        ),
        behind=behind_after(plan.record, _not_seen(plan, outcome), now=time()),
    )
    page = recovery_page(machine, complete, others=known_records(settings))
    papers = page.papers() | book.papers(complete)
    _settle(complete, leave, state=MirrorState.COMPLETE, error="", papers=papers)
    return tell_end(
        outcome,
        f"mirror '{complete.name}' is complete: generation {complete.generation}, audit passed",
        screen,
        generation=complete.generation,
    )


def with_secret(record: MirrorRecord, screen: Screen) -> MirrorRecord:
    """Return the record with a secret; one that an older rescue wrote gets its own, which is said.

    By a run that came to its end, onto the disk that was known by everything else.
    """
    if record.secret.is_drawn:
        return record
    screen.show(f"note: mirror '{record.name}' has a secret of its own from now on, to be known by")
    return replace(record, secret=Secret.draw())


def _not_seen(plan: Plan, outcome: Outcome) -> tuple[str, ...]:
    """Return what the run could not read, has postponed, or left out, as paths on the tree."""
    points = (pair.mount_point for pair in plan.record.filesystems)
    left_out = (point for point in points if point not in plan.copied)
    return (*outcome.summary.unreadable, *outcome.summary.postponed, *left_out)


def expect_to_boot(outcome: Outcome, leave: WriteGrant, screen: Screen) -> Machine:
    """Audit what was written, on the machine as it is after that, which is returned.

    Raises AuditError that names the first broken link.
    """
    try:
        machine = discover()
        findings = look(machine, outcome.record)
        broken = [finding for finding in findings if finding.severity is Severity.ERROR]
    except BaseException as error:
        _settle(outcome.record, leave, state=MirrorState.FAILED, error=str(error))
        raise
    for line in finding_lines(findings, only_problems=True):
        screen.show(line)
    if broken:
        said = finding_words(broken[0])
        distrusted = outcome.record.with_boot_files_anew()
        _settle(distrusted, leave, state=MirrorState.FAILED, error=f"audit: {said}")
        raise AuditError(
            f"the {_WRITTEN[leave.plan.kind]} would not boot: {said}",
            hint=_AFTER_AUDIT[leave.plan.kind],
        )
    return machine


def tell_end(outcome: Outcome, done: str, screen: Screen, *, generation: int) -> ExitCode:
    """Show the figures of a run that came to its end. Returns DONE or DEGRADED."""
    for figure in summary_lines(outcome.summary):
        screen.show(figure)
    code = ExitCode.DEGRADED if outcome.summary.is_degraded else ExitCode.DONE
    if code is ExitCode.DEGRADED:
        done = f"DEGRADED, not all of it is what it should be: {done}"
    screen.show(done)
    journal.report_success(done, code=code, mirror=outcome.record.name, generation=generation)
    return code


def _settle(
    record: MirrorRecord,
    leave: WriteGrant,
    *,
    state: MirrorState,
    error: str,
    papers: Mapping[str, bytes] | None = None,
) -> None:
    """Write what is true now on both disks: the written one first, then what the source knows.

    A mirror that cannot be written any more keeps its RUNNING marker, which says the same: it is
    not complete. The source's record is written in every case (where it cannot be, the error that
    led here is the one to tell), but for a disk that shall become the source: it is no mirror that
    this system knows. Of a new generation the source knows first: a mirror that is ahead of its
    record would be refused from then on.
    """
    settled = replace(record, state=state, last_error=error)
    if state is MirrorState.COMPLETE:
        _note_generation(settled, leave, papers=papers)
    try:
        store_marker(settled, leave, papers=papers)
    except (RescueError, OSError):
        if state is MirrorState.COMPLETE:
            note_record(replace(settled, state=MirrorState.FAILED, last_error="marker not written"))
            raise
    if leave.plan.kind is PlanKind.FAILBACK:
        return
    if state is MirrorState.COMPLETE:
        save_record(settled)
    else:
        note_record(settled)


def _note_generation(
    complete: MirrorRecord, leave: WriteGrant, *, papers: Mapping[str, bytes] | None
) -> None:
    """Write the new generation into the source's record, not as complete yet.

    Raises RescueError where the source cannot be written: the mirror is whole then, and says so
    under the generation that the source knows.
    """
    try:
        # A secret that is new is on the mirror first: one that only the source knew would lock it.
        known_before = leave.plan.record.secret
        save_record(replace(complete, state=MirrorState.RUNNING, secret=known_before))
    except OSError as error:
        known = replace(complete, generation=leave.plan.record.generation)
        store_marker(known, leave, papers=papers)
        raise RescueError(
            f"mirror '{complete.name}' is complete and passed its audit, and the system cannot "
            f"note it: {error}",
            hint="the first disk is full or read-only ('dmesg', 'df'): mend it, or start from the "
            f"mirror; then 'rescue mirror {complete.name}'",
        ) from error
