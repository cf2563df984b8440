"""The differences between a file system and its mirror, as one look at both found them."""

from dataclasses import dataclass, field

from rescue.model.mirror.unread import Seen


@dataclass(frozen=True, kw_only=True)
class Differences:
    """All that a copy has to do to make the mirror's file system equal, name by name.

    Paths are relative to the file system's root ('.' is the root itself). `changed` exist on the
    source; each stands for itself, a folder not for what is in it. `gone` exist on the mirror
    alone, a folder with everything in it. `files_total` is the number of entries on the source,
    `seen` how far it could be looked into.
    """

    changed: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()
    files_total: int = 0
    seen: Seen = field(default_factory=Seen)
