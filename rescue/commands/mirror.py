"""`rescue mirror`: one run, from the running system onto its enrolled mirror."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date
from time import time
from uuid import uuid4

from rescue.discover.diskhealth import with_health
from rescue.discover.machine import discover
from rescue.errors import ExitCode
from rescue.grants import GuardRefusedError, grant_disk, unless_refused
from rescue.mirrors.impostors import tell_apart
from rescue.mirrors.rotation import Turn
from rescue.mirrors.select import choose_for_run, known_records, marker_on
from rescue.model.mirror.partial import partial_folder
from rescue.model.mirror.plan import MirrorRequest, Plan, PlanKind
from rescue.model.mirror.record import MirrorRecord, MirrorState
from rescue.model.run.schedule import ChecksumDay
from rescue.model.storage.machine import Machine
from rescue.plan.checks.recognise import attached_mirror
from rescue.plan.checks.target_checks import machine_refusals
from rescue.plan.mirror import plan_mirror
from rescue.run.execute import expect_to_boot, finish, perform, recorder_of, with_warnings
from rescue.run.hooked_run import between_hooks
from rescue.run.preflight import Overrides, preflight
from rescue.run.recorder import comparison_noted, tried
from rescue.run.run_history import noted
from rescue.run.wait_for_apt import wait_for_packages
from rescue.schedule.plan import checksum_due
from rescue.store import config
from rescue.store.config import Config
from rescue.system.files.mount_namespace import HostNamespace
from rescue.system.process.deadline import deadline
from rescue.system.process.lock import only_one_run
from rescue.ui.screen import Screen

# No run takes longer, unless 'run.time_limit_hours' is set to more than a day.
_PATIENCE = 24 * 3600.0


@dataclass(frozen=True, kw_only=True)
class MirrorOptions:
    """What the command line asked for.

    `accept_content` are paths whose content on the source is the right one, though it differs from
    the mirror's under the same size and time. A `scheduled` run decides by itself, by the day,
    whether it compares every content. With `hotplug`, a disk that was plugged in started it: it
    waits for a run that is active.
    """

    name: str = ""
    checksum: bool = False
    scheduled: bool = False
    hotplug: bool = False
    accept_changes: bool = False
    accept_booted: bool = False
    accept_content: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class _Here:
    """What a run begins with: the machine as it is, whose turn it is, and what was waited for.

    `impostors` are sentences on disks that only look like a mirror.
    """

    machine: Machine
    settings: Config
    host: HostNamespace
    turn: Turn
    waited: tuple[str, ...]
    impostors: tuple[str, ...]


def mirror(options: MirrorOptions, screen: Screen) -> ExitCode:
    """Make the mirror equal to the running system, audited, one generation further.

    Raises a RescueError with the exit code of what stood against it.
    """
    with _discovered(options, screen) as here:
        record = tried(here.turn.record, now=time())
        machine = here.machine
        machine = with_health(machine, machine.root_disk, attached_mirror(machine, record))
        here = replace(here, machine=machine)
        with noted(machine, record, kind=PlanKind.MIRROR, screen=screen) as book:
            options = _as_scheduled(options, record, here.settings)
            plan = _plan(here, replace(record, comparison_cut=False), options)
            for note in (*here.impostors, *_notes(here.turn, options, plan)):
                screen.show(f"note: {note}")
            plan = _measured(plan, record, options, here.settings, screen)
            grant = grant_disk(plan, named=record.mirror.table_uuid)
            recorder = recorder_of(grant)
            with between_hooks(recorder, here.settings.hook, here.host, screen) as between:
                done = perform(grant, recorder, screen)
                outcome = with_warnings(done, between.warned, notes=here.waited + here.impostors)
                book.outcome = outcome
                machine = expect_to_boot(recorder, screen)
                between.code = finish(
                    outcome, machine, recorder, screen, settings=here.settings, book=book
                )
            return between.code


@contextlib.contextmanager
def _discovered(options: MirrorOptions, screen: Screen) -> Iterator[_Here]:
    """Give what a run begins with, while no other run is active and its time lasts."""
    with only_one_run(patience=_PATIENCE if options.hotplug else 0.0), HostNamespace() as host:
        machine = discover()
        # Asked first: the configuration may by now be about another machine's disks.
        if refusals := machine_refusals(machine):
            raise GuardRefusedError(tuple(refusals))
        settings = config.load()
        with deadline(settings.run.time_limit_hours):
            waited = wait_for_packages(settings.run.package_wait_minutes, screen.emit)
            if waited:
                machine = discover()
            apart = tell_apart(machine, known_records(settings))
            yield _Here(
                machine=apart.machine,
                settings=settings,
                host=host,
                turn=choose_for_run(apart.machine, settings, name=options.name),
                waited=(waited,) if waited else (),
                impostors=apart.notes,
            )


def _as_scheduled(options: MirrorOptions, record: MirrorRecord, settings: Config) -> MirrorOptions:
    """Return the options with what a scheduled run decides by itself."""
    day = settings.schedule.checksum_day
    due = options.scheduled and compares(record, day=day, today=date.today())
    return replace(options, checksum=options.checksum or due)


def _notes(turn: Turn, options: MirrorOptions, plan: Plan) -> tuple[str, ...]:
    once_a_week = options.scheduled and options.checksum
    return (
        *((turn.note,) if turn.note else ()),
        *(
            ("the contents of every file are compared in this run, as once a week",)
            if once_a_week
            else ()
        ),
        *plan.notes,
    )


def compares(record: MirrorRecord, *, day: ChecksumDay, today: date) -> bool:
    """Whether a scheduled run of this mirror compares every content; days are local ones."""
    last = date.fromtimestamp(record.last_checksum) if record.last_checksum else None
    return checksum_due(
        day,
        today=today,
        last=last,
        whole=record.state is MirrorState.COMPLETE,
        cut=record.comparison_cut,
    )


def _measured(
    plan: Plan, record: MirrorRecord, options: MirrorOptions, settings: Config, screen: Screen
) -> Plan:
    """Return the plan of what may be done, as it was looked at ahead of it."""
    overrides = Overrides(
        checksum=options.checksum,
        accept_changes=options.accept_changes,
        accept_content=options.accept_content,
    )
    once_a_week = options.scheduled and options.checksum
    known = replace(record, comparison_cut=False)
    with comparison_noted(known) if once_a_week else contextlib.nullcontext():
        return preflight(plan, settings, screen, overrides)


def _plan(here: _Here, record: MirrorRecord, options: MirrorOptions) -> Plan:
    disk = attached_mirror(here.machine, record)
    marker = marker_on(disk, record) if disk is not None else None
    plan = unless_refused(
        plan_mirror(
            here.machine,
            record,
            marker.record if marker else None,
            MirrorRequest(
                checksum=options.checksum,
                accept_booted=options.accept_booted,
                bandwidth_kib=here.settings.run.bandwidth_kib,
                hotplug=options.hotplug,
                partial=partial_folder(str(uuid4())),
            ),
            boots=marker.boots if marker else (),
        )
    )
    return replace(plan, notes=(*plan.notes, *(marker.damage if marker else ())))
