"""Other content under the same size and time is mirrored in the same night, and is no rot."""

import os
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from rescue.apply.engine import apply_plan
from rescue.apply.marker import store_marker
from rescue.model.mirror.record import RECORD_VERSION, MirrorRecord, MirrorState
from rescue.model.mirror.since import behind_after
from rescue.model.run.rot import Verdict
from rescue.plan.rot import judge, with_comparison, with_rewritten
from rescue.store.codec import from_json, to_json
from rescue.system.files.digests import opened
from tests.image.fscrypt import Lock
from tests.image.loopdisks import DiskPair, disk_pair, in_child, sh, tree_of
from tests.image.measured import compare, estimate
from tests.image.test_apply_run import OWN
from tests.image.test_locked import ANNA, taken_down
from tests.image.test_rot import HOUR, spoil

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root: loop devices and mounts"),
]

CONTAINER = "home/ann/container.hc"
SIZE = 3_000_000


class Nights:
    """A source and its mirror, with the record that each run leaves to the next one."""

    def __init__(self, pair: DiskPair, store: Path) -> None:
        self.pair, self.store, self.record = pair, store, pair.record
        self.rewritten: list[str] = []
        self.said: dict[str, str] = {}
        self.unreadable: tuple[str, ...] = ()

    def night(self, *, first: bool = False, weekly: bool = False) -> None:
        """Do what the command does, but for the audit."""
        plan = replace(self.pair.plan(first=first), record=self.record)

        def action() -> object:
            meant, now = plan, time.time()
            if weekly:
                with opened(self.store) as digests:
                    seen = compare(
                        plan,
                        digests=digests,
                        emit=lambda _: None,
                        site=self.pair.site,
                        clock=lambda: time.time_ns() + HOUR,
                    )
                suspects = judge(seen.doubts, accepted=())
                meant = with_comparison(with_rewritten(plan, seen.estimated.rewritten), suspects)
            elif not first:
                meant = with_rewritten(plan, estimate(plan, site=self.pair.site).rewritten)
            outcome = apply_plan(
                meant, self.pair.grant(meant), emit=lambda _: None, site=self.pair.site
            )
            complete = replace(
                outcome.record,
                state=MirrorState.COMPLETE,
                last_run=outcome.summary,
                behind=behind_after(plan.record, outcome.summary.unreadable, now=now),
            )
            store_marker(complete, self.pair.grant(meant), site=self.pair.site)
            return to_json(complete)

        text = in_child(action)
        self.record = from_json(
            str(text), MirrorRecord, known_version=RECORD_VERSION, where="a test"
        )
        assert self.record.last_run
        self.said = {each.path: each.verdict.value for each in self.record.last_run.suspects}
        self.unreadable = self.record.last_run.unreadable

    def on_mirror(self, path: str = CONTAINER) -> bytes:
        with self.pair.mirror_seen() as mirror:
            return (mirror / path).read_bytes()

    def on_source(self, path: str = CONTAINER) -> bytes:
        return (self.pair.root / path).read_bytes()


@pytest.fixture(name="nights")
def nights_(tmp_path: Path) -> Iterator[Nights]:
    with disk_pair(tmp_path) as pair:
        with taken_down(pair) as device:
            sh("tune2fs", "-O", "encrypt", device)
        (pair.root / CONTAINER).write_bytes(os.urandom(SIZE))
        nights = Nights(pair, tmp_path / "digests.sqlite")
        nights.night(first=True)
        yield nights


def rewrite(file: Path, place: int = SIZE - 1) -> None:
    """Change one byte and put the time back, as VeraCrypt does."""
    times = file.stat()
    with file.open("r+b") as stream:
        stream.seek(place)
        byte = stream.read(1)
        stream.seek(place)
        stream.write(bytes([byte[0] ^ 1]))
    os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))


def test_a_container_that_puts_its_time_back_is_mirrored_that_night(nights: Nights) -> None:
    rewrite(nights.pair.root / CONTAINER)
    assert nights.on_mirror() != nights.on_source()
    nights.night()
    assert nights.on_mirror() == nights.on_source()
    with nights.pair.mirror_seen() as mirror:
        assert tree_of(mirror, OWN) == tree_of(nights.pair.root, OWN)


