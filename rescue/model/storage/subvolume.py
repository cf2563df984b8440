"""Subvolumes of a btrfs: what each is called, where it lies, and where it came from."""

from dataclasses import dataclass

TOP_LEVEL = 5
"""The id of the subvolume that every btrfs begins with (man 8 btrfs-subvolume)."""


@dataclass(frozen=True, kw_only=True)
class BtrfsSubvolume:
    """One subvolume of a btrfs (man 8 btrfs-subvolume).

    `path` is from the top of the file system and does not begin with '/'. `parent` is the id of the
    subvolume it lies in. `snapshot_of` is the UUID of the subvolume it was a snapshot of, which may
    be gone; `received` is of the one it was sent from. Both are '' where there is none.
    """

    id: int
    parent: int
    path: str
    uuid: str
    snapshot_of: str = ""
    received: str = ""
    read_only: bool = False

    @property
    def in_words(self) -> str:
        """What sets it apart: 'read-only snapshot', 'snapshot', 'read-only'; '' where nothing."""
        words = ("read-only" if self.read_only else "", "snapshot" if self.snapshot_of else "")
        return " ".join(filter(None, words))
