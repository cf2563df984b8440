"""Small drift, which a run follows by updating the record.

A label, a swap area made anew, another cable or a line of fstab changes nothing of what a mirror
is. But the map of identifiers has to know the new names, or what boots by them would be copied as
it is, and name the source's disk on the mirror. Names that were known before stay known: a
forgotten `resume=` still carries them.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from rescue.model.mirror.identifiers import DeviceNames, DevicePair, IdentifierMap
from rescue.model.mirror.record import MirrorRecord, SwapPair
from rescue.model.storage.disk import Disk, Partition
from rescue.model.storage.filesystem import SwapArea
from rescue.model.storage.machine import Machine
from rescue.model.storage.mount import FstabEntry
from rescue.model.storage.place import Place, in_words, node_of, place_of
from rescue.plan.layout.contents import describe, names
from rescue.plan.layout.identifiers import disk_names, partition_names
from rescue.units import human_bytes, to_bytes


@dataclass(frozen=True, kw_only=True)
class Followed:
    """The record as this run uses it, and a sentence for each change that was adopted."""

    record: MirrorRecord
    notes: tuple[str, ...]


def follow(machine: Machine, source: Disk, record: MirrorRecord) -> Followed:
    """Given the running system and a mirror's record, return the record updated to what is there.

    Changes that cannot be adopted stay as recorded: `drift_refusals` finds them.
    """
    identifiers, notes = _follow_names(source, record)
    swaps, swap_notes = _follow_swaps(source, record.swaps)
    lines = fstab_lines(machine)
    return Followed(
        record=replace(record, identifiers=identifiers, swaps=swaps, fstab=lines),
        notes=(*notes, *swap_notes, *_fstab_notes(record.fstab, lines)),
    )


def fstab_lines(machine: Machine) -> tuple[str, ...]:
    """Return fstab's lines as a record keeps them: four fields with single blanks between them."""
    return tuple(_line(entry) for entry in machine.fstab)


def size_notes(source: Disk, mirror: Disk, record: MirrorRecord) -> tuple[str, ...]:
    """Note where the source has more than the mirror: a partition that grew, or a new one."""
    points = {pair.place: pair.mount_point for pair in record.filesystems}
    notes = []
    for part in source.partitions:
        place = place_of(part)
        counterpart = node_of(place, mirror)
        if counterpart is None and place not in points:
            notes.append(
                f"partition {part.number} ({describe(part.content)}) is new and not part of the "
                f"running system: it is not on mirror '{record.name}'"
            )
        elif counterpart is not None and place in points:
            here, there = size_of(source, part), size_of(mirror, counterpart)
            if here > there:
                notes.append(
                    f"{points[place]} has {human_bytes(here)}, and {human_bytes(there)} on mirror "
                    f"'{record.name}': its present files fit"
                )
    return tuple(notes)


def size_of(disk: Disk, part: Partition) -> int:
    """Return a partition's size in bytes."""
    return to_bytes(part.length, logical_sector=disk.logical_sector)


def _follow_names(source: Disk, record: MirrorRecord) -> tuple[IdentifierMap, tuple[str, ...]]:
    """Return the map with the present names first, and after them what was called otherwise."""
    present: list[DevicePair] = []
    former: list[DevicePair] = []
    notes: list[str] = []
    seen: set[int] = set()
    # A mirror's own UUIDs never change: by them a pair is known, whatever the source is called.
    places = {each.mirror_uuid: each.place for each in record.filesystems}
    places |= {each.mirror_uuid: each.place for each in record.swaps}
    for pair in record.identifiers.pairs:
        if pair.old.table_uuid:
            # Other disks of the same RAID 1 keep the names that they had.
            names_now = disk_names(source)
            own = pair.old.table_uuid == names_now.table_uuid
            present.append(_renamed(pair, names_now) if own else pair)
            continue
        part = _part_of(source, pair, places)
        if part is None or part.number in seen:
            former.append(pair)
            continue
        seen.add(part.number)
        now = _renamed(pair, partition_names(source, part))
        present.append(now)
        if _words(now.old) != _words(pair.old):
            former.append(pair)
            notes += _name_notes(part, pair.old, now.old)
    return IdentifierMap(pairs=tuple(_each_once([*present, *former]))), tuple(notes)


def _part_of(source: Disk, pair: DevicePair, places: Mapping[str, Place]) -> Partition | None:
    """Return the source's partition that a pair is of.

    By the place that is recorded for the mirror's UUID; for what is no part of the system by its
    PARTUUID, else by what it holds.
    """
    recorded, old = places.get(pair.new.uuid), pair.old
    if recorded is not None:
        return node_of(recorded, source)
    found = [part for part in source.partitions if part.uuid.lower() == old.partuuid.lower()]
    found += [
        part
        for part in source.partitions
        if old.uuid and names(part.content)[0].lower() == old.uuid.lower()
    ]
    return found[0] if found else None


def _renamed(pair: DevicePair, now: DeviceNames) -> DevicePair:
    """Return the pair with the present names; paths are added, what a cable was called counts."""
    paths = tuple(dict.fromkeys((*pair.old.paths, *now.paths)))
    return replace(pair, old=replace(now, paths=paths))


def _words(each: DeviceNames) -> tuple[str, ...]:
    return each.uuid.lower(), each.label, each.partuuid.lower(), each.partlabel


def _each_once(pairs: Iterable[DevicePair]) -> list[DevicePair]:
    once: dict[tuple[object, ...], DevicePair] = {}
    for pair in pairs:
        key = (*_words(pair.old), pair.old.table_uuid, _words(pair.new), pair.new.table_uuid)
        once.setdefault(key, pair)
    return list(once.values())


def _name_notes(part: Partition, old: DeviceNames, now: DeviceNames) -> list[str]:
    changed = (
        ("UUID", old.uuid.lower(), now.uuid.lower()),
        ("label", old.label, now.label),
        ("PARTUUID", old.partuuid.lower(), now.partuuid.lower()),
        ("name", old.partlabel, now.partlabel),
    )
    return [
        f"followed: the {what} of partition {part.number} is '{new}' now, it was '{was}'"
        for what, was, new in changed
        if was != new
    ]


def _follow_swaps(
    source: Disk, swaps: tuple[SwapPair, ...]
) -> tuple[tuple[SwapPair, ...], tuple[str, ...]]:
    """Adopt recreated swap areas: one in its old place counts as the same, as it keeps no data."""
    followed, notes = [], []
    for pair in swaps:
        part = node_of(pair.place, source)
        area = part.content if part is not None else None
        if isinstance(area, SwapArea) and area.uuid != pair.source_uuid:
            notes.append(f"followed: the swap area on {in_words(pair.place)} was re-created")
            pair = replace(pair, source_uuid=area.uuid)
        followed.append(pair)
    return tuple(followed), tuple(notes)


def _line(entry: FstabEntry) -> str:
    return " ".join((entry.spec, entry.target, entry.fstype, ",".join(entry.options)))


def _fstab_notes(old: tuple[str, ...], now: tuple[str, ...]) -> tuple[str, ...]:
    """Note which fstab lines changed; a record from an older rescue has none to compare."""
    if not old:
        return ()
    return (
        *(f"followed: fstab says '{line}' now" for line in now if line not in old),
        *(f"followed: fstab no longer says '{line}'" for line in old if line not in now),
    )
