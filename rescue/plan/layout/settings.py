"""Settings that a file system keeps beside its files: tunable ones of ext2/3/4, and quotas."""

from rescue.model.mirror.record import MirrorRecord
from rescue.model.mirror.step import TuneFilesystem
from rescue.model.storage.disk import Disk, Partition
from rescue.model.storage.filesystem import ExtSettings, FileSystem
from rescue.model.storage.machine import Machine
from rescue.model.storage.place import node_of
from rescue.plan.layout.survey import Member, Survey

_USER = ("usrquota", "uquota", "uqnoenforce", "quota", "qnoenforce")
_GROUP = ("grpquota", "gquota", "gqnoenforce")
_PROJECT = ("prjquota", "pquota", "pqnoenforce")


def tune_steps(source: Disk, mirror: Disk, record: MirrorRecord) -> tuple[TuneFilesystem, ...]:
    """Return the steps that give the mirror's file systems the source's present settings.

    Made equal when the mirror was prepared, unless an older rescue did it.
    """
    steps = []
    for pair in record.filesystems:
        here, there = (_settings(node_of(pair.place, disk)) for disk in (source, mirror))
        if here is not None and there is not None and _tuned(here) != _tuned(there):
            steps.append(TuneFilesystem(mount_point=pair.mount_point, settings=here))
    return tuple(steps)


def quota_notes(machine: Machine, found: Survey) -> tuple[str, ...]:
    """Note quotas for users, groups or projects that lie outside the files (man 8 xfs_quota).

    Those in files of the file system ('aquota.user') are copied as any other file.
    """
    return tuple(
        f"{member.mount_point} has quotas ({', '.join(kinds)}): their limits are not copied. A "
        "hook that writes them to a file ('repquota', 'xfs_quota -x -c dump') would include them"
        for member in found.mounted
        if (kinds := _quotas(machine, member))
    )


def _settings(part: Partition | None) -> ExtSettings | None:
    return part.content.options.ext if part and isinstance(part.content, FileSystem) else None


def _tuned(settings: ExtSettings) -> tuple[float, str, tuple[str, ...]]:
    return settings.reserved, settings.errors, settings.mount_defaults


def _quotas(machine: Machine, member: Member) -> tuple[str, ...]:
    mount = machine.mount_at(member.mount_point)
    ext = member.filesystem.options.ext
    # On ext4 a mount option alone means files; hidden ones are a feature of the file system.
    options = set(ext.quotas if ext else mount.options if mount else ())
    named = (("user", _USER), ("group", _GROUP), ("project", _PROJECT))
    return tuple(word for word, known in named if options & set(known))
