"""`rescue mirror`: one run, from the running system onto its enrolled mirror."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date
from time import time
from uuid import uuid4

from rescue import config
from rescue.commands.ahead import Trust, looked_ahead
from rescue.commands.enrolled import choose_for_run
from rescue.commands.hooks import Hooked, attendant
from rescue.commands.logbook import Logbook, noted
from rescue.commands.packages import wait_for_packages
from rescue.commands.runs import finish, perform, with_warnings
from rescue.config import Config
from rescue.confirm import GuardRefusedError, WriteGrant, grant, unless_refused
from rescue.discover.machine import discover
from rescue.discover.marker import read_marker
from rescue.errors import ExitCode
from rescue.model.machine import Machine
from rescue.model.partial import partial_folder
from rescue.model.plan import MirrorRequest, Plan, PlanKind
from rescue.model.record import MirrorRecord, MirrorState
from rescue.model.schedule import ChecksumDay
from rescue.plan.mirror import plan_mirror
from rescue.plan.recognise import attached_mirror
from rescue.plan.refuse import machine_refusals
from rescue.plan.rotation import Turn
from rescue.plan.schedule import checksum_due
from rescue.state import note_record
from rescue.system.deadline import deadline
from rescue.system.lock import only_one_run
from rescue.system.mountns import Outside
from rescue.ui.screen import Screen

# No run takes longer, unless 'run.time_limit_hours' is set to more than a day.
_PATIENCE = 24 * 3600.0


@dataclass(frozen=True, kw_only=True)
class MirrorOptions:
    """What the command line asked for.

    `accept_content` are paths whose content on the source is the right one, though it differs from
    the mirror's under the same size and time. A `scheduled` run decides by itself, by the day,
    whether it compares every content. One that a `plugged` disk started waits for a run that is
    active.
    """

    name: str = ""
    checksum: bool = False
    scheduled: bool = False
    plugged: bool = False
    accept_changes: bool = False
    accept_booted: bool = False
    accept_content: tuple[str, ...] = ()


def mirror(options: MirrorOptions, screen: Screen) -> ExitCode:
    """Make the mirror equal to the running system, audited, one generation further.

    Raises a RescueError with the exit code of what stood against it.
    """
    with only_one_run(patience=_PATIENCE if options.plugged else 0.0), Outside() as outside:
        machine = discover()
        # Asked first: what is configured here may be about another machine's disks by now.
        if refusals := machine_refusals(machine):
            raise GuardRefusedError(tuple(refusals))
        settings = config.load()
        with deadline(settings.run.time_limit_hours):
            waited = wait_for_packages(settings.run.package_wait_minutes, screen.emit)
            if waited:
                machine = discover()
            turn = choose_for_run(machine, settings, name=options.name)
            record = _tried(turn.record)
            with noted(machine, record, kind=PlanKind.MIRROR, screen=screen) as book:
                options = _as_scheduled(options, record, settings)
                record = replace(record, comparison_cut=False)
                plan = _plan(machine, record, options, settings, book.distrust)
                for note in _notes(turn, options, plan):
                    screen.show(f"note: {note}")
                with _comparison_noted(record, options):
                    plan = looked_ahead(plan, settings, screen, _trust(options))
                leave = grant(plan, named=record.mirror.table_uuid)
                hooked = Hooked.around(
                    settings.hook,
                    record,
                    kind=plan.kind,
                    attendant=attendant(outside, screen),
                )
                return hooked.carry_out(
                    lambda warned: _run(
                        plan,
                        leave,
                        screen,
                        settings,
                        book,
                        warned=warned,
                        notes=(waited,) if waited else (),
                    )
                )


def _run(
    plan: Plan,
    leave: WriteGrant,
    screen: Screen,
    settings: Config,
    book: Logbook,
    *,
    warned: tuple[str, ...],
    notes: tuple[str, ...],
) -> ExitCode:
    done = perform(plan, leave, screen)
    outcome = with_warnings(done, warned, notes=notes)
    book.outcome = outcome
    return finish(plan, outcome, leave, screen, settings=settings, book=book)


def _tried(record: MirrorRecord) -> MirrorRecord:
    """Note that a run onto this mirror begins: where it is refused, the others get their turn."""
    tried = replace(record, last_tried=time())
    note_record(tried)
    return tried


def _as_scheduled(options: MirrorOptions, record: MirrorRecord, settings: Config) -> MirrorOptions:
    """Return the options with what a scheduled run decides by itself."""
    day = settings.schedule.checksum_day
    due = options.scheduled and compares(record, day=day, today=date.today())
    return replace(options, checksum=options.checksum or due)


def _notes(turn: Turn, options: MirrorOptions, plan: Plan) -> tuple[str, ...]:
    once_a_week = options.scheduled and options.checksum
    return (
        *((turn.note,) if turn.note else ()),
        *(("every content is compared in this run, as once a week",) if once_a_week else ()),
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


@contextlib.contextmanager
def _comparison_noted(record: MirrorRecord, options: MirrorOptions) -> Iterator[None]:
    """Note that the schedule's comparison was cut, until it has come to its end.

    One that was refused for what it found did come to its end.
    """
    if not (options.scheduled and options.checksum):
        yield
        return
    note_record(replace(record, comparison_cut=True))
    try:
        yield
    except GuardRefusedError:
        note_record(record)
        raise
    note_record(record)


def _plan(
    machine: Machine,
    record: MirrorRecord,
    options: MirrorOptions,
    settings: Config,
    distrust: tuple[str, ...],
) -> Plan:
    disk = attached_mirror(machine, record)
    marker = read_marker(disk) if disk is not None else None
    plan = unless_refused(
        plan_mirror(
            machine,
            record,
            marker.record if marker else None,
            MirrorRequest(
                checksum=options.checksum,
                accept_booted=options.accept_booted,
                bandwidth_kib=settings.run.bandwidth_kib,
                distrust=distrust,
                plugged=options.plugged,
                partial=partial_folder(str(uuid4())),
            ),
            boots=marker.boots if marker else (),
        )
    )
    return replace(plan, notes=(*plan.notes, *(marker.damage if marker else ())))


def _trust(options: MirrorOptions) -> Trust:
    return Trust(
        checksum=options.checksum,
        accept_changes=options.accept_changes,
        accept_content=options.accept_content,
    )
