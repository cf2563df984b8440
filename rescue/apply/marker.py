"""The marker on the mirror's root, /.rescue/mirror.json, written with fsync and rename."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from pathlib import Path

from rescue import paths
from rescue.apply.banner import banners
from rescue.apply.workspace import Site, Workspace
from rescue.errors import RefusedError
from rescue.grants import MarkerGrant, WriteGrant
from rescue.model.mirror.plan import PlanKind
from rescue.model.mirror.record import MirrorRecord, MirrorState
from rescue.model.run.exposure import Proven
from rescue.store.records import forget_past, load_marker, save_marker  # noqa: TID251


def write_marker(
    root: Path,
    record: MirrorRecord,
    grant: WriteGrant,
    *,
    recovery_files: Mapping[str, bytes] | None = None,
) -> None:
    """Write the record to the mirror whose root is mounted at `root`, and what it says at login.

    `recovery_files` are files by name that lie beside it (the recovery page). In this order: with a
    complete run it is no longer a system that was started on its own, and that is forgotten first,
    else a cut would leave a complete mirror refused for changes that are gone; then what people
    read; then the marker (`store.records.save_marker`).
    The grant must be for the disk that the record is of; it is given by who mounted `root`.
    """
    if not grant.covers(record):
        raise RefusedError(
            f"the record of {record.mirror.id.name} does not belong on {grant.disk.name}"
        )
    if record.state is MirrorState.COMPLETE:
        forget_past(root)
    save_marker(root, record, {**(recovery_files or {}), **banners(record)})


def expect_marker(root: Path, record: MirrorRecord) -> MirrorRecord:
    """Return the mirror's marker.

    Raises RefusedError unless it is this machine's, of this name, and knows the record's secret.
    """
    found = load_marker(root)
    if found is None:
        raise RefusedError(
            f"the disk of mirror '{record.name}' carries no marker in /{paths.OWN_FOLDER}",
            hint="it was never prepared to its end, or something erased it: prepare it again",
        )
    if (found.name, found.machine_id) != (record.name, record.machine_id):
        raise RefusedError(
            f"the disk carries the mirror '{found.name}' of {found.host}, "
            f"expected was '{record.name}' of {record.host}",
            hint="this is another machine's mirror, or it was enrolled under another name",
        )
    # Looked at once more: between the plan and now the disk may have been another one.
    if record.secret.is_drawn and not record.secret.matches(found.secret):
        raise RefusedError(
            f"the disk says it is mirror '{record.name}', and does not know its secret",
            hint="somebody may have made it look like the mirror: attach the mirror itself",
        )
    return found


@contextmanager
def mirror_root(record: MirrorRecord, grant: WriteGrant, site: Site | None) -> Iterator[Path]:
    """Give the root of the granted mirror, mounted to be written for as long as the block lasts."""
    with Workspace.mirror_only(record, grant, site=site) as workspace:
        yield workspace.mirror("/")


Mount = Callable[[MirrorRecord, WriteGrant, Site | None], AbstractContextManager[Path]]


def store_marker(
    record: MirrorRecord,
    grant: WriteGrant,
    *,
    recovery_files: Mapping[str, bytes] | None = None,
    site: Site | None = None,
    mount: Mount = mirror_root,
) -> None:
    """Mount the granted mirror's root, write the record, and unmount it again.

    `recovery_files` are files by name that lie beside it. Raises RefusedError where a nightly run
    finds another mirror there, RescueError, OSError.
    """
    planned = grant.plan.record
    with mount(replace(planned, filesystems=(planned.root,)), grant, site) as root:
        if grant.plan.kind is PlanKind.MIRROR:
            expect_marker(root, planned)
        write_marker(root, record, grant, recovery_files=recovery_files)


def store_proof(proof: Proven, grant: MarkerGrant, *, site: Site | None = None) -> None:
    """Mount the proven mirror's root, and note in its marker what its proof came to.

    What the boot menu reads says it, too. Nothing else of the marker changes: that the mirror was
    started meanwhile, or is not complete, is not forgotten. Raises RefusedError where another
    mirror is there, RescueError, OSError.
    """
    with Workspace.marker_only(grant, site=site) as workspace:
        root = workspace.mirror("/")
        found = expect_marker(root, grant.plan.record)
        save_marker(root, replace(found, last_proof=proof))
