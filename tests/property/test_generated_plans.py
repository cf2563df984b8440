"""For any set of partitions: the mirror shares no identifier with what is attached."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from rescue.model.mirror.step import MakeFilesystem, MakeSwap, WriteTable
from rescue.model.storage.disk import TableKind
from rescue.model.storage.filesystem import FileSystem, FsKind, SwapArea
from rescue.model.storage.layer import Content, Foreign, Nothing
from rescue.model.storage.machine import Machine
from rescue.plan.layout.contents import names
from tests.builders import part, prepared, server, uuid, with_disk, with_partition

LABELS = st.text(alphabet="abAB -_/ü", max_size=16)


@st.composite
def machines(draw: st.DrawFn) -> Machine:
    """Draw a server with some more partitions of any content, mounted or not."""
    machine = server(draw(st.sampled_from(list(TableKind))))
    for number in range(8, 8 + draw(st.integers(0, 5))):
        content: Content = draw(
            st.one_of(
                st.just(Nothing()),
                st.builds(
                    FileSystem,
                    kind=st.sampled_from(FsKind),
                    uuid=st.just(uuid(number)),
                    label=LABELS,
                ),
                st.builds(SwapArea, uuid=st.just(uuid(number)), label=LABELS),
                st.builds(Foreign, kind=st.just("ntfs"), uuid=st.just(uuid(number)), label=LABELS),
            )
        )  # fmt: skip
        machine = with_disk(
            machine, with_partition(machine.disks[0], part(number, 5885 + number, 1, content))
        )
        if isinstance(content, FileSystem) and draw(st.booleans()):
            mount = replace(machine.mounts[0], device=f"/dev/vda{number}", target=f"/m{number}")
            machine = replace(machine, mounts=(*machine.mounts, mount))
    return machine


@given(machines())
def test_the_mirror_shares_no_identifier_with_the_source(machine: Machine) -> None:
    plan = prepared(machine)
    source = machine.disks[0]
    old_ids = {names(each.content)[0].lower() for each in source.partitions}
    old_ids |= {each.uuid for each in source.partitions}
    labels = [names(each.content)[1].casefold() for each in source.partitions]
    for step in plan.steps:
        if isinstance(step, WriteTable):
            assert not old_ids & {each.uuid for each in step.table.partitions}
            assert [(p.number, p.start, p.length) for p in step.table.partitions] == [
                (p.number, p.start, p.length) for p in source.partitions
            ]
        if isinstance(step, MakeFilesystem | MakeSwap):
            new = step.filesystem if isinstance(step, MakeFilesystem) else step.swap
            assert new.uuid.lower() not in old_ids
            assert not new.label or new.label.casefold() not in labels
            labels.append(new.label.casefold())


@given(machines())
def test_the_map_leaves_nothing_of_the_source(machine: Machine) -> None:
    ids = prepared(machine).record.identifiers
    for each in machine.disks[0].partitions:
        old, label = names(each.content)
        text = f"UUID={old} PARTUUID={each.uuid} {each.path} {' '.join(each.links)}"
        text += f' LABEL="{label}"' if label.strip() else ""
        assert len(ids.find_old(text)) >= 3
        assert ids.find_old(ids.translate(text)) == ()
