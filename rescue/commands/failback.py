"""`rescue failback`: makes a new first disk from the running mirror."""

from dataclasses import dataclass, replace
from time import time

from rescue import paths
from rescue.apply.engine import Outcome
from rescue.apply.handover import hand_over
from rescue.commands.prepare import draw_new_ids
from rescue.discover.machine import discover
from rescue.discover.sharing import with_sharing
from rescue.errors import ExitCode, RescueError
from rescue.grants import WriteGrant, grant_disk, unless_refused
from rescue.model.mirror.plan import FailbackRequest, Plan
from rescue.model.mirror.record import Handover, MirrorRecord
from rescue.model.mirror.secret import Secret
from rescue.model.mirror.step import WriteTable
from rescue.model.mirror.transition import completed
from rescue.model.storage.machine import Machine
from rescue.plan.failback import plan_failback
from rescue.plan.steps.hooks import hook_notes
from rescue.run.execute import expect_to_boot, perform, recorder_of, tell_end, with_warnings
from rescue.run.hooked_run import between_hooks
from rescue.run.preflight import carrying_rewritten
from rescue.store import config
from rescue.store.codec import to_json
from rescue.system.files.mount_namespace import HostNamespace
from rescue.system.process.lock import only_one_run
from rescue.ui.plan import render_plan
from rescue.ui.prompt import ask_identity
from rescue.ui.screen import Screen


@dataclass(frozen=True, kw_only=True)
class FailbackOptions:
    """What the command line asked for. `expected` is '' where a person is asked instead."""

    target: str
    erase: str = ""
    expected: str = ""
    ask: bool = True


def show(options: FailbackOptions, screen: Screen, *, as_json: bool) -> ExitCode:
    """Print the plan and do nothing else."""
    machine = discover()
    plan = _plan(machine, options)
    if as_json:
        screen.show_plain(to_json(plan))
    else:
        screen.show(render_plan(plan, machine))
    return ExitCode.DONE


def failback(options: FailbackOptions, screen: Screen) -> ExitCode:
    """Make the disk the first one again, and say what to do next.

    Raises RefusedError (nothing was written), AuditError, and whatever the steps raise: the disk
    then carries the marker of a mirror that is not complete, and nothing else has changed.
    """
    with only_one_run(), HostNamespace() as host:
        machine = discover()
        plan = _plan(machine, options)
        screen.show(render_plan(plan, machine))
        named = _named(plan, options)
        if not _is_anew(plan):
            plan = carrying_rewritten(plan, screen)
        grant = grant_disk(plan, named=named)
        recorder = recorder_of(grant)
        with between_hooks(recorder, config.hooks(), host, screen) as between:
            outcome = with_warnings(perform(grant, recorder, screen), between.warned)
            expect_to_boot(recorder, screen)
            handover = _handover(machine, recorder.record, outcome)
            hand_over(handover, grant)
            done = _what_now(handover, grant)
            between.code = tell_end(outcome, done, screen, generation=handover.record.generation)
        return between.code


def _plan(machine: Machine, options: FailbackOptions) -> Plan:
    # Read before anything is written: the new first disk gets this configuration.
    known = config.load().mirror if paths.CONFIG.exists() else ()
    request = FailbackRequest(
        target=options.target,
        give_up_content_of=options.erase,
        new_ids=draw_new_ids(machine),
        secret=Secret.draw(),
        enrolled=tuple(entry.name for entry in known),
    )
    plan = unless_refused(plan_failback(with_sharing(machine), request))
    return replace(plan, notes=(*plan.notes, *hook_notes(config.hooks(), plan.kind)))


def _named(plan: Plan, options: FailbackOptions) -> str:
    """Return the identity by which the disk was named.

    A disk that took over in this session was named then, and holds nothing else than this system.
    """
    if not options.ask:
        return options.expected
    return ask_identity(plan) if _is_anew(plan) else plan.name


def _is_anew(plan: Plan) -> bool:
    """Whether the disk is made from nothing, and not brought up to date."""
    return any(isinstance(step, WriteTable) for step in plan.steps)


def _handover(machine: Machine, record: MirrorRecord, outcome: Outcome) -> Handover:
    """Return what is true after the audit: one generation further than the running mirror's."""
    if machine.running_mirror is None:
        raise RescueError("this machine no longer runs from a mirror")
    now = time()
    done = completed(
        record,
        outcome.summary,
        generation=machine.running_mirror.generation + 1,
        unseen=outcome.summary.unreadable,
        now=now,
    )
    return Handover(record=done, boot_id=machine.boot.boot_id, at=now)


def _what_now(handover: Handover, grant: WriteGrant) -> str:
    disk = handover.record.mirror.id.name
    return (
        f"{grant.plan.target_path} ({disk}) is the first disk now, generation "
        f"{handover.record.generation}, audit passed. This machine still runs from its mirror, "
        f"and what is written from now on is not on {disk}: stop the services, run 'rescue "
        f"failback {disk}' once more, 'systemctl poweroff', and start from {disk}. Then 'rescue "
        "mirror' brings the old mirror up to date again."
    )
