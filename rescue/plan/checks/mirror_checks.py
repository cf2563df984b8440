"""The guard of a run: the right source, the right mirror, the right direction."""

from dataclasses import replace

from rescue.errors import ExitCode
from rescue.model.finding import Refusal
from rescue.model.mirror.record import MirrorRecord, MirrorState
from rescue.model.mirror.role import Role
from rescue.model.storage.disk import Disk, UseKind
from rescue.model.storage.filesystem import FileSystem, SwapArea
from rescue.model.storage.machine import Machine
from rescue.model.storage.place import in_words, node_of
from rescue.paths import MARKER
from rescue.plan.checks.recognise import (
    is_a_source,
    is_disk,
    led_by,
    mirror_candidates,
    pretenders,
    shows_as_recorded,
)

SPARE_MIB = 256
"""Memory that is left to the machine beside a virtual one."""

_IMAGE_SECTOR = 512
_AGAIN = "if this disk is to be a mirror again, prepare it: 'rescue prepare DISK'"


def direction_refusals(
    machine: Machine, source: Disk | None, record: MirrorRecord
) -> list[Refusal]:
    """Refuse unless this machine runs from the source that the record names."""
    if record.machine_id != machine.machine_id:
        return [
            _refused(f"the record of '{record.name}' belongs to another machine, '{record.host}'")
        ]
    record = led_by(source, record) if source is not None else record
    if source is None or is_a_source(source, record):
        return _copy_refusals(machine, source, record)
    if source.id.same_disk(record.mirror.id) or is_disk(source, record.mirror):
        return [
            _refused(
                f"this machine runs from its mirror '{record.name}' ({source.path})",
                "move the machine back to a first disk before anything is mirrored again",
            )
        ]
    return [
        _refused(
            f"this machine runs from {source.path} ({_named(source)}), and mirror "
            f"'{record.name}' was made from {record.source.id.name or '?'} "
            f"(table {record.source.table_uuid})"
        )
    ]


def _copy_refusals(machine: Machine, source: Disk | None, record: MirrorRecord) -> list[Refusal]:
    """Refuse a source that shows another identity than recorded while a copy of it is attached."""
    if source is None or shows_as_recorded(source, record.source):
        return []
    copies = [d.path for d in machine.with_table(record.source.table_uuid) if d.path != source.path]
    return [
        _refused(
            f"this machine runs from {source.path} ({_named(source)}), recorded is "
            f"{record.source.id.name or '?'}, and {path} has the same partition table",
            "one is a copy of the other: disconnect the one that is no longer the first disk",
        )
        for path in copies
    ]


def find_mirror(machine: Machine, record: MirrorRecord) -> tuple[Disk | None, list[Refusal]]:
    """Return the attached disk that the record names, or why none can be written to.

    Whether it is the mirror its marker must say: see `marker_refusals`.
    """
    found = mirror_candidates(machine, record)
    if len(found) == 1:
        return found[0], _partition_refusals(found[0], record) + _use_refusals(found[0])
    if found:
        paths = ", ".join(disk.path for disk in found)
        reason = f"the contents of several disks say that they are mirror '{record.name}': {paths}"
        return None, [_refused(reason, "one is a copy of the other: disconnect the copy")]
    others = pretenders(machine, record)
    if not others:
        reason = f"mirror '{record.name}' ({_id(record)}) is not attached"
        return None, [_refused(reason, "attach it and run again")]
    refusals = []
    for disk in others:
        has = disk.table.uuid if disk.table is not None else "none"
        refusals.append(
            _refused(
                f"{disk.path} ({_id(record)}) has the partition table {has}, and not "
                f"{record.mirror.table_uuid} as mirror '{record.name}'"
            )
        )
    return others[0] if len(others) == 1 else None, refusals


def sector_refusals(mirror: Disk) -> list[Refusal]:
    """Refuse a disk that cannot be given to a virtual machine: an image has 512-byte sectors.

    Its partition table counts in others, and would be found broken there.
    """
    if mirror.logical_sector == _IMAGE_SECTOR:
        return []
    return [
        Refusal(
            code=ExitCode.UNSUPPORTED,
            reason=f"{mirror.path} has sectors of {mirror.logical_sector} bytes: so far, a "
            f"virtual machine can only be given disks with sectors of {_IMAGE_SECTOR}",
        )
    ]


def memory_refusals(wanted_mib: int, free_mib: int, *, hint: str) -> list[Refusal]:
    """Refuse where a virtual machine would take memory (MiB) that the server itself needs."""
    if free_mib >= wanted_mib + SPARE_MIB:
        return []
    return [
        Refusal(
            code=ExitCode.FAILED,
            reason=f"{free_mib} MiB of memory are free, and the virtual machine needs "
            f"{wanted_mib} MiB",
            hint=hint,
        )
    ]


