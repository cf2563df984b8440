"""Which disk is the dead one, which trees come back, and what is refused."""

from dataclasses import replace

import pytest

from rescue.errors import ExitCode, RefusedError
from rescue.grants import ReturnGrant, grant_return
from rescue.model.finding import Refusal, Refused
from rescue.model.mirror.record import MirrorState
from rescue.model.restore.comparison import Comparison, compare
from rescue.model.restore.name_pair import Fact, NamePair, Shape
from rescue.model.restore.way_back import (
    RESTORE_VERSION,
    Free,
    OriginKind,
    Piece,
    Reading,
    RestorePlan,
    RestoreRequest,
)
from rescue.model.storage.disk import Disk, TableKind, Use, UseKind
from rescue.model.storage.identity import DiskId
from rescue.model.storage.machine import Machine
from rescue.model.storage.place import number_of
from rescue.plan.salvage import Place, SalvagePlan, plan_salvage
from rescue.restore.plan import Start, begin_restore, plan_restore
from rescue.restore.trees import pieces_of, tree_refusals
from rescue.store.codec import from_json, to_json
from tests.builders import bare_disk, enrolled, with_disk

NOW = 2e9
HOME_UUID = next(
    pair.mirror_uuid for pair in enrolled().record.filesystems if pair.mount_point == "/home"
)


def rescued(kind: TableKind = TableKind.GPT) -> Machine:
    """Return the server as it runs from its mirror, the dead disk beside it."""
    made = enrolled(kind)
    dead, mirror = made.machine.disks
    record = replace(made.record, state=MirrorState.COMPLETE, last_complete=1e9)
    places = {number_of(pair.place): pair.mount_point for pair in record.filesystems}
    assert dead.table is not None
    quiet = replace(
        dead,
        table=replace(
            dead.table, partitions=tuple(replace(p, uses=()) for p in dead.table.partitions)
        ),
    )
    mounts = tuple(
        replace(mount, device=mount.device.replace("vda", "vdb")) for mount in made.machine.mounts
    )
    used = tuple(
        replace(p, uses=(Use(kind=UseKind.MOUNTED, where=places[p.number]),))
        if p.number in places
        else p
        for p in mirror.partitions
    )
    assert mirror.table is not None
    running = replace(mirror, table=replace(mirror.table, partitions=used))
    return replace(
        made.machine,
        disks=(quiet, running),
        mounts=mounts,
        swaps=(),
        running_mirror=record,
    )


def begun(machine: Machine, **asked: object) -> Start:
    request = replace(RestoreRequest(), **asked)  # type: ignore[arg-type]
    answer = begin_restore(machine, request, now=NOW)
    assert isinstance(answer, Start), answer
    return answer


def refused(machine: Machine, *, now: float = NOW, **asked: object) -> tuple[Refusal, ...]:
    request = replace(RestoreRequest(), **asked)  # type: ignore[arg-type]
    answer = begin_restore(machine, request, now=now)
    assert isinstance(answer, Refused)
    return answer.findings


def with_dead(machine: Machine, **changed: object) -> Machine:
    return with_disk(machine, replace(machine.disks[0], **changed))  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", list(TableKind))
def test_the_dead_disk_is_found_by_its_recorded_identity(kind: TableKind) -> None:
    start = begun(rescued(kind))
    origin = start.found.origin
    assert (origin.kind, origin.path, origin.name) == (OriginKind.DISK, "/dev/vda", "SRC0001")
    assert [piece.tree for piece in start.pieces] == ["/home"]
    assert start.layout == rescued(kind).disks[1].table
    assert start.found.notes == ()


def test_a_dead_disk_without_table_is_known_by_its_serial() -> None:
    assert begun(with_dead(rescued(), table=None)).found.origin.path == "/dev/vda"


def test_behind_another_adapter_it_is_known_by_its_table_and_that_is_said() -> None:
    start = begun(with_dead(rescued(), id=DiskId(serial="USB-ADAPTER")))
    assert "recognised by its partition table" in start.found.notes[0]
    assert start.found.origin.name == "USB-ADAPTER"


