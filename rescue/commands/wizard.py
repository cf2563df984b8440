"""`rescue wizard`: leads from a bare disk to a scheduled mirror, and back.

Each step is a command of its own, run in a process of its own, as the person could have typed it:
it asks for the identity itself, and mounts in a namespace that ends with it. The wizard itself
reads, and never writes.
"""

import contextlib
import shutil
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rescue import paths
from rescue.commands.prepare import draw_new_ids
from rescue.commands.schedule import how_it_stands
from rescue.discover.diskhealth import with_health
from rescue.discover.machine import discover
from rescue.errors import ExitCode, RescueError, UsageError
from rescue.grants import GuardRefusedError
from rescue.mirrors.select import known_records
from rescue.model.mirror.record import MirrorRecord
from rescue.model.run.schedule import ChecksumDay, Installed, ScheduleSettings, is_time_of_day
from rescue.model.storage.machine import Machine
from rescue.model.wizard import Candidate, Choice, Command, Here, Task
from rescue.plan.checks.target_checks import root_refusals
from rescue.plan.layout.leave_out import question
from rescue.plan.prepare import could_do_without
from rescue.store import config
from rescue.system.block import udev
from rescue.system.process.foreground import on_terminal
from rescue.ui.prompt import Instead, Option, ask_text, at_a_terminal, choose, confirm
from rescue.ui.screen import Screen
from rescue.ui.wizard import (
    QUESTIONS,
    changes,
    choice_line,
    command_lines,
    menu_hint,
    menu_line,
    render_choice,
    render_end,
    render_losses,
    render_machine,
    render_news,
    render_page,
)
from rescue.wizard.candidates import command_for, first_disk_choice, mirror_choice, stick_choice
from rescue.wizard.flow import command_of, page, schedule_command

_BACK = "back"
_SETTLE_SECONDS = 10


@dataclass(kw_only=True)
class _Session:
    """One run of the wizard: its sources, how it starts steps, and the results so far."""

    screen: Screen
    start: Callable[[Sequence[str]], int]
    verbs: frozenset[str]
    did: set[Task] = field(default_factory=set)
    begun: bool = False


def wizard(screen: Screen, *, verbs: frozenset[str]) -> ExitCode:
    """Lead through everything. `verbs` are the commands that this rescue has.

    Raises UsageError without a terminal, GuardRefusedError without root.
    """
    if not at_a_terminal():
        raise UsageError(
            "the wizard asks questions, and this is not a terminal",
            hint="see 'rescue --help' for its commands",
        )
    if refusals := root_refusals(discover()):
        raise GuardRefusedError(tuple(refusals))
    session = _Session(screen=screen, start=_start, verbs=verbs)
    while (task := _menu(session)) is not Task.LEAVE:
        _carry_out(task, session)
    screen.show("Come back at any time with 'rescue'; every step can be repeated.")
    return ExitCode.DONE


def _start(words: Sequence[str]) -> int:
    """Run this very rescue again with other words, on the terminal."""
    return on_terminal([str(Path(sys.argv[0]).absolute()), *words])


def _menu(session: _Session) -> Task:
    """Show how things stand, and return what the person wants next."""
    show_disks = not session.begun
    before: Machine | None = None
    while True:
        watch = udev.DiskWatch()
        here = _look(session)
        news = changes(before, here.machine) if before else ()
        if before is None or news:
            _show_page(here, session, news=news, disks=show_disks or bool(news))
        shown = page(here)
        options = [
            Option(value=each.task, title=menu_line(each), hint=menu_hint(each))
            for each in shown.offers
        ]
        answer = choose("What next?", options, suggested=shown.suggested.value, watch=watch)
        if answer is Instead.LEFT:
            return Task.LEAVE
        if isinstance(answer, str):
            return Task(answer)
        before = here.machine
        _let_settle()


def _show_page(here: Here, session: _Session, *, news: tuple[str, ...], disks: bool) -> None:
    screen = session.screen
    screen.show("")
    if news:
        screen.show(render_news(news))
    if disks:
        screen.show(render_machine(here.machine))
    if not session.begun and here.machine.running_mirror is not None:
        session.start(("status",))
    screen.show(render_page(page(here)))
    session.begun = True