def marker_refusals(
    record: MirrorRecord, marker: MirrorRecord | None, *, mirror: Disk
) -> list[Refusal]:
    """Refuse unless the mirror's own root says that it is this mirror, and not a newer one."""
    if marker is None:
        return [_refused(f"{mirror.path} is not enrolled: its root has no marker /{MARKER}")]
    if marker.machine_id != record.machine_id or marker.host != record.host:
        return [
            _refused(
                f"{mirror.path} is a mirror of another machine: '{marker.host}' "
                f"({marker.machine_id})"
            )
        ]
    same = (
        marker.role is Role.MIRROR
        and marker.name == record.name
        and marker.mirror.table_uuid == record.mirror.table_uuid
        and {each.table_uuid for each in marker.sources}
        == {each.table_uuid for each in record.sources}
    )
    if not same:
        return [
            _refused(
                f"the marker on {mirror.path} belongs to mirror '{marker.name}' of another disk, "
                f"not to '{record.name}'"
            )
        ]
    if record.secret.is_drawn and not record.secret.matches(marker.secret):
        return [
            _refused(
                f"the marker on {mirror.path} does not know the secret of mirror '{record.name}': "
                "it may be a disk made to look like the mirror, or an old copy of it",
                f"attach the mirror itself; if this is it, prepare it again: 'rescue prepare "
                f"{mirror.path} --name {record.name}'",
            )
        ]
    if marker.generation > record.generation:
        return [
            _refused(
                f"{mirror.path} has generation {marker.generation}, and this machine's record "
                f"of it {record.generation}: the mirror may be newer than this system",
                "find out which disk has the newest data before anything is written; was this "
                "system restored from an old copy?",
            )
        ]
    if not shows_as_recorded(mirror, record.mirror) and not _is_newest(record, marker):
        return [
            _refused(
                f"{mirror.path} ({_named(mirror)}) shows another identity than mirror "
                f"'{record.name}' ({_id(record)}), and its marker is of generation "
                f"{marker.generation}, not {record.generation}: it may be an older copy",
                f"attach the mirror itself; if this is it, prepare it again: 'rescue prepare "
                f"{mirror.path} --name {record.name}'",
            )
        ]
    return []


def secret_refusals(record: MirrorRecord) -> list[Refusal]:
    """Refuse an unattended run onto a mirror that has no secret to recognise it by.

    Anyone who plugs in a similar-looking disk would get a copy of the whole server.
    """
    if record.secret.is_drawn:
        return []
    return [
        _refused(
            f"mirror '{record.name}' was made by an older rescue and has no secret that "
            "identifies it: the disk that was plugged in may be another one, made to look like "
            "it",
            f"make sure that it is yours, and run 'rescue mirror {record.name}' once: that gives "
            "it a secret",
        )
    ]


def with_secret_of(record: MirrorRecord, marker: MirrorRecord | None) -> MirrorRecord:
    """Return the record, with the marker's secret if it has none yet.

    A run that gives a mirror its secret writes it to the mirror first, and may be interrupted
    then.
    """
    if record.secret.is_drawn or marker is None:
        return record
    return replace(record, secret=marker.secret)


def _is_newest(record: MirrorRecord, marker: MirrorRecord) -> bool:
    """Whether a marker is of the last run that the source knows of.

    A run notes its generation on the source first: one that was cut right then is behind by one.
    """
    cut = record.state is not MirrorState.COMPLETE and marker.generation == record.generation - 1
    return marker.generation == record.generation or cut


def booted_refusals(record: MirrorRecord, boots: tuple[str, ...]) -> list[Refusal]:
    """Refuse to overwrite a mirror that has been the running system since its last run.

    `boots` are the times at which it was started (UTC).
    """
    if not boots:
        return []
    return [
        _refused(
            f"mirror '{record.name}' was booted {len(boots)} times since its last run, last at "
            f"{boots[-1]}: it may hold data that this disk does not have",
            "first bring back what was written there; if nothing of it is needed, run again with "
            "--accept-booted",
        )
    ]


def _partition_refusals(disk: Disk, record: MirrorRecord) -> list[Refusal]:
    """Refuse where a recorded partition is missing or holds something else."""
    refusals = []
    for pair in record.filesystems:
        what = f"{in_words(pair.place)} of {disk.path} ({pair.mount_point})"
        part = node_of(pair.place, disk)
        if part is None:
            refusals.append(_refused(f"{what} is missing"))
            continue
        if part.uuid != pair.mirror_partuuid:
            refusals.append(
                _refused(f"{what} has PARTUUID {part.uuid}, recorded is {pair.mirror_partuuid}")
            )
        held = part.content
        if not isinstance(held, FileSystem) or held.kind is not pair.kind:
            refusals.append(_refused(f"{what} no longer holds {pair.kind}"))
        elif held.uuid != pair.mirror_uuid:
            refusals.append(
                _refused(f"{what} has UUID {held.uuid}, recorded is {pair.mirror_uuid}")
            )
    for swap in record.swaps:
        part = node_of(swap.place, disk)
        area = part.content if part is not None else None
        if not isinstance(area, SwapArea) or area.uuid != swap.mirror_uuid:
            refusals.append(
                _refused(
                    f"{in_words(swap.place)} of {disk.path} is no longer the swap area "
                    f"{swap.mirror_uuid}"
                )
            )
    return refusals


def _use_refusals(disk: Disk) -> list[Refusal]:
    """Refuse a mirror that something else has open."""
    words = {
        UseKind.MOUNTED: ("mounted on", "umount"),
        UseKind.SWAP: ("swapped to as", "swapoff"),
        UseKind.HOLDER: ("held by", "release"),
    }
    return [
        _refused(
            f"{disk.path}, the mirror, is {words[use.kind][0]} {use.where}",
            f"{words[use.kind][1]} {use.where}, and run again",
        )
        for use in disk.all_uses
    ]


def _id(record: MirrorRecord) -> str:
    return record.mirror.id.name


def _named(disk: Disk) -> str:
    table = disk.table.uuid if disk.table is not None else "none"
    return f"{disk.id.name or 'no serial'}, table {table}"


def _refused(reason: str, hint: str = _AGAIN) -> Refusal:
    return Refusal(code=ExitCode.REFUSED, reason=reason, hint=hint)
