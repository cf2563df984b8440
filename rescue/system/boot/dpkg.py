"""The door to dpkg: is somebody installing packages now?"""

import fcntl
import os
import struct
from pathlib import Path

FRONTEND_LOCK = Path("/var/lib/dpkg/lock-frontend")
"""Held by apt and other front ends as long as they are at work, and by dpkg itself."""

_FLOCK = struct.Struct("@hhqqi4x")
"""struct flock of 64-bit Linux: type, whence, start, length, process (man 2 fcntl)."""


def lock_holder(path: Path = FRONTEND_LOCK) -> int | None:
    """Return the process that holds dpkg's lock, or None, without taking the lock.

    The kernel is asked (man 2 fcntl, F_GETLK): trying a lock means holding it for a moment, and
    an apt that begins in that moment would give up. Raises OSError where the file cannot be
    opened.
    """
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        asked = _FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
        kind, _, _, _, process = _FLOCK.unpack(fcntl.fcntl(fd, fcntl.F_GETLK, asked))
    finally:
        os.close(fd)
    return None if kind == fcntl.F_UNLCK else int(process)


def program(process: int) -> str:
    """Return a process's name (man 5 proc, /proc/PID/comm), or '' if it is gone."""
    try:
        return Path(f"/proc/{process}/comm").read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""
