"""Where a recorded file system lies, and that nobody guesses where it might."""

from dataclasses import replace
from pathlib import Path

import pytest

from rescue.errors import ExitCode
from rescue.model.mirror.record import RECORD_VERSION, MirrorRecord
from rescue.model.storage.place import (
    InLuks,
    InVolume,
    OnArray,
    OnPartition,
    Place,
    PlaceError,
    Subvolume,
    in_words,
    node_of,
    number_of,
    place_of,
)
from rescue.store.codec import from_json, to_json
from rescue.store.records import load_record, save_record
from tests.builders import bare_disk, enrolled, server

ON = OnPartition(number=3)
LAYERED: tuple[tuple[Place, str], ...] = (
    (InLuks(uuid="u", on=ON), "LUKS u on partition 3"),
    (InVolume(group="vg", volume="root"), "LVM volume vg/root"),
    (OnArray(uuid="a", on=ON), "RAID array a on partition 3"),
    (Subvolume(path="@", of=InLuks(uuid="u", on=ON)), "subvolume @ on LUKS u on partition 3"),
)


def test_a_partition_is_found_by_its_number() -> None:
    disk = server().disks[0]
    for part in disk.partitions:
        assert node_of(place_of(part), disk) == part
        assert disk.table is not None
        assert node_of(place_of(part), disk.table) == part
        assert number_of(place_of(part)) == part.number
    assert node_of(OnPartition(number=99), disk) is None
    assert node_of(ON, bare_disk()) is None


@pytest.mark.parametrize(("place", "said"), LAYERED)
def test_a_place_in_a_layer_is_refused_and_never_taken_for_the_partition_below(
    place: Place, said: str
) -> None:
    assert in_words(place) == said
    for ask in (lambda: node_of(place, server().disks[0]), lambda: number_of(place)):
        with pytest.raises(PlaceError, match=said) as refused:
            ask()
        assert refused.value.code is ExitCode.UNSUPPORTED


@pytest.mark.parametrize("place", [place for place, _ in LAYERED])
def test_a_record_keeps_any_place_and_is_not_worked_by_before_it_can_be(
    place: Place, tmp_path: Path
) -> None:
    record = enrolled().record
    root = replace(record.root, place=place)
    record = replace(record, filesystems=(root, *record.filesystems[1:]))
    again = from_json(to_json(record), MirrorRecord, known_version=RECORD_VERSION, where="a test")
    assert again.places == record.places
    save_record(record, tmp_path)
    with pytest.raises(PlaceError, match="plain partitions alone"):
        load_record(record.name, tmp_path)