def test_with_a_foreign_table_id_it_is_known_by_its_file_systems() -> None:
    machine = rescued()
    table = machine.disks[0].table
    assert table is not None
    other = with_dead(machine, id=DiskId(), table=replace(table, uuid="another"))
    assert "recognised by its file systems" in begun(other).found.notes[0]


def test_a_disk_that_is_not_there_is_refused_with_what_is() -> None:
    machine = rescued()
    machine = replace(machine, disks=machine.disks[1:])
    (only,) = refused(machine)
    assert only.code is ExitCode.REFUSED
    assert "SRC0001" in only.reason
    assert "/dev/vdb (MIR0001)" in only.reason


def test_the_dead_disk_in_the_dock_that_the_mirror_was_made_in_is_the_dead_disk() -> None:
    """The dock shows its own serial for every disk: the mirror's record has it, too."""
    machine = rescued()
    assert machine.running_mirror is not None
    record = machine.running_mirror
    dock = DiskId(serial="DOCK")
    record = replace(record, mirror=replace(record.mirror, id=dock))
    machine = replace(with_dead(machine, id=dock), running_mirror=record)
    for named in ("", "/dev/vda", "DOCK"):
        start = begun(machine, named=named)
        assert start.found.origin.path == "/dev/vda"
    assert "it was recognised by its partition table" in begun(machine).found.notes[0]


def test_a_stranger_with_the_dead_disk_s_serial_is_not_taken_before_its_table() -> None:
    machine = rescued()
    moved = with_dead(machine, id=DiskId(serial="DOCK"))
    stranger = bare_disk("/dev/vdc", "SRC0001")
    assert "several disks" in refused(with_disk(moved, stranger))[0].reason
    assert begun(with_disk(machine, stranger)).found.origin.path == "/dev/vda"


@pytest.mark.parametrize("named", ["/dev/vdb", "MIR0001", "/dev/vdb5"])
def test_the_running_disk_is_never_the_dead_one(named: str) -> None:
    assert "runs from" in refused(rescued(), named=named)[0].reason


def test_two_disks_that_look_like_it_are_a_question() -> None:
    machine = rescued()
    twin = replace(machine.disks[0], path="/dev/vdc")
    assert "several disks" in refused(with_disk(machine, twin))[0].reason
    assert begun(with_disk(machine, twin), named="/dev/vdc").found.origin.path == "/dev/vdc"


def test_a_dead_disk_that_is_mounted_is_refused() -> None:
    machine = rescued()
    disk = replace(machine.disks[0], uses=(Use(kind=UseKind.MOUNTED, where="/mnt"),))
    (only,) = refused(with_disk(machine, disk))
    assert only.hint == "umount /mnt"


def test_a_partition_and_an_image_can_be_named() -> None:
    assert begun(rescued(), named="/dev/vda5").found.origin.kind is OriginKind.PARTITION
    request = RestoreRequest(named="/mnt/dead.img")
    start = begin_restore(rescued(), request, image_size=5, now=NOW)
    assert isinstance(start, Start)
    assert start.found.origin.kind is OriginKind.IMAGE
    assert start.found.origin.name == "/mnt/dead.img"


def test_only_a_machine_that_runs_from_its_mirror_takes_files_back() -> None:
    normal = enrolled().machine
    assert "does not run from its mirror" in refused(normal)[0].reason
    # A record that was copied to another disk does not make that one a mirror.
    copied = replace(normal, running_mirror=enrolled().record)
    assert any("is not the mirror" in one.reason for one in refused(copied))


def test_who_is_not_root_is_told_so_first() -> None:
    assert refused(replace(rescued(), is_root=False))[0].code is ExitCode.USAGE


def test_a_file_system_that_is_not_mounted_takes_nothing() -> None:
    machine = rescued()
    mounts = tuple(mount for mount in machine.mounts if mount.target != "/home")
    (only,) = refused(replace(machine, mounts=mounts))
    assert "/home is not mounted from the mirror" in only.reason


def test_a_clock_before_the_last_run_is_refused() -> None:
    assert "clock is wrong" in refused(rescued(), now=5e8)[0].reason


