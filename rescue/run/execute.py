"""The execution of a granted plan: applied, verified and recorded."""

import contextlib
from dataclasses import replace
from time import time

from rescue.apply.engine import Outcome, apply_plan
from rescue.apply.workspace import Workspace
from rescue.discover.machine import discover
from rescue.errors import AuditError, ExitCode, RescueError
from rescue.grants import WriteGrant
from rescue.mirrors.select import known_records
from rescue.model.boot.firmware import Firmware
from rescue.model.finding import Finding, Severity
from rescue.model.mirror.plan import Plan, PlanKind
from rescue.model.mirror.record import MirrorRecord
from rescue.model.mirror.secret import Secret
from rescue.model.mirror.transition import completed
from rescue.model.storage.disk import Disk
from rescue.model.storage.machine import Machine
from rescue.plan.checks.recognise import is_disk
from rescue.run.recorder import Recorder
from rescue.run.run_history import OpenRun
from rescue.store.config import Config
from rescue.system.notify import journal
from rescue.ui.findings import finding_lines, finding_words
from rescue.ui.recovery_page import recovery_page
from rescue.ui.screen import Screen, summary_lines
from rescue.verify.audit import audit

_MEND = "'rescue mirror' rebuilds the boot files; 'rescue audit' shows the whole chain"
_WRITTEN = {
    PlanKind.PREPARE: "mirror",
    PlanKind.MIRROR: "mirror",
    PlanKind.FAILBACK: "new disk",
}
_AFTER_AUDIT = {
    PlanKind.PREPARE: _MEND,
    PlanKind.MIRROR: _MEND,
    PlanKind.FAILBACK: "fix the cause here, and run 'rescue failback' again with --erase",
}


def recorder_of(grant: WriteGrant) -> Recorder:
    """Return who writes down what becomes of the disk that may be written."""
    return Recorder(grant, others=known_records())


def perform(grant: WriteGrant, recorder: Recorder, screen: Screen) -> Outcome:
    """Apply the plan. If that fails, the records say so before the error is passed on.

    From the first step on, the records say that the mirror is not whole: after a power cut
    nobody could write that any more. A mirror that was refused beforehand stays what it was,
    and so does its marker.
    """
    with contextlib.closing(screen), recorder.failed_by_errors():
        outcome = apply_plan(grant.plan, grant, emit=screen.emit, begin=recorder.begin)
    recorder.written(outcome.record)
    return outcome


def with_warnings(
    outcome: Outcome, warned: tuple[str, ...], *, notes: tuple[str, ...] = ()
) -> Outcome:
    """Return the outcome with failures of hooks that stopped nothing, and earlier notes."""
    done = outcome.summary
    return replace(outcome, summary=replace(done, hooks_failed=warned, notes=notes + done.notes))


def look(machine: Machine, record: MirrorRecord, disk: Disk | None) -> tuple[Finding, ...]:
    """Mount the mirror read-only and follow its boot chain.

    `disk` is where it is; raises RescueError where that is None, or does not hold it any more.
    """
    if disk is None or not is_disk(disk, record.mirror):
        raise RescueError(
            f"mirror '{record.name}' ({record.mirror.id.name}) is not attached",
            hint="attach it, and check with 'rescue disks'",
        )
    with Workspace.read_only(record, disk.path) as workspace:
        boot = machine.boot
        asked_for = boot.removable if boot.firmware is Firmware.UEFI else ""
        return audit(tree=workspace.tree(), disk=disk, record=record, asked_for=asked_for)


def expect_to_boot(recorder: Recorder, screen: Screen) -> Machine:
    """Audit what was written; return the machine as it is after the run.

    Raises AuditError that names the first broken link.
    """
    with recorder.failed_by_errors():
        machine = discover()
        # What was written is looked at, and no other disk that looks like it.
        findings = look(machine, recorder.record, machine.disk_at(recorder.plan.target_path))
    broken = [finding for finding in findings if finding.severity is Severity.ERROR]
    for line in finding_lines(findings, only_problems=True):
        screen.show(line)
    if broken:
        said = finding_words(broken[0])
        recorder.audit_failed(said)
        raise AuditError(
            f"the {_WRITTEN[recorder.kind]} would not boot: {said}",
            hint=_AFTER_AUDIT[recorder.kind],
        )
    return machine


def finish(
    outcome: Outcome,
    machine: Machine,
    recorder: Recorder,
    screen: Screen,
    *,
    settings: Config,
    book: OpenRun,
) -> ExitCode:
    """Record that what was audited is complete, one generation further. Returns DONE or DEGRADED.

    Raises what `Recorder.complete` raises.
    """
    with recorder.failed_by_errors():
        done = completed(
            with_secret(recorder.record, screen),
            outcome.summary,
            generation=recorder.plan.record.generation + 1,
            unseen=_unseen(recorder.plan, outcome),
            now=time(),
        )
        page = recovery_page(machine, done, others=known_records(settings))
        recovery_files = page.recovery_files() | book.recovery_files(done)
    recorder.complete(done, recovery_files=recovery_files)
    return tell_end(
        outcome,
        f"mirror '{done.name}' is complete: generation {done.generation}, audit passed",
        screen,
        generation=done.generation,
    )


def with_secret(record: MirrorRecord, screen: Screen) -> MirrorRecord:
    """Return the record with a secret; one from an older rescue gets a new one, which is reported.

    Only for a completed run onto a disk that was recognised by everything else.
    """
    if record.secret.is_drawn:
        return record
    screen.show(f"note: mirror '{record.name}' now has a secret of its own that identifies it")
    return replace(record, secret=Secret.draw())


def _unseen(plan: Plan, outcome: Outcome) -> tuple[str, ...]:
    """Return what the run could not read, has postponed, or left out, as paths on the tree."""
    points = (pair.mount_point for pair in plan.record.filesystems)
    left_out = (point for point in points if point not in plan.copied)
    return (*outcome.summary.unreadable, *outcome.summary.postponed, *left_out)


def tell_end(outcome: Outcome, done: str, screen: Screen, *, generation: int) -> ExitCode:
    """Show the figures of a completed run. Returns DONE or DEGRADED."""
    for figure in summary_lines(outcome.summary, noted=screen.noted):
        screen.show(figure)
    code = ExitCode.DEGRADED if outcome.summary.is_degraded else ExitCode.DONE
    if code is ExitCode.DEGRADED:
        done = f"DEGRADED, some of it is not as it should be: {done}"
    screen.show(done)
    journal.report_success(done, code=code, mirror=outcome.record.name, generation=generation)
    return code
