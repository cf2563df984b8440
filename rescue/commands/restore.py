"""`rescue restore`: brings the users' files back from the dead disk onto the running mirror."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from time import time

from rescue.discover.machine import discover
from rescue.errors import ExitCode, RefusedError, UsageError
from rescue.grants import GuardRefusedError, grant_return, unless_refused
from rescue.model.finding import Refused
from rescue.model.mirror.record import MirrorRecord
from rescue.model.restore.comparison import Comparison
from rescue.model.restore.way_back import (
    Free,
    Origin,
    Piece,
    RestorePlan,
    RestoreReport,
    RestoreRequest,
)
from rescue.model.storage.disk import Disk
from rescue.model.storage.machine import Machine
from rescue.printable import printable
from rescue.restore.copy import apply_restore, compare_now
from rescue.restore.dead_disk import DeadDisk, opened
from rescue.restore.dead_homes import People, people_of
from rescue.restore.dead_table import table_behind
from rescue.restore.plan import Start, begin_restore, mount_refusals, plan_restore
from rescue.restore.running_system import seen_apart
from rescue.store.codec import to_json
from rescue.store.records import NO_TIME, load_boots
from rescue.system.block import loop
from rescue.system.files.atomic import free_on, write_atomic
from rescue.system.files.paired_trees import link_on_the_way
from rescue.system.notify import journal
from rescue.system.process.lock import only_one_run
from rescue.ui.prompt import RestoreChoice, ask_restore
from rescue.ui.restore import (
    diagnosis_lines,
    list_lines,
    render_report,
    render_restore,
    report_lines,
)
from rescue.ui.screen import Screen

_ROOT = Path("/")


@dataclass(frozen=True, kw_only=True)
class RestoreOptions:
    """What the command line asked for. `expected` is '' where a person is asked instead."""

    origin: str = ""
    trees: tuple[str, ...] = ()
    keep_replaced: bool = False
    expected: str = ""
    ask: bool = True
    report: str = ""


def show(options: RestoreOptions, screen: Screen, *, as_json: bool) -> ExitCode:
    """Find the dead disk, print what would come back, and stop there."""
    with _planned(options, screen) as (plan, _):
        if as_json:
            screen.show_plain(to_json(plan))
        else:
            screen.show(render_restore(plan))
    return ExitCode.DONE


def restore(options: RestoreOptions, screen: Screen) -> ExitCode:
    """Find the dead disk, show what would come back, bring it back, and say what came.

    Returns DONE, or DEGRADED where something could not be read. Raises RefusedError before
    anything is written, RescueError where this system cannot be written to.
    """
    with _planned(options, screen) as (plan, sides):
        screen.show(render_restore(plan))
        return _carry_out(plan, options, sides, screen)


@dataclass(frozen=True, kw_only=True)
class _Sides:
    """Where the file systems of both disks are seen, by mount point."""

    dead: DeadDisk
    here: Mapping[str, Path]


@contextmanager
def _planned(options: RestoreOptions, screen: Screen) -> Iterator[tuple[RestorePlan, _Sides]]:
    """Give the plan, and both sides open for as long as the block runs."""
    with only_one_run():
        machine = discover()
        request, image_size = _request(machine, options)
        start = unless_refused(
            begin_restore(machine, request, image_size=image_size, boots=_boots(), now=time())
        )
        with opened(
            start.found.origin,
            start.pairs,
            table_uuid=_table_of(start.record, start.found.origin),
            layout=start.layout,
        ) as dead:
            people = people_of(dead, start, request)
            if refusals := mount_refusals(machine, people.start.pieces):
                raise GuardRefusedError(tuple(refusals))
            with seen_apart(piece.mount_point for piece in people.start.pieces) as here:
                sides = _Sides(dead=dead, here=here)
                yield _plan(machine, people, request, sides, screen), sides


def _carry_out(
    plan: RestorePlan, options: RestoreOptions, sides: _Sides, screen: Screen
) -> ExitCode:
    named = options.expected
    if options.ask:
        choice = _ask(plan, screen)
        if choice is RestoreChoice.LEAVE:
            screen.show("nothing was brought back")
            return ExitCode.DONE
        plan = replace(plan, keep_replaced=plan.keep_replaced or choice is RestoreChoice.ASIDE)
        named = plan.origin.name
    grant = grant_return(plan, named=named)
    try:
        report = apply_restore(
            plan, grant, dead=sides.dead.places, here=sides.here, emit=screen.emit
        )
    finally:
        screen.close()
    if options.report:
        write_report(report, Path(options.report))
    screen.show(render_report(report))
    count = sum(len(told.comes) for told in report.users)
    said = "complete" if report.complete else "partial: not everything could be read"
    code = ExitCode.DONE if report.complete else ExitCode.DEGRADED
    told = f"restore from {plan.origin.name}: {count} files came back, {said}"
    journal.report_success(told, code=code)
    return code


def write_report(report: RestoreReport, path: Path) -> None:
    """Write the report twice, as JSON and as text, readable by root alone.

    `path` with .json or .txt at its end names one of them, and the other lies beside it.
    """
    stem = path.with_suffix("") if path.suffix in (".json", ".txt") else path
    text = "".join(f"{printable(line)}\n" for line in report_lines(report))
    for suffix, content in ((".json", to_json(report)), (".txt", text)):
        write_atomic(stem.with_name(stem.name + suffix), content.encode(), mode=0o600)


def _request(machine: Machine, options: RestoreOptions) -> tuple[RestoreRequest, int]:
    """Return the request, and the size of the image that it names (-1 where it names none).

    A block device that is neither a disk nor a partition (of device-mapper, a loop device) is
    read as an image is.
    """
    named, size = options.origin, -1
    path = Path(named)
    if named and path.is_file():
        named, size = str(path.resolve()), path.stat().st_size
    elif named and path.is_block_device() and not _is_known(machine, named):
        size = loop.sectors(named) * 512
    elif named and not named.startswith("/dev/") and "/" in named:
        raise UsageError(f"there is no image {named}", hint="name a file, a disk or a partition")
    if options.report and not Path(options.report).absolute().parent.is_dir():
        raise UsageError(f"the folder of {options.report} does not exist", hint="create it first")
    if not named:
        named = behind_other_sectors(machine)
    request = RestoreRequest(named=named, trees=options.trees, keep_replaced=options.keep_replaced)
    return request, size


def _table_of(record: MirrorRecord, origin: Origin) -> str:
    """Return the recorded id of the dead disk's table: of a RAID 1, that of its own."""
    known = (each.table_uuid for each in record.twins if each.id.same_disk(origin.id))
    return next(known, record.source.table_uuid)


