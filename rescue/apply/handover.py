"""The end of a failback: source and mirror exchange their roles on both disks."""

from dataclasses import replace
from pathlib import Path

from rescue import paths
from rescue.apply.banner import banners, show_handed_over
from rescue.apply.flags import Unlocked
from rescue.apply.workspace import Site, Workspace
from rescue.errors import RefusedError
from rescue.grants import WriteGrant
from rescue.model.mirror.record import Handover, MirrorRecord
from rescue.store import config
from rescue.store.records import (
    forget_boots,
    forget_marker,
    load_foreign_record,
    save_handover,
    save_marker,  # noqa: TID251
    save_record,  # noqa: TID251
)
from rescue.system.files.atomic import sync_filesystem

HERE = Path("/")


def turned(record: MirrorRecord) -> MirrorRecord:
    """Given the record of a complete failback, return the record for the next run.

    The old mirror's GRUB and initramfs count as unknown: it ran by itself, and may have rebuilt
    them. Raises ValueError where the record's identifiers are incomplete.
    """
    return replace(record.inverted(), grub_digest="", initramfs_digests=())


def hand_over(
    handover: Handover, grant: WriteGrant, *, site: Site | None = None, here: Path = HERE
) -> None:
    """Make the granted disk the first one, and the running system's disk its mirror.

    `here` is the running system's tree. What is written are the next system's records, so that the
    recorder of this one has no part in it. First the new disk learns of its mirror, then the mirror
    of its new source, and at the very end the new disk stops saying that it is a mirror: cut
    anywhere before, it is not taken for a first disk, and the same command heals it. Raises
    RefusedError where the handover is of another disk, OSError and RescueError.
    """
    if not grant.covers(handover.record):
        raise RefusedError(
            f"the failback to {handover.record.mirror.id.name} is not one to {grant.disk.name}"
        )
    record = turned(handover.record)
    with Workspace.mirror_only(grant.plan.record, grant, site=site) as workspace:
        tree = workspace.tree()
        settings, records = (
            _counterpart(tree, path, here) for path in (paths.CONFIG, paths.RECORDS)
        )
        written = (settings, records / f"{record.name}.json")
        with Unlocked(tree, [str(path.relative_to(tree)) for path in written]):
            config.enrol(record, settings)
            save_record(record, records)
        for pair in grant.plan.record.filesystems:
            sync_filesystem(workspace.mirror(pair.mount_point))
        save_marker(here, record, banners(record))
        save_handover(here, handover)
        # What was written there until now is on the new disk: only a later start counts.
        forget_boots(here)
        forget_marker(tree)
        sync_filesystem(tree)
    show_handed_over(here, record)


def expect_taken_over(
    workspace: Workspace, record: MirrorRecord, marker: MirrorRecord | None, *, here: Path = HERE
) -> None:
    """Raise RefusedError unless the mounted disk is the one that a failback made the first one.

    It knows the secret: by the record that `hand_over` left there, or by the marker of a later run
    that was cut. Table and ids can be read by every user, and be put on another disk meanwhile.
    """
    if not record.secret.is_drawn:
        return
    path = (here / paths.RECORDS.relative_to("/")).resolve() / f"{record.name}.json"
    pair, inside = workspace.pair_of(f"/{path.relative_to(here.resolve())}")
    left = load_foreign_record(workspace.mirror(pair.mount_point), inside.lstrip("/"))
    if any(each and record.secret.matches(each.secret) for each in (left, marker)):
        return
    raise RefusedError(
        f"the disk does not know the secret of the failback to {record.mirror.id.name}: somebody "
        "may have made it look like the new first disk",
        hint="nothing was copied; attach the new disk itself, or make it from nothing once more: "
        "'rescue failback DISK --erase SERIAL'",
    )


def _counterpart(tree: Path, path: Path, here: Path) -> Path:
    """Return a path of the running system in its copy.

    Links are resolved where they are meant: an absolute one would lead out of the copy.
    """
    whole = (here / path.relative_to("/")).resolve()
    return tree / whole.relative_to(here.resolve())
