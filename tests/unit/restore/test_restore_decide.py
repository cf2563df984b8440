"""What becomes of one name that two trees have."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rescue.model.restore.comparison import compare, merged, room_of, settled
from rescue.model.restore.name_pair import Decision, Fact, NamePair, Shape, decide, same_owner
from rescue.model.restore.way_back import Piece
from rescue.model.storage.filesystem import FsKind

HOUR = 3600 * 10**9
SINCE = 1_000_000 * HOUR
NOW = SINCE + 10 * HOUR
FILE = Fact(
    shape=Shape.FILE,
    size=5,
    mtime_ns=SINCE - HOUR,
    ctime_ns=SINCE - HOUR,
    mode=0o644,
    uid=1000,
    gid=1000,
)
LINK = replace(FILE, shape=Shape.LINK, target="a")
FOLDER = replace(FILE, shape=Shape.FOLDER, mode=0o755)
PIPE = replace(FILE, shape=Shape.SPECIAL)
LATER = replace(FILE, mtime_ns=SINCE + HOUR, ctime_ns=SINCE + HOUR, size=6)


def test_a_file_that_is_mostly_holes_takes_what_is_in_it() -> None:
    sparse = Fact(
        shape=Shape.FILE, size=1 << 44, taken=5000, mtime_ns=1, ctime_ns=1, mode=0o644, uid=1, gid=1
    )
    assert room_of(sparse) == 8192
    assert room_of(replace(sparse, taken=None)) == 1 << 44
    assert room_of(replace(sparse, size=100)) == 4096


HOMES = Piece(
    tree="/home",
    mount_point="/home",
    inside="",
    kind=FsKind.EXT4,
    source_uuid="a",
    mirror_uuid="b",
)


def of(there: Fact | None, here: Fact | None, *, unreadable: bool = False) -> Decision:
    twin = NamePair(path="anna/x", there=there, here=here, unreadable=unreadable)
    return decide(twin, since_ns=SINCE, now_ns=NOW)


@pytest.mark.parametrize(
    ("there", "here", "wanted"),
    [
        (FILE, None, Decision.NEW),
        (FOLDER, None, Decision.NEW),
        (None, FILE, Decision.ONLY_HERE),
        (FILE, FILE, Decision.SAME),
        (FILE, replace(FILE, uid=0, mode=0), Decision.SAME),
        (LATER, FILE, Decision.UPDATE),
        (FILE, LATER, Decision.NEWER_HERE),
        (replace(FILE, size=9), FILE, Decision.UPDATE),
        (FILE, FOLDER, Decision.OTHER_KIND),
        (FOLDER, LINK, Decision.OTHER_KIND),
        (FOLDER, replace(FOLDER, is_border=True), Decision.OTHER_KIND),
        (replace(FOLDER, is_border=True), FOLDER, Decision.UNREADABLE),
        (replace(FOLDER, is_border=True), None, Decision.UNREADABLE),
        (FOLDER, replace(FOLDER, mtime_ns=0), Decision.SAME),
        (PIPE, replace(PIPE, mtime_ns=0), Decision.SAME),
        (LINK, replace(LINK, mtime_ns=0), Decision.SAME),
        (replace(LINK, target="b"), replace(LINK, mtime_ns=NOW), Decision.NEWER_HERE),
        (replace(LINK, target="b", mtime_ns=SINCE), LINK, Decision.UPDATE),
        (LATER, replace(FILE, ctime_ns=SINCE + 2 * HOUR), Decision.DOUBTFUL),
        (replace(FILE, mtime_ns=NOW + HOUR), FILE, Decision.DOUBTFUL),
    ],
)  # fmt: skip
def test_each_pair_of_facts(there: Fact | None, here: Fact | None, wanted: Decision) -> None:
    assert of(there, here) is wanted


def test_what_was_rewritten_on_the_dead_disk_is_the_newer_one_of_two_with_one_time() -> None:
    here_too = replace(FILE, ctime_ns=SINCE + HOUR)
    for here, wanted in ((FILE, Decision.UPDATE), (here_too, Decision.DOUBTFUL)):
        twin = NamePair(path="anna/x", there=FILE, here=here, rewritten=True)
        assert decide(twin, since_ns=SINCE, now_ns=NOW) is wanted


def test_what_was_not_told_is_never_missing() -> None:
    assert of(None, FILE, unreadable=True) is Decision.UNREADABLE


times = st.integers(min_value=0, max_value=2 * NOW)
facts = st.builds(
    Fact,
    shape=st.sampled_from(Shape),
    size=st.integers(0, 10),
    mtime_ns=times,
    ctime_ns=times,
    mode=st.just(0o644),
    uid=st.just(0),
    gid=st.just(0),
    target=st.sampled_from(["", "a"]),
)


@given(there=facts, here=facts)
def test_what_is_newer_here_is_never_replaced(there: Fact, here: Fact) -> None:
    decision = of(there, here)
    if here.mtime_ns > there.mtime_ns or here.shape is not there.shape:
        assert decision not in (Decision.UPDATE, Decision.DOUBTFUL, Decision.NEW)


@given(there=facts, here=facts)
def test_what_people_changed_here_is_never_replaced_without_being_put_aside(
    there: Fact, here: Fact
) -> None:
    if of(there, here) is Decision.UPDATE:
        assert here.ctime_ns <= SINCE


@given(st.lists(st.tuples(st.none() | facts, st.none() | facts), max_size=20))
def test_every_file_is_told_of_exactly_once(pairs: list[tuple[Fact | None, Fact | None]]) -> None:
    found = [
        NamePair(path=f"u{number % 3}/f{number}", there=there, here=here)
        for number, (there, here) in enumerate(pairs)
        if (there or here) and Shape.FOLDER not in {f.shape for f in (there, here) if f}
    ]
    compared = compare(found, HOMES, since_ns=SINCE, now_ns=NOW)
    told = [
        path
        for each in compared.users
        for path in (*each.comes, *each.newer_here, *each.only_here, *each.other_kind)
    ]
    assert len(told) == len(set(told))
    assert len(told) + sum(each.same for each in compared.users) == len(found)
    assert set(compared.send) == {path for each in compared.users for path in each.comes}
    assert set(compared.aside) <= set(compared.send)


def test_room_is_counted_in_blocks_and_a_folder_takes_one() -> None:
    pairs = [
        NamePair(path="anna", there=FOLDER, here=None),
        NamePair(path="anna/a", there=replace(FILE, size=1), here=None),
        NamePair(path="anna/b", there=replace(FILE, size=4097), here=None),
        NamePair(path="anna/c", there=FILE, here=FILE),
    ]
    compared = compare(pairs, HOMES, since_ns=SINCE, now_ns=NOW)
    assert (compared.needed, compared.inodes_needed) == (4096 + 4096 + 8192, 3)
    assert compared.users[0].bytes_back == 4098
    assert compared.users[0].new_folders == 1


def test_users_are_the_folders_of_home_and_a_tree_on_two_file_systems_is_one() -> None:
    own = replace(HOMES, mount_point="/home/bela", source_uuid="c")
    one = compare(
        [
            NamePair(path="anna/x", there=FILE, here=None),
            NamePair(path="bela", there=FOLDER, here=FOLDER),
        ],
        HOMES,
        since_ns=SINCE,
        now_ns=NOW,
    )
    two = compare([NamePair(path="y", there=None, here=FILE)], own, since_ns=SINCE, now_ns=NOW)
    users = merged(one.users + two.users)
    assert [(told.user, told.new, told.only_here) for told in users] == [
        ("anna", ("anna/x",), ()),
        ("bela", (), ("bela/y",)),
    ]


def test_a_subvolume_of_the_dead_disk_is_listed_and_is_not_made_as_an_empty_folder() -> None:
    border = replace(FOLDER, is_border=True)
    compared = compare(
        [NamePair(path="anna", there=border, here=None)], HOMES, since_ns=SINCE, now_ns=NOW
    )
    assert compared.borders == ("/home/anna",)
    assert compared.users[0].unreadable == ("anna",)
    assert (compared.send, compared.owners, compared.users[0].new_folders) == ((), frozenset(), 0)


def test_what_did_not_come_is_told_as_such() -> None:
    pairs = [NamePair(path=f"anna/{name}", there=FILE, here=None) for name in "abc"]
    told = compare(pairs, HOMES, since_ns=SINCE, now_ns=NOW).users[0]
    left = settled(told, failed={"anna/a": 5}, newer={"anna/b": 5})
    assert (left.new, left.unreadable, left.newer_here) == (("anna/c",), ("anna/a",), ("anna/b",))
    assert left.bytes_back == 5


def test_owners_are_compared_and_those_of_links_do_not_matter() -> None:
    assert not same_owner(NamePair(path="x", there=FILE, here=replace(FILE, gid=0)))
    assert same_owner(NamePair(path="x", there=LINK, here=replace(LINK, gid=0)))