def _look(session: _Session) -> Here:
    settings = config.load() if paths.CONFIG.exists() else None
    machine = discover()
    asked = settings is not None and machine.running_mirror is None
    return Here(
        machine=machine,
        records=known_records(),
        schedule=how_it_stands(settings) if settings and asked else Installed.NO,
        settings=settings.schedule if settings else ScheduleSettings(),
        verbs=session.verbs,
        did=frozenset(session.did),
    )


def _carry_out(task: Task, session: _Session) -> None:
    """Find out what the step needs, say its command, run it, and say how it ended."""
    screen = session.screen
    command = _command(task, session)
    if command is None:
        screen.show("nothing was done")
        return
    screen.show("")
    for line in command_lines(command):
        screen.show_plain(line)
    screen.show("")
    code = session.start(command.attended)
    if code == ExitCode.DONE:
        session.did.add(task)
    elif task is not Task.STATUS:
        screen.show("")
        screen.show(render_end(command, code))


def _command(task: Task, session: _Session) -> Command | None:
    """Return the command to be run, or None if the person backed out of a question."""
    match task:
        case Task.PREPARE | Task.FAILBACK | Task.MEDIUM:
            return _command_on_a_disk(task, session)
        case Task.SCHEDULE:
            return _schedule()
        case _:
            return command_of(task, discover())


def _command_on_a_disk(task: Task, session: _Session) -> Command | None:
    chosen = _choose_disk(task, session)
    if chosen is None:
        return None
    if chosen.loses:
        session.screen.show(render_losses(chosen))
        if confirm("Erase all of it?") is not True:
            return None
    more: tuple[str, ...] = ()
    if task is Task.PREPARE:
        for each in could_do_without(discover(), chosen.disk):
            if confirm(question(each)) is not True:
                return None
            more += ("--leave-out", each.what)
    if task is Task.MEDIUM and shutil.which("mmdebstrap"):
        larger = confirm(
            "Add the rescue system, a small Debian? (building it takes several minutes)"
        )
        if isinstance(larger, Instead):
            return None
        more = ("--with-rescue-system",) if larger else ()
    return command_for(task, chosen.name, erase=bool(chosen.loses), more=more)


def _choose_disk(task: Task, session: _Session) -> Candidate | None:
    """Show the disks, refreshing as disks come and go, until one is chosen or the person quits."""
    before: Machine | None = None
    while True:
        watch = udev.DiskWatch()
        machine = discover()
        with session.screen.busy("looking at the disks"):
            choice = _choice(task, machine)
        news = changes(before, machine) if before else ()
        if before is None or news:
            session.screen.show("")
            if news:
                session.screen.show(render_news(news))
            session.screen.show(render_choice(choice, machine))
        good = {each.disk.path: each for each in choice.choosable}
        options = [Option(value=path, title=choice_line(each)) for path, each in good.items()]
        wait = "Back (the list is updated when a disk is plugged in)"
        answer = choose(
            QUESTIONS[task] if good else "No disk can be chosen now.",
            [*options, Option(value=_BACK, title=wait)],
            watch=watch,
        )
        if isinstance(answer, str):
            return good.get(answer)
        if answer is Instead.LEFT:
            return None
        before = machine
        _let_settle()


def _let_settle() -> None:
    """Wait until a new disk has its names; a slower one triggers another refresh."""
    with contextlib.suppress(RescueError):
        udev.settle(timeout=_SETTLE_SECONDS)


def _choice(task: Task, machine: Machine) -> Choice:
    records: tuple[MirrorRecord, ...] = known_records()
    machine = with_health(machine, *machine.disks)
    if task is Task.MEDIUM:
        return stick_choice(machine, records)
    new_ids = draw_new_ids(machine)
    if task is Task.FAILBACK:
        names = tuple(each.name for each in records)
        return first_disk_choice(machine, names, new_ids=new_ids)
    return mirror_choice(machine, records, new_ids=new_ids)


def _schedule() -> Command | None:
    settings = config.load().schedule
    at = ask_text("At what time of day (HH:MM)?", default=settings.at, wrong=_wrong_time)
    if isinstance(at, Instead):
        return None
    day = choose(
        "On which day should the contents of every file be compared?",
        [Option(value=each, title=each.title()) for each in ChecksumDay],
        suggested=settings.checksum_day.value,
    )
    if isinstance(day, Instead):
        return None
    return schedule_command(at, ChecksumDay(day))


def _wrong_time(text: str) -> str:
    return "" if is_time_of_day(text) else "a time from 00:00 to 23:59"
