"""Files of terabytes that are holes: carried by what is in them, in moments, each time."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from rescue.plan.rot import judge, with_comparison, with_rewritten
from rescue.system.files.digests import opened
from rescue.system.files.same_content import same_content
from tests.image.loopdisks import DiskPair, disk_pair, in_child, tree_of
from tests.image.measured import compare, estimate
from tests.image.nights import carried_out
from tests.image.test_apply_run import OWN
from tests.image.users import as_user, home_of

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root: loop devices and mounts"),
]

TIB = 1 << 40
"""Two or three of them are the most that a small ext4 has room for in one file."""


@pytest.fixture(name="pair")
def pair_(tmp_path: Path) -> Iterator[DiskPair]:
    with disk_pair(tmp_path) as made:
        home_of(made.root / "home")
        yield made


def night(pair: DiskPair, *, first: bool = False, weekly: bool = False) -> dict[str, list[str]]:
    """Do what the command does, but for the audit."""

    def action() -> object:
        plan = pair.plan(first=first)
        if weekly:
            with opened(pair.folder / "digests.sqlite") as digests:
                seen = compare(plan, digests=digests, emit=lambda _: None, site=pair.site)
            suspects = judge(seen.doubts, accepted=())
            plan = with_comparison(with_rewritten(plan, seen.estimated.rewritten), suspects)
        elif not first:
            plan = with_rewritten(plan, estimate(plan, site=pair.site).rewritten)
        outcome = carried_out(pair, plan)
        return {"unreadable": list(outcome.summary.unreadable)}

    told = in_child(action)
    assert isinstance(told, dict)
    return told


def grow(name: str, *, islands: dict[int, bytes], size: int = 2 * TIB) -> None:
    with Path(name).open("wb") as file:
        file.truncate(size)
        for place, data in islands.items():
            file.seek(place)
            file.write(data)


def is_alike(pair: DiskPair, mirror: Path, name: str) -> bool:
    one, two = pair.root / name, mirror / name
    facts = [
        (seen.st_size, seen.st_mtime_ns, seen.st_mode, seen.st_uid, seen.st_gid)
        for seen in (one.stat(), two.stat())
    ]
    taken = two.stat().st_blocks * 512
    return facts[0] == facts[1] and taken < 8 << 20 and same_content(one, two)


def test_a_sparse_file_of_terabytes_is_carried_each_day_by_what_is_in_it(pair: DiskPair) -> None:
    eve = pair.root / "home/eve"
    as_user(eve, lambda: grow("disk", islands={0: b"boot", TIB: b"island" * 1000}))
    os.link(eve / "disk", eve / "again")
    os.setxattr(eve / "disk", "user.note", b"kept")
    apart = (*OWN, "home/eve/disk", "home/eve/again")
    for weekly in (None, False, True):
        if weekly is not None:
            as_user(eve, lambda: os.utime("disk"))
        assert night(pair, first=weekly is None, weekly=bool(weekly)) == {"unreadable": []}
        with pair.mirror_seen() as mirror:
            assert is_alike(pair, mirror, "home/eve/disk")
            assert os.path.samefile(mirror / "home/eve/disk", mirror / "home/eve/again")
            assert os.getxattr(mirror / "home/eve/disk", "user.note") == b"kept"
            assert tree_of(mirror, apart) == tree_of(pair.root, apart)


def test_what_changed_in_it_under_its_old_time_and_in_its_rights_is_carried(pair: DiskPair) -> None:
    eve = pair.root / "home/eve"
    as_user(eve, lambda: grow("disk", islands={TIB: b"island"}))
    night(pair, first=True)
    times = (eve / "disk").stat()
    with (eve / "disk").open("r+b") as file:
        file.seek(TIB)
        file.write(b"ISLAND")
    os.utime(eve / "disk", ns=(times.st_atime_ns, times.st_mtime_ns))
    (eve / "disk").chmod(0o600)
    night(pair)
    with pair.mirror_seen() as mirror:
        assert is_alike(pair, mirror, "home/eve/disk")


def test_it_goes_from_the_mirror_when_it_is_gone_and_takes_the_place_of_others(
    pair: DiskPair,
) -> None:
    eve = pair.root / "home/eve"
    as_user(eve, lambda: grow("gone", islands={0: b"1"}))
    as_user(eve, lambda: os.makedirs("folder/below"))
    as_user(eve, lambda: os.symlink("/nowhere", "link"))
    night(pair, first=True)

    def swap() -> None:
        os.unlink("gone")
        os.removedirs("folder/below")
        os.unlink("link")
        for name in ("folder", "link"):
            grow(name, islands={4096: b"2"})

    as_user(eve, swap)
    night(pair)
    with pair.mirror_seen() as mirror:
        assert sorted(path.name for path in (mirror / "home/eve").iterdir()) == ["folder", "link"]
        assert is_alike(pair, mirror, "home/eve/folder")
        assert is_alike(pair, mirror, "home/eve/link")


def test_more_than_are_carried_by_themselves_are_named_and_the_others_come(pair: DiskPair) -> None:
    eve = pair.root / "home/eve"
    night(pair, first=True)

    def many() -> None:
        os.mkdir("many")
        for number in range(205):
            grow(f"many/{number:03}", islands={}, size=TIB)
        Path("letter").write_bytes(b"1")

    as_user(eve, many)
    said = night(pair)["unreadable"]
    assert said == [f"/home/eve/many/{number:03}" for number in range(5)]
    with pair.mirror_seen() as mirror:
        assert (mirror / "home/eve/letter").read_bytes() == b"1"
        assert is_alike(pair, mirror, "home/eve/many/204")
