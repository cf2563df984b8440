"""Copying the users' files back into the running system; nothing is deleted."""

import os
import time
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from pathlib import Path

from rescue.apply.flags import Unlocked, give_back
from rescue.errors import RefusedError, RescueError
from rescue.grants import ReturnGrant
from rescue.model.event import Event, Notice, Progress
from rescue.model.mirror.since import Since
from rescue.model.restore.comparison import Comparison, absolute, compare, in_tree, merged, settled
from rescue.model.restore.name_pair import Decision, Fact, NamePair, decide, owned
from rescue.model.restore.owners import Owners
from rescue.model.restore.way_back import NOT_RESTORED, Piece, RestorePlan, RestoreReport, Told
from rescue.restore.folders import clear, own_names, replaced_folder, work_folder
from rescue.system.files import mount_namespace
from rescue.system.files.atomic import sync_filesystem
from rescue.system.files.holes import holes_at
from rescue.system.files.paired_trees import link_on_the_way, name_pair_at, name_pairs
from rescue.system.process.timed_step import timed_step
from rescue.system.rsync import rsync
from rescue.system.rsync.complaints import is_of_the_way, parse_complaints
from rescue.system.rsync.exit_codes import Ending, meaning
from rescue.system.rsync.progress import Listener
from rescue.system.rsync.rule_files import name_list
from rescue.system.rsync.way_back import ReturnJob, return_argv
from rescue.units import human_bytes

_MANY_ZEROS = 1 << 30  # bytes: some seconds


@dataclass(kw_only=True)
class _Work:
    """The state of one restore.

    `dead` is where the dead disk's file systems are mounted, `sides` where the running system's
    are bound, by mount point.
    """

    plan: RestorePlan
    grant: ReturnGrant
    dead: Mapping[str, Path]
    sides: Mapping[str, Path]
    emit: Callable[[Event], None]
    name: str
    partial: bool = False
    users: list[Told] = field(default_factory=list)
    replaced: list[str] = field(default_factory=list)

    def here(self, piece: Piece) -> Path:
        return self.sides[piece.mount_point]


def apply_restore(
    plan: RestorePlan,
    grant: ReturnGrant,
    *,
    dead: Mapping[str, Path],
    here: Mapping[str, Path],
    emit: Callable[[Event], None],
) -> RestoreReport:
    """Bring back what the plan names, and return what came back.

    Both sides are compared again first, since the running system has moved on. `dead` and
    `here` are where the file systems of both are seen, by mount point. Raises RefusedError
    where a file system is not what was granted, RescueError where this system could not be
    written to; what came back until then stays (a file is there whole or not at all), and
    another restore continues from there.
    """
    if grant.plan != plan:
        raise RefusedError("the grant is for another plan", hint="confirm this one first")
    started, clock = time.time(), time.monotonic()
    work = _Work(
        plan=plan,
        grant=grant,
        dead=dead,
        sides=here,
        emit=emit,
        name=time.strftime("%Y-%m-%dT%H-%M-%SZ", time.gmtime(started)),
        partial=not plan.is_whole,
    )
    for piece in plan.pieces:
        check_sides(work.dead[piece.mount_point], work.here(piece), piece, grant)
    for number, piece in enumerate(plan.pieces, 1):
        title = f"bring back {piece.tree}"
        with timed_step(title, emit, number=number, total=len(plan.pieces)) as outcome:
            outcome.detail = _bring(piece, work)
    users = merged(work.users)
    unread = any(told.unreadable for told in users)
    return RestoreReport(
        host=plan.host,
        origin=plan.origin,
        started=started,
        seconds=time.monotonic() - clock,
        complete=not (work.partial or unread),
        users=users,
        replaced=tuple(dict.fromkeys(work.replaced)),
        future_there=plan.future_there,
        future_here=plan.future_here,
        findings=plan.findings,
        notes=plan.notes,
    )


def check_sides(dead: Path, here: Path, piece: Piece, grant: ReturnGrant) -> None:
    """Raise RefusedError unless `here` is the granted file system and `dead` cannot be written."""
    grant.check(mount_point=piece.mount_point, uuid=mount_namespace.mounted_at(here).uuid)
    if not os.statvfs(dead).f_flag & os.ST_RDONLY or dead.stat().st_dev == here.stat().st_dev:
        raise RefusedError(
            f"the dead disk's file system of {piece.mount_point} is not mounted read-only",
            hint="nothing was written; this is an error of rescue, please report it",
        )
    link = link_on_the_way(here, piece.inside) or link_on_the_way(dead, piece.inside)
    if link:
        raise RefusedError(
            f"{piece.tree} leads through a link ({link})",
            hint="nothing was written; name its real path with --tree",
        )


def compare_now(
    dead: Path,
    here: Path,
    piece: Piece,
    *,
    since: float,
    touched: Since,
    owners: Owners | None = None,
) -> Comparison:
    """Compare a piece on both sides as they are now, its owners as they would be here.

    Times are as in RestorePlan.
    """
    skip = NOT_RESTORED | own_names(dead) | own_names(here) | {*piece.nested, *piece.covered}
    found = name_pairs(dead, here, inside=piece.inside, skip=skip, touched=_touched(piece, touched))
    names = owned(found, owners or Owners())
    return compare(names, piece, since_ns=int(since * 1e9), now_ns=time.time_ns())


def _touched(piece: Piece, limits: Since) -> Callable[[str, Fact], bool]:
    return lambda path, fact: fact.ctime_ns >= limits.of(absolute(piece, path))


