"""Unreadable parts of a source: not gone, so nothing of them is deleted on the mirror."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Unread:
    """One unreadable name in a file system, with everything below it.

    `path` is relative to the file system's root and begins with '/'. `is_folder` is true where the
    name itself is known and what is in it is not. `failing` is true where the disk did not give it.
    """

    path: str
    why: str
    is_folder: bool = True
    failing: bool = False


@dataclass(frozen=True, kw_only=True)
class Seen:
    """How far a file system can be looked into.

    `encrypted` are folders whose key is there now, and may be removed at any moment: a name
    missing in them counts as gone only after the key was checked again. Only the topmost are
    named. `hollow` are files with so many holes that they are copied separately.
    """

    unread: tuple[Unread, ...] = ()
    encrypted: tuple[str, ...] = ()
    hollow: tuple[str, ...] = ()

    def hides(self, path: str) -> bool:
        """Whether a path (relative to the file system's root) is, or lies below, what is unread."""
        inside = f"/{path.strip('/')}/"
        return any(inside.startswith(f"{each.path.rstrip('/')}/") for each in self.unread)