def behind_other_sectors(machine: Machine) -> str:
    """Return the dead disk if its adapter shows another sector size, '' if none does.

    Its table cannot be read then as disks are read, and its serial is the adapter's.
    """
    record = machine.running_mirror
    if record is None or not machine.is_root or machine.with_table(record.source.table_uuid):
        return ""
    bare = (disk for disk in machine.disks if not disk.all_uses and _looks_bare(disk))
    found = [
        disk.path
        for disk in bare
        if (table := table_behind(disk.path, shown=disk.logical_sector)) is not None
        and table.uuid == record.source.table_uuid
    ]
    return found[0] if len(found) == 1 else ""


def _looks_bare(disk: Disk) -> bool:
    """Whether a disk shows no table but one that only guards a GPT."""
    return all(part.type == "ee" for part in disk.partitions)


def _is_known(machine: Machine, path: str) -> bool:
    """Whether a device path or a link to it is a disk or a partition of the machine."""
    real = os.path.realpath(path)
    parts = (part.path for disk in machine.disks for part in disk.partitions)
    return real in (*(disk.path for disk in machine.disks), *parts)


def _boots(root: Path = _ROOT) -> tuple[float, ...]:
    """Return when the mirror was started since its last run, none where that is not known of all.

    Without them what changed since the mirror's last complete run counts as changed here.
    """
    told = load_boots(root)
    if NO_TIME in told:
        return ()
    return tuple(datetime.fromisoformat(text).timestamp() for text in told)


def _plan(
    machine: Machine, people: People, request: RestoreRequest, sides: _Sides, screen: Screen
) -> RestorePlan:
    """Compare both sides and plan. If no plan can be made, the findings are shown."""
    start, owners, dead = people.start, people.mapped.owners, sides.dead
    compared = {
        piece: compare_now(
            dead.places[piece.mount_point],
            here,
            piece,
            since=start.since,
            touched=start.touched,
            owners=owners,
        )
        for piece, here in readable(start, dead.places, sides.here).items()
    }
    planned = plan_restore(
        machine,
        start,
        request,
        readings=dead.readings,
        findings=dead.findings,
        compared=compared,
        free=_free(compared, sides.here),
        mapped=people.mapped,
        notes=people.notes,
        now=time(),
    )
    if isinstance(planned, Refused):
        for line in diagnosis_lines(dead.findings):
            screen.show(line)
    return unless_refused(planned)


def readable(
    start: Start, places: Mapping[str, Path], running: Mapping[str, Path]
) -> dict[Piece, Path]:
    """Return the pieces that the dead disk has, with where they return to.

    `places` and `running` are where both disks' file systems are seen, by mount point. Raises
    RefusedError where a tree leads through a link on either side.
    """
    found = {}
    for piece in start.pieces:
        dead, here = places.get(piece.mount_point), running[piece.mount_point]
        if dead is None or piece.is_covered:
            continue
        there = link_on_the_way(dead, piece.inside)
        if not there and not (dead / piece.inside).exists():
            continue
        if link := there or link_on_the_way(here, piece.inside):
            raise RefusedError(
                f"{piece.tree} leads through a link ({link})",
                hint="name its real path with --tree",
            )
        found[piece] = here
    return found


def _free(compared: Mapping[Piece, Comparison], here: Mapping[str, Path]) -> dict[str, Free]:
    places = {piece.mount_point for piece in compared}
    left = {place: free_on(here[place]) for place in places}
    return {place: Free(size=size, inodes=inodes) for place, (size, inodes) in left.items()}


def _ask(plan: RestorePlan, screen: Screen) -> RestoreChoice:
    while (choice := ask_restore(plan)) is RestoreChoice.LIST:
        for line in list_lines(plan):
            screen.show(line)
    return choice
