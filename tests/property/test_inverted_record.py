"""A record turned around twice is the same, and the map goes home by the way it came."""

from hypothesis import given
from hypothesis import strategies as st

from rescue.model.mirror.identifiers import DeviceNames, DevicePair, IdentifierMap
from rescue.model.storage.machine import Machine
from rescue.model.storage.place import number_of
from rescue.plan.layout.contents import names
from tests.builders import prepared
from tests.property.test_generated_plans import machines


@given(machines())
def test_turned_around_twice_it_is_the_same_record(machine: Machine) -> None:
    record = prepared(machine).record
    other = record.inverted()
    assert other.inverted() == record
    assert (other.source, other.mirror) == (record.mirror, record.source)
    parts = {part.number: part for part in machine.disks[0].partitions}
    for pair in other.filesystems:
        part = parts[number_of(pair.place)]
        assert (pair.mirror_uuid, pair.mirror_partuuid) == (names(part.content)[0], part.uuid)


@given(machines())
def test_what_was_translated_is_translated_back(machine: Machine) -> None:
    record = prepared(machine).record
    there, back = record.identifiers, record.identifiers.inverted()
    for pair in record.filesystems:
        line = f"UUID={pair.source_uuid} {pair.mount_point} auto defaults 0 2\n"
        assert back.translate_fstab(there.translate_fstab(line)) == line
        assert there.find_old(back.translate(there.translate(line)))


@given(machines())
def test_the_way_home_never_names_a_disk_as_the_kernel_does(machine: Machine) -> None:
    record = prepared(machine).record
    back = record.identifiers.inverted()
    for pair in back.pairs:
        for path in pair.old.paths:
            assert back.translate(path).startswith("/dev/disk/"), path


@st.composite
def maps(draw: st.DrawFn) -> IdentifierMap:
    text = st.text(alphabet="abc-019/", max_size=6)
    device = st.builds(
        DeviceNames,
        uuid=text,
        label=text,
        partuuid=text,
        partlabel=text,
        paths=st.lists(text.map("/dev/{}".format), max_size=3).map(tuple),
        table_uuid=text,
    )
    pairs = draw(st.lists(st.builds(DevicePair, old=device, new=device), max_size=4))
    return IdentifierMap(pairs=tuple(pairs))


@given(maps())
def test_any_map_inverts_to_itself(identifiers: IdentifierMap) -> None:
    assert identifiers.inverted().inverted() == identifiers
