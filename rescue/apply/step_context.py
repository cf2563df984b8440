"""What the step handlers share while a plan is carried out."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from rescue.apply.workspace import Site, Workspace
from rescue.grants import WriteGrant
from rescue.model.event import Event, Notice
from rescue.model.mirror.record import FreeSpace, MirrorRecord
from rescue.model.mirror.unread import Seen
from rescue.system.files.atomic import keep_times
from rescue.system.rsync.progress import Tally


@dataclass(kw_only=True)
class StepContext:
    """The state of one run. `record` and the figures grow; the rest stays as given.

    `failing` becomes true with the first error reading the source's disk: nothing is deleted
    from then on. `flags` are the inode flags that were found on the mirror, by mount point and
    path. `kept` are paths that no longer exist like this on the source, and that were not
    deleted. `seen` is how far each file system of the source can be looked into, by mount
    point. `notes` are the notices that should still be known after the run.
    """

    grant: WriteGrant
    emit: Callable[[Event], None]
    site: Site
    record: MirrorRecord
    done: Tally = field(default_factory=Tally)
    vanished: list[str] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)
    free: tuple[FreeSpace, ...] = ()
    flags: dict[str, dict[str, int]] = field(default_factory=dict)
    kept: list[str] = field(default_factory=list)
    failing: bool = False
    seen: dict[str, Seen] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    @property
    def device(self) -> str:
        """The whole disk's node, where the plan saw it."""
        return self.grant.plan.target_path

    def note(self, said: str) -> None:
        """Report what was unusual about this run, and keep it for the summary."""
        self.notes.append(said)
        self.emit(Notice(message=said))

    def check_disk(self) -> None:
        """Raise RefusedError unless the disk at the plan's path is the granted one, now."""
        self.grant.check(self.site.identify(self.device), path=self.device)


@dataclass(kw_only=True)
class TreeWork(StepContext):
    """A run with everything mounted.

    `judged` are the source's menus as they were checked, by their path on the whole tree: these
    are written, even if the source changes a moment later.
    """

    workspace: Workspace
    judged: dict[str, bytes] = field(default_factory=dict)

    def on_source(self, path: str) -> Path:
        """Where a path of the whole tree lies on the source."""
        pair, inside = self.workspace.pair_of(path)
        return self.workspace.source(pair.mount_point) / inside.lstrip("/")

    def on_mirror(self, path: str) -> Path:
        """Where a path of the whole tree lies on the mirror."""
        pair, inside = self.workspace.pair_of(path)
        return self.workspace.mirror(pair.mount_point) / inside.lstrip("/")

    def keep_folder_times(self, path: str) -> None:
        """Give the folder that a path lies in the times that it has on the source."""
        keep_times(self.on_source(path).parent, self.on_mirror(path).parent)
