"""However the source drifts: followed so that nothing of it is named on the mirror, or refused."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from rescue.errors import ExitCode
from rescue.model.finding import Refused
from rescue.model.mirror.plan import MirrorRequest, Plan
from rescue.model.storage.disk import Partition, TableKind
from rescue.model.storage.filesystem import FileSystem, SwapArea
from rescue.model.storage.machine import Machine
from rescue.model.storage.mount import FstabEntry
from rescue.model.storage.place import number_of
from rescue.plan.checks.drift import again
from rescue.plan.layout.contents import names
from rescue.plan.mirror import plan_mirror
from rescue.units import Sectors
from tests.builders import Enrolled, enrolled, ext4, part, uuid, with_disk, with_partition

LABELS = st.text(alphabet="abAB-_", min_size=1, max_size=12)
OPTIONS = st.lists(
    st.sampled_from(["noatime", "ro", "nofail", "x-systemd.automount"]), unique=True, max_size=3
).map(tuple)
LINES = st.builds(
    FstabEntry,
    spec=st.sampled_from(["tmpfs", "nas:/srv", "//nas/share", "/home/www"]),
    target=st.sampled_from(["/srv/a", "/srv/b", "/tmp"]),
    fstype=st.sampled_from(["tmpfs", "nfs4", "cifs", "none"]),
    options=OPTIONS,
)


def relabelled(draw: st.DrawFn, each: Partition) -> Partition:
    """Give a partition other names; what it is stays as it is."""
    content = each.content
    if isinstance(content, FileSystem):
        content = replace(content, label=draw(LABELS))
    elif isinstance(content, SwapArea):
        content = SwapArea(uuid=draw(st.sampled_from([content.uuid, uuid(66)])), label=draw(LABELS))
    return replace(
        each,
        content=content,
        uuid=draw(st.sampled_from([each.uuid, f"feed0000-0000-4000-8000-{each.number:012d}"])),
        name=draw(st.sampled_from([each.name, "another name"])),
        length=Sectors(each.length + draw(st.sampled_from([0, 2048]))),
        links=(*each.links, f"/dev/disk/by-path/pci-0000:00:1f.2-part{each.number}"),
    )


def changed(machine: Machine, number: int, new: Partition) -> Machine:
    return with_disk(machine, with_partition(machine.disks[0], new))


@st.composite
def small(draw: st.DrawFn) -> tuple[Enrolled, Machine]:
    """Draw a machine with its mirror, and the machine after some small drift."""
    there = enrolled(draw(st.sampled_from(list(TableKind))))
    machine = there.machine
    source = machine.disks[0]
    for each in source.partitions:
        # What holds nothing (an extended partition) is named by nobody.
        if isinstance(each.content, FileSystem | SwapArea) and draw(st.booleans()):
            machine = changed(machine, each.number, relabelled(draw, each))
    lines = [replace(e, options=draw(OPTIONS)) for e in machine.fstab[:-1]]
    return there, replace(machine, fstab=(*lines, *draw(st.lists(LINES, max_size=3))))


@given(small())
def test_small_drift_is_followed_and_nothing_of_the_source_is_left(
    drawn: tuple[Enrolled, Machine],
) -> None:
    there, machine = drawn
    plan = plan_mirror(machine, there.record, there.record, MirrorRequest())
    assert isinstance(plan, Plan), plan
    ids = plan.record.identifiers
    for each in (*machine.disks[0].partitions, *there.machine.disks[0].partitions):
        old, label = names(each.content)
        tags = {"UUID": old, "PARTUUID": each.uuid, "LABEL": label, "PARTLABEL": each.name}
        spelled = [f"{tag}={value}" for tag, value in tags.items() if value and " " not in value]
        links = [link for link in each.links if "by-partuuid" not in link]
        for text in (*spelled, each.path, f"/dev/disk/by-partuuid/{each.uuid}", *links):
            assert ids.find_old(text), text
            assert ids.find_old(ids.translate(text)) == (), text
    later = plan_mirror(machine, plan.record, plan.record, MirrorRequest())
    assert isinstance(later, Plan)
    assert later.record == plan.record


@st.composite
def large(draw: st.DrawFn) -> tuple[Enrolled, Machine]:
    """Draw some small drift, and one change that no run may follow on top of it."""
    there, machine = draw(small())
    places = {pair.mount_point: pair for pair in there.record.filesystems}
    target = draw(st.sampled_from(sorted(places)))
    pair = places[target]
    held = next(p for p in machine.disks[0].partitions if p.number == number_of(pair.place))
    assert isinstance(held.content, FileSystem)
    match draw(st.sampled_from(["uuid", "away", "moved", "new"])):
        case "uuid":
            other = replace(held, content=replace(held.content, uuid=uuid(77)))
            return there, changed(machine, held.number, other)
        case "away" if target != "/":
            left = tuple(m for m in machine.mounts if m.target != target)
            return there, replace(machine, mounts=left)
        case "moved" if target != "/":
            mounts = (
                replace(m, target="/elsewhere") if m.target == target else m for m in machine.mounts
            )
            return there, replace(machine, mounts=tuple(mounts))
        case _:
            machine = changed(machine, 9, part(9, 5990, 10, ext4(9)))
            mount = replace(machine.mounts[0], device="/dev/vda9", target="/srv/new")
            return there, replace(machine, mounts=(*machine.mounts, mount))


@given(large())
def test_anything_else_is_refused_whatever_else_has_changed(
    drawn: tuple[Enrolled, Machine],
) -> None:
    there, machine = drawn
    found = plan_mirror(machine, there.record, there.record, MirrorRequest())
    assert isinstance(found, Refused)
    assert {each.code for each in found.findings} == {ExitCode.DRIFTED}
    for each in found.findings:
        assert again(there.record) in each.hint or "mount" in each.hint
