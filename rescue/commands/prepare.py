"""`rescue prepare`: discover, plan, show and confirm, apply, verify."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from uuid import uuid4

from rescue.apply.engine import Outcome
from rescue.discover.diskhealth import with_health
from rescue.discover.machine import discover
from rescue.discover.sharing import with_sharing
from rescue.errors import ExitCode
from rescue.grants import GuardRefusedError, grant_disk, unless_refused
from rescue.mirrors.select import known_records
from rescue.model.mirror.plan import Plan, PrepareRequest
from rescue.model.mirror.secret import Secret
from rescue.model.storage.machine import Machine
from rescue.plan.layout.leave_out import question
from rescue.plan.prepare import left_to_ask, plan_prepare
from rescue.plan.steps.hooks import hook_notes
from rescue.run.execute import expect_to_boot, finish, perform, recorder_of, with_warnings
from rescue.run.hooked_run import between_hooks
from rescue.run.run_history import noted
from rescue.store import config
from rescue.store.codec import to_json
from rescue.store.config import Config
from rescue.system.files.mount_namespace import HostNamespace
from rescue.system.process.lock import only_one_run
from rescue.ui.plan import as_it_is, render_plan
from rescue.ui.prompt import ask_identity, at_a_terminal, confirm
from rescue.ui.screen import Screen


@dataclass(frozen=True, kw_only=True)
class PrepareOptions:
    """What the command line asked for. `expected` is '' where a person is asked instead.

    `leave_out` are mount points on other disks that the mirror is made without.
    """

    target: str
    name: str = ""
    erase: str = ""
    expected: str = ""
    ask: bool = True
    leave_out: tuple[str, ...] = ()


def show(options: PrepareOptions, screen: Screen, *, as_json: bool) -> ExitCode:
    """Print the plan and do nothing else."""
    machine = discover()
    with explained(machine, screen, silent=as_json):
        plan = _plan(machine, _request(machine, options))
    if as_json:
        screen.show_plain(to_json(plan))
    else:
        screen.show(render_plan(plan, machine))
    return ExitCode.DONE


def prepare(options: PrepareOptions, screen: Screen) -> ExitCode:
    """Make the disk a mirror, and say whether it would boot.

    Raises RefusedError (nothing was written), AuditError, and whatever the steps raise.
    """
    with only_one_run(), HostNamespace() as host:
        machine = discover()
        request = _request(machine, options)
        if options.ask and at_a_terminal():
            request = _agreed(machine, request)
        with explained(machine, screen):
            plan = _plan(machine, request)
        screen.show(render_plan(plan, machine))
        named = ask_identity(plan) if options.ask else options.expected
        grant = grant_disk(plan, named=named)
        target = machine.disk_at(plan.target_path)
        machine = with_health(machine, machine.root_disk, target)
        recorder = recorder_of(grant)
        with (
            noted(machine, plan.record, kind=plan.kind, screen=screen, target=target) as book,
            between_hooks(recorder, config.hooks(), host, screen) as between,
        ):
            outcome = with_warnings(perform(grant, recorder, screen), between.warned)
            book.outcome = outcome
            settings = _enrolled(outcome, plan, screen)
            machine = expect_to_boot(recorder, screen)
            between.code = finish(outcome, machine, recorder, screen, settings=settings, book=book)
        return between.code


@contextmanager
def explained(machine: Machine, screen: Screen, *, silent: bool = False) -> Iterator[None]:
    """Show the layers of the machine's disks, if any, where a plan for it is refused."""
    try:
        yield
    except GuardRefusedError:
        for line in () if silent else as_it_is(machine):
            screen.show(line)
        raise


def _enrolled(outcome: Outcome, plan: Plan, screen: Screen) -> Config:
    """Put the mirror into the configuration, which is returned; its run may still fail."""
    settings = config.enrol(outcome.record, replaced=plan.target_table)
    if settings.schedule.when_plugged:
        screen.show(
            "note: run 'rescue schedule install', so that plugging in this disk starts a run, too"
        )
    return settings


def draw_new_ids(machine: Machine) -> tuple[str, ...]:
    """Return random UUIDs: two for each partition of the running disk, and one for the table."""
    partitions = machine.root_disk.partitions if machine.root_disk else ()
    return tuple(str(uuid4()) for _ in range(2 * len(partitions) + 1))


def _request(machine: Machine, options: PrepareOptions) -> PrepareRequest:
    return PrepareRequest(
        target=options.target,
        name=options.name,
        give_up_content_of=options.erase,
        enrolled=known_records(),
        new_ids=draw_new_ids(machine),
        secret=Secret.draw(),
        leave_out=options.leave_out,
    )


def _plan(machine: Machine, request: PrepareRequest) -> Plan:
    plan = unless_refused(plan_prepare(with_sharing(machine), request))
    # Read before anything is written: an invalid configuration ends the command here.
    return replace(plan, notes=(*plan.notes, *hook_notes(config.hooks(), plan.kind)))


def _agreed(machine: Machine, request: PrepareRequest) -> PrepareRequest:
    """Ask, for each dependency of the boot on other disks, whether the mirror may do without it.

    What the person does not agree to, the plan refuses.
    """
    for each in left_to_ask(machine, request):
        if confirm(question(each)) is not True:
            break
        request = replace(request, leave_out=(*request.leave_out, each.what))
    return request