def test_each_name_of_a_hard_link_stays_one_file(nights: Nights) -> None:
    spoil(nights.pair.root / "home/ann/mail")
    nights.night()
    with nights.pair.mirror_seen() as mirror:
        assert (mirror / "home/ann/mail").read_bytes() == nights.on_source("home/ann/mail")
        assert os.path.samefile(mirror / "home/ann/mail", mirror / "home/ann/mail-again")


def test_what_is_the_mirrors_own_stays_so_though_size_and_time_are_equal(nights: Nights) -> None:
    """The mirror's fstab has the source's size and time, and names other disks."""
    fstab = nights.on_mirror("etc/fstab")
    assert fstab != nights.on_source("etc/fstab")
    (nights.pair.root / "etc/fstab").chmod(0o644)
    nights.night()
    nights.night()
    assert nights.on_mirror("etc/fstab") == fstab


def test_other_rights_alone_make_no_copy(nights: Nights) -> None:
    with nights.pair.mirror_seen() as mirror:
        before = (mirror / CONTAINER).stat().st_ino
    (nights.pair.root / CONTAINER).chmod(0o640)
    os.link(nights.pair.root / CONTAINER, nights.pair.root / "home/ann/again.hc")
    nights.night()
    with nights.pair.mirror_seen() as mirror:
        assert (mirror / CONTAINER).stat().st_ino == before
        assert (mirror / CONTAINER).stat().st_mode & 0o777 == 0o640


def test_it_counts_for_the_brake(nights: Nights) -> None:
    rewrite(nights.pair.root / CONTAINER)
    plan = replace(nights.pair.plan(), record=nights.record)

    def action() -> object:
        return estimate(plan, site=nights.pair.site).changes

    assert in_child(action) == 1


def test_what_a_program_wrote_is_no_rot(nights: Nights) -> None:
    """Of the weekly comparison: the inode's own time tells a program from a disk."""
    nights.night(weekly=True)
    assert nights.said == {}
    rewrite(nights.pair.root / CONTAINER)
    nights.night(weekly=True)
    assert nights.said == {}
    assert nights.on_mirror() == nights.on_source()


def test_what_a_program_wrote_before_anything_was_recorded_is_no_rot(nights: Nights) -> None:
    rewrite(nights.pair.root / CONTAINER)
    nights.night(weekly=True)
    assert nights.said == {}
    assert nights.on_mirror() == nights.on_source()


def test_a_mirror_that_rotted_is_told_though_the_source_was_touched(nights: Nights) -> None:
    nights.night(weekly=True)
    with nights.pair.mirror_seen() as mirror:
        rewrite(mirror / CONTAINER)
    (nights.pair.root / CONTAINER).chmod(0o640)
    nights.night(weekly=True)
    assert nights.said == {f"/{CONTAINER}": Verdict.MIRROR}
    assert nights.on_mirror() == nights.on_source()


def test_a_container_as_large_as_what_is_left_is_written_in_place(nights: Nights) -> None:
    with nights.pair.mirror_seen() as mirror:
        free = os.statvfs(mirror).f_bavail * os.statvfs(mirror).f_bsize
    large = nights.pair.root / "home/ann/large.hc"
    large.write_bytes(os.urandom(1 << 20) * (free * 2 // 3 >> 20))
    nights.night()
    rewrite(large, 5)
    nights.night()
    assert nights.on_mirror("home/ann/large.hc") == large.read_bytes()


def test_what_changed_in_a_home_before_it_was_locked_comes_when_it_is_open(nights: Nights) -> None:
    """The nights go on meanwhile, and the file was touched before all of them."""
    lock = Lock(root=nights.pair.root, secret=bytes(range(64)))
    anna = nights.pair.root / ANNA
    anna.mkdir()
    lock.encrypt(anna)
    (anna / "safe.hc").write_bytes(os.urandom(5000))
    nights.night()
    assert nights.record.last_run
    open_until = nights.record.last_run.started
    rewrite(anna / "safe.hc", 5)
    changed = (anna / "safe.hc").read_bytes()
    lock.lock()
    nights.night()
    assert nights.unreadable == ("/home/anna",)
    for _ in range(2):
        (place,) = nights.record.behind
        assert place.path == "/home/anna"
        assert place.since == pytest.approx(open_until, abs=0.001)
        nights.night()
    lock.unlock()
    nights.night()
    assert nights.on_mirror(f"{ANNA}/safe.hc") == changed
    assert nights.record.behind == ()
