"""Digests of the source's files at their last comparison, a row for each, in SQLite.

Kept on the source (and so on every mirror) in /var/lib/rescue/, readable by root alone. Paths are
bytes, as the kernel has them; file systems are named by their mount points, which outlive a disk.
"""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from rescue import paths
from rescue.errors import RescueError, UsageError
from rescue.model.run.rot import Known

DIGESTS_VERSION = 1

DAMAGED_SUFFIX = ".damaged"

_DAMAGE = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
_BATCH = 1000
_TABLE = """
CREATE TABLE IF NOT EXISTS digest (
    filesystem TEXT NOT NULL,
    path BLOB NOT NULL,
    size INTEGER NOT NULL,
    mtime_ns INTEGER NOT NULL,
    ctime_ns INTEGER NOT NULL,
    digest BLOB NOT NULL,
    seen INTEGER NOT NULL,
    PRIMARY KEY (filesystem, path)
) WITHOUT ROWID"""
_PUT = "INSERT OR REPLACE INTO digest VALUES (?, ?, ?, ?, ?, ?, ?)"
_GET = "SELECT size, mtime_ns, ctime_ns, digest FROM digest WHERE filesystem = ? AND path = ?"
_TOUCH = "UPDATE digest SET seen = ? WHERE filesystem = ? AND path = ?"
_FORGET = "DELETE FROM digest WHERE filesystem = ? AND seen <> ?"


class Digests:
    """The digests, while one comparison reads and renews them.

    `begun_anew` is true where those of last time were damaged.
    """

    def __init__(self, database: sqlite3.Connection, *, begun_anew: bool) -> None:
        """Use `opened` instead."""
        self.begun_anew = begun_anew
        self._database = database
        newest = database.execute("SELECT coalesce(max(seen), 0) FROM digest").fetchone()
        self._now: int = newest[0] + 1
        self._rows: list[tuple[object, ...]] = []

    def get(self, filesystem: str, path: str) -> Known | None:
        """Return what is recorded about a file, or None if nothing is."""
        self._write()
        row = self._database.execute(_GET, (filesystem, os.fsencode(path))).fetchone()
        return Known(size=row[0], mtime_ns=row[1], ctime_ns=row[2], digest=row[3]) if row else None

    def put(self, filesystem: str, path: str, known: Known) -> None:
        """Record a file's present state."""
        facts = (known.size, known.mtime_ns, known.ctime_ns, known.digest)
        self._rows.append((filesystem, os.fsencode(path), *facts, self._now))
        if len(self._rows) >= _BATCH:
            self._write()

    def keep(self, filesystem: str, path: str) -> None:
        """Keep a file's record unchanged: the file exists, but its content is in doubt."""
        self._write()
        self._database.execute(_TOUCH, (self._now, filesystem, os.fsencode(path)))

    def forget_others(self, filesystem: str) -> None:
        """Forget every file of a file system that was not seen since this was opened."""
        self._write()
        self._database.execute(_FORGET, (filesystem, self._now))

    def commit(self) -> None:
        """Make what was recorded so far durable."""
        self._write()
        self._database.commit()

    def _write(self) -> None:
        self._database.executemany(_PUT, self._rows)
        self._rows.clear()


class _DamagedError(sqlite3.DatabaseError):
    """SQLite's own check of the whole file found it damaged."""


@contextmanager
def opened(path: Path = paths.DIGESTS) -> Iterator[Digests]:
    """Open the digests, creating them if necessary; uncommitted changes are discarded.

    A damaged file (a disk rots) is set aside, and a new one begun. Raises UsageError where it
    was written by a newer rescue, and RescueError, out of the block too, where the file cannot
    be read or written (its file system is full): it is left as it was.
    """
    try:
        connection, begun_anew = _opened_or_anew(path)
    except (sqlite3.Error, OSError) as error:
        raise _unusable(path, error) from error
    with closing(connection):
        try:
            yield Digests(connection, begun_anew=begun_anew)
        except sqlite3.Error as error:
            raise _unusable(path, error) from error


def _opened_or_anew(path: Path) -> tuple[sqlite3.Connection, bool]:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        return _opened(path, known=path.exists()), False
    except sqlite3.Error as error:
        if not _is_damage(error):
            raise
    path.replace(path.with_name(path.name + DAMAGED_SUFFIX))
    path.with_name(f"{path.name}-journal").unlink(missing_ok=True)
    return _opened(path, known=False), True


def _opened(path: Path, *, known: bool) -> sqlite3.Connection:
    """Open the database, creating it if necessary.

    One that is `known` holds digests, or is damaged: SQLite takes a file of no bytes for a new one.
    """
    # Made by us, so that it is for root alone from its first byte; SQLite's journal takes its mode.
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    database = sqlite3.connect(path)
    try:
        _prepare(database, path, known=known)
    except BaseException:
        database.close()
        raise
    return database


def _prepare(database: sqlite3.Connection, path: Path, *, known: bool) -> None:
    version = database.execute("PRAGMA user_version").fetchone()[0]
    if known and version == 0:
        raise _DamagedError("it holds no digests")
    if version > DIGESTS_VERSION:
        raise UsageError(
            f"{path} was written by a newer rescue (version {version}, known is {DIGESTS_VERSION})",
            hint="install the newer rescue on this machine",
        )
    found = database.execute("PRAGMA quick_check(1)").fetchone()[0]
    if found != "ok":
        raise _DamagedError(found)
    database.execute(_TABLE)
    # Said again it would be written again, and a full file system would keep them from being read.
    if version != DIGESTS_VERSION:
        database.execute(f"PRAGMA user_version = {DIGESTS_VERSION}")
    database.commit()


def _is_damage(error: sqlite3.Error) -> bool:
    """Whether the content is at fault rather than access to it."""
    # Python's own errors have no code. The lowest byte is the kind (sqlite.org/rescode.html).
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_OK) & 0xFF
    return isinstance(error, _DamagedError) or code in _DAMAGE


def _unusable(path: Path, error: sqlite3.Error | OSError) -> RescueError:
    if isinstance(error, sqlite3.Error) and _is_damage(error):
        return RescueError(
            f"the digests of last time, {path}, are damaged: {error}",
            hint="run the same command again: it puts them aside, and begins anew",
        )
    said = error.strerror if isinstance(error, OSError) else error
    return RescueError(
        f"the digests of last time, {path}, cannot be used: {said}",
        hint="they are kept; see 'df' and 'dmesg' whether their file system is full, read-only or "
        "failing, and run the same command again; without --checksum none are needed",
    )