@pytest.mark.parametrize(
    "tree", ["/", "/boot", "/boot/grub", "/etc", "/etc/fstab", "/usr", "/var", "/usr/lib/x", "/dev"]
)
def test_what_the_system_boots_by_never_comes_back(tree: str) -> None:
    assert tree_refusals((tree,))[0].code is ExitCode.REFUSED


@pytest.mark.parametrize("tree", ["/var/mail", "/srv", "/etc/postfix", "/usr/local/etc", "/root"])
def test_other_trees_do(tree: str) -> None:
    assert tree_refusals((tree,)) == []


@pytest.mark.parametrize("tree", ["home", "", "/home/../etc"])
def test_half_a_path_is_no_tree(tree: str) -> None:
    assert tree_refusals((tree,))[0].code is ExitCode.USAGE


def test_trees_are_found_on_the_file_systems_they_lay_on() -> None:
    record = enrolled().record
    found = [
        (piece.tree, piece.mount_point, piece.inside)
        for piece in pieces_of(record, ("/home/", "/var/mail", "/home/anna"))
    ]
    assert found == [("/home", "/home", ""), ("/var/mail", "/", "var/mail")]


def test_a_home_on_a_file_system_of_its_own_comes_with_the_homes() -> None:
    record = enrolled().record
    root, home = record.root, next(p for p in record.filesystems if p.mount_point == "/home")
    bela = replace(home, mount_point="/home/bela", source_uuid="s", mirror_uuid="m")
    pieces = pieces_of(replace(record, filesystems=(root, bela)), ("/home",))
    assert [(p.mount_point, p.inside, p.nested) for p in pieces] == [
        ("/home/bela", "", ()),
        ("/", "home", ("home/bela",)),
    ]


def test_what_something_else_is_mounted_on_is_passed_over() -> None:
    record = enrolled().record
    mounted = ("/", "/home", "/home/eve/remote", "/var/mail", "/srv")
    homes, mail, www = pieces_of(record, ("/home", "/var/mail", "/srv/www"), mounted=mounted)
    assert (homes.covered, homes.is_covered) == (("eve/remote",), False)
    assert (mail.covered, mail.is_covered) == (("var/mail",), True)
    assert (www.covered, www.is_covered) == (("srv",), True)


FILE = Fact(
    shape=Shape.FILE, size=10**6, mtime_ns=10**18, ctime_ns=10**18, mode=0o644, uid=1, gid=1
)


def compared(start: Start) -> dict[Piece, Comparison]:
    pairs = [NamePair(path="anna/letter", there=FILE, here=None)]
    piece = start.pieces[0]
    return {piece: compare(pairs, piece, since_ns=0, now_ns=2 * 10**18)}


def planned(*, free: int = 10**9, inodes: int = -1, empty: bool = False) -> RestorePlan | Refused:
    machine = rescued()
    start = begun(machine)
    return plan_restore(
        machine,
        start,
        RestoreRequest(),
        readings={} if empty else {"/home": Reading.CLEAN},
        findings=(),
        compared={} if empty else compared(start),
        free={"/home": Free(size=free, inodes=inodes)},
        now=NOW,
    )


def good() -> RestorePlan:
    plan = planned()
    assert isinstance(plan, RestorePlan)
    return plan


def test_the_plan_says_what_would_come_and_survives_a_file() -> None:
    plan = good()
    assert plan.users[0].new == ("anna/letter",)
    assert plan.newest == ("/home/anna/letter",)
    assert plan.since == 1e9
    assert (
        from_json(to_json(plan), RestorePlan, known_version=RESTORE_VERSION, where="plan") == plan
    )


def test_subvolumes_on_the_dead_disk_are_said_before_anything_comes_back() -> None:
    start = begun(rescued())
    border = NamePair(
        path="carol", there=replace(FILE, shape=Shape.FOLDER, is_border=True), here=None
    )
    piece = start.pieces[0]
    plan = plan_restore(
        rescued(),
        start,
        RestoreRequest(),
        readings={"/home": Reading.CLEAN},
        findings=(),
        compared={piece: compare([border], piece, since_ns=0, now_ns=2 * 10**18)},
        free={"/home": Free(size=10**9)},
        now=NOW,
    )
    assert isinstance(plan, RestorePlan)
    assert ["/home/carol" in note and "subvolume" in note for note in plan.notes] == [True]
    assert good().notes == ()


