"""`rescue drill`: rehearses the night of the dead disk on throw-away copies of the mirror."""

import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import time

from rich.text import Text

from rescue import paths
from rescue.commands.media import contents_for
from rescue.discover.machine import discover
from rescue.errors import ExitCode, ProofError, UsageError
from rescue.grants import GuardRefusedError, unless_refused
from rescue.medium.build import build_image
from rescue.mirrors.impostors import tell_apart
from rescue.mirrors.select import choose, known_records, marker_on
from rescue.model.rehearsal import Boot, DrillPlan, DrillResult, Line, Part
from rescue.model.storage.machine import Machine
from rescue.model.virtual import Accel, bus_like
from rescue.plan.checks.recognise import attached_mirror
from rescue.plan.checks.target_checks import machine_refusals
from rescue.printable import printable
from rescue.rehearsal.plan import DrillRequest, plan_drill
from rescue.rehearsal.play import Callbacks, Setup, play
from rescue.rehearsal.store import file_result, filed
from rescue.rehearsal.verdict import failed_units, judge, measured
from rescue.store import config
from rescue.store.codec import to_json
from rescue.system.files import mount_namespace
from rescue.system.files.atomic import free_on, used_on
from rescue.system.notify import journal
from rescue.system.process.lock import only_one_run
from rescue.system.process.memory import available_mib
from rescue.system.vm.accelerator import Accelerator
from rescue.system.vm.qemu import expect_installed
from rescue.ui.rehearsal import plan_lines, progress_line, result_lines
from rescue.ui.screen import Screen

ROOMY = Path("/var/tmp")
"""Where the throw-away disks lie by default: /tmp may be small and in memory."""


@dataclass(frozen=True, kw_only=True)
class DrillOptions:
    """What the command line asked for; `minutes` is the limit of the whole rehearsal.

    Without `accel` the configuration decides.
    """

    name: str = ""
    work_dir: Path = ROOMY
    minutes: float = 120.0
    accel: Accel | None = None
    as_json: bool = False


def drill(options: DrillOptions, screen: Screen) -> ExitCode:
    """Play the whole rehearsal, file its result, and show it.

    Raises RefusedError before a byte is written, ProofError where a phase was not passed.
    """
    with only_one_run():
        machine, plan = _planned(options, screen)
        _show_plan(plan, options, screen)
        disk = machine.disk_at(plan.mirror_path)
        assert disk is not None  # it was planned for
        with _medium(machine) as stick:
            accelerator = Accelerator(options.accel or config.load().prove.accel)
            setup = Setup(stick=stick, bus=bus_like(disk), accelerator=accelerator)
            result, files = rehearse(plan, setup, tell=_silent if options.as_json else screen.show)
        folder = file_result(result, files)
    _show_result(result, screen, as_json=options.as_json)
    if not options.as_json:
        screen.show(f"filed in {folder}")
    failed = result.failed
    if failed is not None:
        raise ProofError(
            f"the rehearsal failed at '{failed.phase}': {failed.problem}",
            hint=f"see in {folder} what the machines showed; fix the cause, and rehearse again",
        )
    said = f"rehearsal with mirror '{plan.mirror}' passed: homes back after"
    journal.report_success(f"{said} {result.times.homes:.0f} s")
    return ExitCode.DONE


def show_plan(options: DrillOptions, screen: Screen) -> ExitCode:
    """Print what would be played, and stop there."""
    with only_one_run():
        _, plan = _planned(options, screen)
    if options.as_json:
        screen.show_plain(to_json(plan))
    _show_plan(plan, options, screen)
    return ExitCode.DONE


def show_last(options: DrillOptions, screen: Screen) -> ExitCode:
    """Print the newest filed rehearsal. Raises UsageError where there is none."""
    if os.geteuid() != 0:
        raise UsageError("only root can read the rehearsals", hint="try it with sudo")
    found = filed(mirror=options.name)
    if not found:
        raise UsageError("there is no rehearsal yet", hint="run one: 'rescue drill'")
    _show_result(found[0], screen, as_json=options.as_json)
    return ExitCode.DONE