def _bring(piece: Piece, work: _Work) -> str:
    dead, here = work.dead[piece.mount_point], work.here(piece)
    check_sides(dead, here, piece, work.grant)
    plan = work.plan
    ahead = compare_now(
        dead, here, piece, since=plan.since, touched=plan.touched, owners=plan.owners
    )
    if not ahead.send:
        work.users += ahead.users
        return "nothing to bring back"
    aside = set(ahead.send) if work.plan.keep_replaced else set(ahead.aside)
    fresh = work_folder(here)
    try:
        ended_well = True
        for names in _zeros_last(ahead.send, dead):
            ended_well = _send_both(names, aside, piece, fresh, work) and ended_well
    finally:
        clear(fresh)
        sync_filesystem(here)
    users = _look_again(ahead, piece, work, ended_well=ended_well)
    work.users += users
    count = sum(len(told.comes) for told in users)
    return f"{count} files, {human_bytes(sum(told.bytes_back for told in users))}"


def _zeros_last(names: Sequence[str], dead: Path) -> tuple[list[str], list[str]]:
    """Split names: rsync reads every zero of a hole, and other files should not wait for that."""
    zeros = {name for name in names if holes_at(dead / name) >= _MANY_ZEROS}
    return [name for name in names if name not in zeros], [name for name in names if name in zeros]


def _send_both(
    names: Sequence[str], aside: Set[str], piece: Piece, fresh: Path, work: _Work
) -> bool:
    """Bring files back; those in `aside` with what they replace put aside."""
    ended_well = _send([name for name in names if name not in aside], None, piece, fresh, work)
    if kept := [name for name in names if name in aside]:
        ended_well = _send_aside(kept, piece, fresh, work) and ended_well
    return ended_well


def _send_aside(names: list[str], piece: Piece, fresh: Path, work: _Work) -> bool:
    """Bring back files and put those they replace aside; remove the folder if it stays empty."""
    folder = replaced_folder(work.here(piece))
    replaced = folder / work.name
    replaced.mkdir(mode=0o700, exist_ok=True)
    try:
        return _send(names, replaced, piece, fresh, work)
    finally:
        if any(replaced.iterdir()):
            work.replaced.append(f"{piece.mount_point.rstrip('/')}/{folder.name}/{work.name}")
        else:
            replaced.rmdir()
            if not any(folder.iterdir()):
                folder.rmdir()


def _send(names: list[str], aside: Path | None, piece: Piece, fresh: Path, work: _Work) -> bool:
    """Run rsync for these names; return whether all of them came. Raises RescueError."""
    if not names:
        return True
    listed = fresh / "names"
    listed.write_bytes(name_list(names))
    growing = fresh / "new"
    growing.mkdir(mode=0o700, exist_ok=True)
    dead, here = work.dead[piece.mount_point], work.here(piece)
    job = ReturnJob(
        source=dead, target=here, names=listed, fresh=growing, aside=aside, owners=work.plan.owners
    )
    listener = Listener(
        lambda seen: work.emit(
            Progress(
                bytes_done=seen.bytes_done,
                share=seen.share,
                rate=seen.rate,
                files_done=seen.files_seen,
                files_total=len(names),
            )
        )
    )
    with Unlocked(here, names):
        done = rsync.carry_out(return_argv(job), on_line=listener.line)
    ending, words = meaning(done.returncode)
    give_back(dead, here, names)
    if ending is Ending.DONE:
        return True
    said = parse_complaints(done.stderr, source=dead, shown_as=piece.mount_point)
    if said.full:
        raise RescueError(
            f"{piece.mount_point} is full: not everything came back",
            hint="make room and run the same command again: it continues from here",
        )
    lines = [line for line in said.unwritable if not is_of_the_way(line)]
    if ending is Ending.FAILED or lines:
        lines += done.stderr.strip().splitlines()
        raise RescueError(
            f"rsync to {piece.mount_point} failed (exit code {done.returncode}): {words}"
            + (f": {lines[0]}" if lines else ""),
            hint="see 'dmesg' for errors of either disk, and run the same command again",
        )
    # Someone moved a parent folder meanwhile: this file did not arrive, everything else did.
    moved = len(said.unwritable)
    if said.unreadable or not moved:
        work.emit(Notice(message=f"{len(said.unreadable)} files of {piece.tree} were unreadable"))
    if moved:
        work.emit(
            Notice(
                message=(
                    f"the folders on the way to {moved} files of {piece.tree} changed meanwhile"
                )
            )
        )
    return False


def _look_again(
    ahead: Comparison, piece: Piece, work: _Work, *, ended_well: bool
) -> tuple[Told, ...]:
    """Compare once more what was sent, and return what came back.

    Where rsync was content, what is not here any more was moved on by its reader.
    """
    failed: dict[str, int] = {}
    newer: dict[str, int] = {}
    for path in ahead.send:
        dead, here = work.dead[piece.mount_point], work.here(piece)
        pair = name_pair_at(dead, here, path, touched=_touched(piece, work.plan.touched))
        decision = _decide_now(pair, work.plan.since)
        size = pair.there.size if pair.there else 0
        if decision is Decision.NEWER_HERE:
            newer[in_tree(piece, path)] = size
        elif decision is not Decision.SAME and not ended_well:
            failed[in_tree(piece, path)] = size
    return tuple(settled(told, failed=failed, newer=newer) for told in ahead.users)


def _decide_now(pair: NamePair, since: float) -> Decision:
    return decide(pair, since_ns=int(since * 1e9), now_ns=time.time_ns())
