"""The homes on a dead disk: whose they are, and where they lie.

Homes outside /home, and those that /home only links to, are trees of their own.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from rescue.errors import RefusedError, in_words
from rescue.model.restore.account import Accounts
from rescue.model.restore.way_back import HOMES, RestoreRequest, TableState
from rescue.restore.accounts import accounts_by_folder, read_accounts
from rescue.restore.dead_disk import DeadDisk
from rescue.restore.dead_tree import real_folder
from rescue.restore.homes import Home, elsewhere, home_notes
from rescue.restore.owners import Mapped, map_owners
from rescue.restore.plan import Start


@dataclass(frozen=True, kw_only=True)
class People:
    """Where a restore begins once the accounts are known, and how owners are mapped."""

    start: Start
    mapped: Mapped
    notes: tuple[str, ...]


def people_of(
    dead: DeadDisk, start: Start, request: RestoreRequest, *, root: Path = Path("/")
) -> People:
    """Read the accounts of both sides; if no tree was named, add homes that lie elsewhere.

    `root` is where the running system's tree is seen. Raises RefusedError where its own
    accounts cannot be read, since no owner could be determined then.
    """
    try:
        here = read_accounts(root)
    except (OSError, ValueError) as error:
        raise RefusedError(
            f"the accounts of this system (/etc/passwd, /etc/group) cannot be read: {_said(error)}",
            hint="nothing was written; repair them: files must not be given to the wrong user",
        ) from error
    there, notes = _accounts_there(dead, start)
    mapped = map_owners(there, here)
    if request.trees:
        return People(start=start, mapped=mapped, notes=notes)
    homes = tuple(_homes(there, here, _seen_there(dead, start), lambda path: root / path[1:]))
    start = elsewhere(start, homes)
    for pair in start.pairs:
        dead.open(pair)
    return People(start=start, mapped=mapped, notes=(*notes, *home_notes(homes)))


def _accounts_there(dead: DeadDisk, start: Start) -> tuple[Accounts, tuple[str, ...]]:
    """Return the dead disk's accounts, guessed by its homes where its files cannot be read."""
    try:
        place = _root(dead, start)
        if place is None:
            raise ValueError("its root file system cannot be read")
        return read_accounts(place), ()
    except (OSError, ValueError) as error:
        note = f"/etc/passwd and /etc/group of the dead disk: {_said(error)}"
    try:
        seen = _seen_there(dead, start)(HOMES)
        return accounts_by_folder(seen) if seen is not None else Accounts(by_folder=True), (note,)
    except OSError:
        return Accounts(by_folder=True), (note,)


def _root(dead: DeadDisk, start: Start) -> Path | None:
    """Return where the dead disk's root is seen; a single file system is not asked to be it."""
    if dead.table.state is TableState.NONE_NEEDED:
        return dead.places.get("/")
    before = len(dead.findings)
    place = dead.open(start.record.root)
    if "/" not in {pair.mount_point for pair in start.pairs}:
        # Nothing comes back from it: its problems are reported together with the accounts.
        del dead.findings[before:]
    return place


def _seen_there(dead: DeadDisk, start: Start) -> Callable[[str], Path | None]:
    single = dead.table.state is TableState.NONE_NEEDED

    def seen(path: str) -> Path | None:
        pair = start.record.holder_of(path)
        place = dead.places.get(pair.mount_point) if single else dead.open(pair)
        inside = path.removeprefix(pair.mount_point.rstrip("/")).lstrip("/")
        return place / inside if place is not None else None

    return seen


def _homes(
    there: Accounts,
    here: Accounts,
    seen_there: Callable[[str], Path | None],
    seen_here: Callable[[str], Path | None],
) -> Iterator[Home]:
    for account in there.people:
        own = here.user(account.name)
        meant = own.home if own is not None else account.home
        lies = real_folder(account.home, seen_there)
        # Made after the last run, it is not here yet, and comes to where it was.
        new = lies if meant == account.home else meant
        yield Home(
            user=account.name,
            account=account.home,
            there=lies,
            here=real_folder(meant, seen_here) or new,
        )


def _said(error: OSError | ValueError) -> str:
    return (error.strerror or str(error)) if isinstance(error, OSError) else in_words(error)
