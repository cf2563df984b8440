"""The mirror's own record: /.rescue/mirror.json on its root, written by fsync and rename."""

from dataclasses import replace
from pathlib import Path

from rescue.apply.workspace import Site, Workspace
from rescue.codec import from_json, to_json
from rescue.confirm import WriteGrant
from rescue.errors import RefusedError
from rescue.model.record import RECORD_VERSION, MirrorRecord
from rescue.system.files import write_atomic

FOLDER = ".rescue"
MARKER = "mirror.json"


def write_marker(root: Path, record: MirrorRecord, grant: WriteGrant) -> None:
    """Write the record to the mirror whose root is mounted at `root`, readable by root alone.

    The grant must be for the disk that the record is of; it is given by who mounted `root`.
    """
    if not record.mirror.id.same_disk(grant.disk):
        raise RefusedError(
            f"the record of {record.mirror.id.name} does not belong on {grant.disk.name}"
        )
    folder = root / FOLDER
    folder.mkdir(mode=0o700, exist_ok=True)
    folder.chmod(0o700)
    write_atomic(folder / MARKER, to_json(record).encode(), mode=0o600)


def read_marker(root: Path) -> MirrorRecord | None:
    """Return the record that a mounted mirror carries, or None where it carries none.

    Raises UsageError where it was written by a newer rescue or is damaged.
    """
    path = root / FOLDER / MARKER
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    return from_json(text, MirrorRecord, known_version=RECORD_VERSION, where=str(path))


def expect_marker(root: Path, record: MirrorRecord) -> MirrorRecord:
    """Return the mirror's marker. Raises RefusedError unless it is this machine's, of this name."""
    found = read_marker(root)
    if found is None:
        raise RefusedError(
            f"the disk of mirror '{record.name}' carries no /{FOLDER}/{MARKER}",
            hint="it was never prepared to its end, or something erased it: prepare it again",
        )
    if (found.name, found.machine_id) != (record.name, record.machine_id):
        raise RefusedError(
            f"the disk carries the mirror '{found.name}' of {found.host}, "
            f"expected was '{record.name}' of {record.host}",
            hint="this is another machine's mirror, or it was enrolled under another name",
        )
    return found


def store_marker(record: MirrorRecord, grant: WriteGrant, *, site: Site | None = None) -> None:
    """Mount the granted mirror's root, write the record, and unmount it again."""
    only_root = replace(grant.plan.record, filesystems=(grant.plan.record.root,))
    with Workspace.mirror_only(only_root, grant, site=site) as workspace:
        write_marker(workspace.mirror("/"), record, grant)