def _planned(options: DrillOptions, screen: Screen) -> tuple[Machine, DrillPlan]:
    machine = discover()
    if refusals := machine_refusals(machine):
        raise GuardRefusedError(tuple(refusals))
    expect_installed(machine.boot.firmware)
    if not options.work_dir.is_dir():
        raise UsageError(f"there is no folder {options.work_dir}", hint="create it first")
    settings = config.load()
    apart = tell_apart(machine, known_records(settings))
    for note in () if options.as_json else apart.notes:
        screen.show(f"note: {note}")
    machine = apart.machine
    record = choose(machine, settings, name=options.name)
    disk = attached_mirror(machine, record)
    marker = None if disk is None or disk.all_uses else marker_on(disk, record)
    plan = plan_drill(
        machine,
        record,
        marker.record if marker is not None else None,
        DrillRequest(
            work_dir=str(options.work_dir),
            limit=options.minutes * 60,
            token=secrets.token_hex(8),
        ),
        used=sum(used_on(Path(pair.mount_point))[0] for pair in record.filesystems),
        free=free_on(options.work_dir)[0],
        free_mib=available_mib(),
        now=time(),
    )
    return machine, unless_refused(plan)


def rehearse(
    plan: DrillPlan, setup: Setup, *, tell: Callable[[Text], None]
) -> tuple[DrillResult, dict[str, bytes]]:
    """Play a planned rehearsal and judge it; return the result, and what the guests showed.

    `tell` gets the news while it plays. Takes this process into a private mount namespace for
    good. Raises RescueError where the disks cannot be made or a guest cannot be switched on.
    """
    started, files = time(), dict[str, bytes]()

    def heard(line: Line) -> None:
        if (news := progress_line(line)) is not None:
            tell(news)

    def keep(part: Part, boot: Boot, picture: bytes) -> None:
        report = "".join(
            f"{line.at:8.1f}  {printable(line.text.rstrip())}\n" for line in boot.lines
        )
        files[f"{part}.console.log"] = boot.console.encode("utf-8", "replace")
        files[f"{part}.report.log"] = report.encode("utf-8", "replace")
        if picture:
            files[f"{part}.screen.png"] = picture

    boots = play(plan, setup, Callbacks(heard=heard, keep=keep))
    result = DrillResult(
        mirror=plan.mirror,
        host=plan.host,
        generation=plan.generation,
        last_complete=plan.last_complete,
        started=started,
        seconds=time() - started,
        firmware=plan.firmware,
        emulated=not setup.accelerator.is_kvm,
        phases=judge(plan, boots),
        times=measured(boots),
        notes=(*plan.notes, *_emulation(setup.accelerator), *failed_units(boots)),
    )
    return result, files


def _emulation(accelerator: Accelerator) -> tuple[str, ...]:
    return (f"run by emulation: {accelerator.note}",) if accelerator.note else ()


@contextmanager
def _medium(machine: Machine) -> Iterator[Path]:
    """Build this machine's rescue medium, as 'rescue media' does, in memory that we free again."""
    with mount_namespace.vanishing_folder(paths.MEDIUM, size="128m") as folder:
        stick = folder / "stick.img"
        build_image(stick, contents_for(machine))
        yield stick


def _show_plan(plan: DrillPlan, options: DrillOptions, screen: Screen) -> None:
    if not options.as_json:
        for line in plan_lines(plan):
            screen.show(line)


def _show_result(result: DrillResult, screen: Screen, *, as_json: bool) -> None:
    if as_json:
        screen.show_plain(to_json(result))
        return
    for line in result_lines(result):
        screen.show(line)


def _silent(_news: Text) -> None:
    """Print nothing, so that JSON output contains nothing else."""
