"""The two sides of a run as they are measured: source and mirror, mounted and read-only.

Whoever measures is given them, and opens nothing: no grant gets here.
"""

from pathlib import Path
from typing import Protocol

from rescue.model.mirror.record import FilesystemPair, MirrorRecord
from rescue.model.storage.filesystem import FsKind


class Sides(Protocol):
    """Source and mirror of one record, side by side."""

    @property
    def record(self) -> MirrorRecord:
        """The record of the mirror."""

    def source(self, mount_point: str) -> Path:
        """Return where the source's file system is seen. Raises RescueError for one not copied."""

    def mirror(self, mount_point: str) -> Path:
        """Return where the mirror's counterpart of that file system is seen."""

    def kind_of(self, mount_point: str) -> FsKind:
        """Return the kind of that file system."""

    def pair_of(self, path: str) -> tuple[FilesystemPair, str]:
        """Given a path on the whole tree, return its file system and the path within ('/...')."""