@pytest.mark.parametrize(
    ("free", "inodes"), [(10**6, -1), (1_900_000, 10), (10**9, 0)], ids=["none", "few", "inodes"]
)
def test_room_is_looked_for_before_anything_is_written(free: int, inodes: int) -> None:
    answer = planned(free=free, inodes=inodes)
    assert isinstance(answer, Refused)
    assert answer.findings[0].code is ExitCode.REFUSED
    assert "too little room" in answer.findings[0].reason


def test_a_file_system_that_cannot_be_read_is_refused_by_name() -> None:
    answer = planned(empty=True)
    assert isinstance(answer, Refused)
    assert "the file system of /home on /dev/vda cannot be read" in answer.findings[0].reason


@pytest.mark.parametrize("named", ["", "SRC", "MIR0001", "/dev/vda"])
def test_leave_is_given_for_the_disk_that_was_named_and_no_other(named: str) -> None:
    with pytest.raises(RefusedError):
        grant_return(good(), named=named)


def test_leave_cannot_be_forged_and_is_for_the_granted_file_systems() -> None:
    with pytest.raises(AssertionError):
        ReturnGrant(plan=good(), _mint=object())
    grant = grant_return(good(), named="SRC0001")
    grant.check(mount_point="/home", uuid=HOME_UUID)
    for place, uuid in (("/home", "other"), ("/", HOME_UUID), ("/home", "")):
        with pytest.raises(RefusedError):
            grant.check(mount_point=place, uuid=uuid)


BIG = Place(path="/srv/dead.img", free=10**12)


@pytest.mark.parametrize(
    ("place", "words"),
    [
        (replace(BIG, free=10**9), "too little room"),
        (replace(BIG, exists=True), "no map of ddrescue"),
        (replace(BIG, path="/dev/vdc"), "cannot be a file"),
    ],
)
def test_an_image_goes_only_where_there_is_place_for_it(place: Place, words: str) -> None:
    answer = plan_salvage(rescued(), "SRC0001", place)
    assert isinstance(answer, Refused)
    assert words in answer.findings[0].reason


def test_a_disk_is_not_imaged_onto_itself_nor_the_running_one_at_all() -> None:
    machine = rescued()
    answer = plan_salvage(machine, "MIR0001", BIG)
    assert isinstance(answer, Refused)
    assert "runs from" in answer.findings[0].reason
    assert "lies on /dev/vdb itself" in " ".join(one.reason for one in answer.findings)


def test_an_image_that_was_begun_goes_on_and_counts_what_it_has() -> None:
    disk: Disk = bare_disk("/dev/vdc", "OLD")
    machine = with_disk(rescued(), disk)
    begun_ = replace(BIG, free=10, taken=disk.size - 10, exists=True, has_map=True)
    plan = plan_salvage(machine, "OLD", begun_)
    assert isinstance(plan, SalvagePlan)
    assert plan.resumes
    assert plan_salvage(machine, "OLD", replace(begun_, begun_from="OLD")) == plan
    other = plan_salvage(machine, "OLD", replace(begun_, begun_from="SRC0001"))
    assert isinstance(other, Refused)
    assert "was begun from disk SRC0001, but /dev/vdc is OLD" in other.findings[0].reason


def test_a_mirror_that_cannot_be_told_says_why_nothing_comes_back() -> None:
    damage = ("/.rescue/mirror.json is not a state file of rescue",)
    machine = replace(rescued(), running_mirror=None, damage=damage)
    (refusal,) = refused(machine)
    assert damage[0] in refusal.reason
    assert refusal.hint


def test_a_map_without_its_image_is_refused() -> None:
    """By it nothing would be read again that a lost image held."""
    alone = replace(BIG, has_map=True)
    answer = plan_salvage(rescued(), "SRC0001", alone)
    assert isinstance(answer, Refused)
    assert "it belongs to" in answer.findings[0].reason
