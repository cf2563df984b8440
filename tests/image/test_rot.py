"""Rot on either disk, on real file systems with the real rsync: what is told, and what is kept."""

import os
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from rescue.model.event import Event, StepDone
from rescue.model.mirror.plan import PLAN_VERSION, Plan
from rescue.model.run.rot import Verdict
from rescue.plan.rot import judge, with_comparison, with_rewritten
from rescue.store.codec import from_json, to_json
from rescue.system.files.digests import opened
from tests.image.loopdisks import DiskPair, disk_pair, in_child, sh, tree_of
from tests.image.measured import compare
from tests.image.nights import carried_out
from tests.image.test_apply_run import OWN

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root: loop devices and mounts"),
]

FILE = "home/ann/mail"
HOUR = 3600 * 10**9


class Weeks:
    """A source and its mirror, compared as often as a test likes."""

    def __init__(self, pair: DiskPair, store: Path) -> None:
        self.pair, self.store = pair, store

    def compare(self, *accepted: str) -> Plan:
        """Compare every content an hour from now, and return the plan of the run."""

        def action() -> object:
            plan, events = self.pair.plan(), list[Event]()
            with opened(self.store) as digests:
                seen = compare(
                    plan,
                    digests=digests,
                    emit=events.append,
                    site=self.pair.site,
                    # What was just written has settled by then.
                    clock=lambda: time.time_ns() + HOUR,
                )
            assert len([each for each in events if isinstance(each, StepDone)]) == 2
            carried = with_rewritten(plan, seen.estimated.rewritten)
            return to_json(with_comparison(carried, judge(seen.doubts, accepted=accepted)))

        said = in_child(action)
        assert isinstance(said, str)
        return from_json(said, Plan, known_version=PLAN_VERSION, where="a test")

    def run(self, *accepted: str) -> dict[str, str]:
        """Compare, and mirror. Returns what was said of which file."""
        plan = self.compare(*accepted)

        def action() -> object:
            outcome = carried_out(self.pair, plan)
            assert outcome.summary.checksum
            return {each.path: each.verdict.value for each in outcome.summary.suspects}

        said = in_child(action)
        assert isinstance(said, dict)
        return said

    def on_mirror(self, path: str = FILE) -> bytes:
        with self.pair.mirror_seen() as mirror:
            return (mirror / path).read_bytes()

    def spoil_mirror(self, path: str = FILE) -> None:
        with self.pair.mirror_seen() as mirror:
            spoil(mirror / path)

    def rot_source(self, path: str = FILE) -> None:
        """Flip bits on the source's disk, below its file system."""
        file = self.pair.root / path
        size, first = file.stat().st_size, file.read_bytes()[0]
        sh("sync", "--file-system", str(file))
        block = sh("filefrag", "-v", str(file)).splitlines()[3].split(":")[2].split("..")[0]
        with (self.pair.folder / "source1.img").open("r+b") as disk:
            disk.seek(int(block) * block_size(file))
            assert disk.read(1)[0] == first
            disk.seek(-1, os.SEEK_CUR)
            disk.write(bytes([first ^ 4]))
        with file.open("rb") as stream:
            os.posix_fadvise(stream.fileno(), 0, size, os.POSIX_FADV_DONTNEED)
        assert file.read_bytes()[0] == first ^ 4


def block_size(path: Path) -> int:
    return os.statvfs(path).f_bsize


def spoil(file: Path) -> None:
    """Change a content and set the time back."""
    times = file.stat()
    with file.open("r+b") as stream:
        byte = stream.read(1)
        stream.seek(0)
        stream.write(bytes([byte[0] ^ 1]))
    os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))


@pytest.fixture(name="weeks")
def weeks_(tmp_path: Path) -> Iterator[Weeks]:
    """A mirror that was made and compared once."""
    with disk_pair(tmp_path) as pair:
        first = pair.plan(first=True)

        def make() -> object:
            carried_out(pair, first)
            return None

        in_child(make)
        weeks = Weeks(pair, tmp_path / "digests.sqlite")
        assert weeks.run() == {}
        yield weeks


def test_where_nothing_rots_nothing_is_said_and_nothing_is_written(weeks: Weeks) -> None:
    assert weeks.run() == {}
    with weeks.pair.mirror_seen() as mirror:
        assert tree_of(mirror, OWN) == tree_of(weeks.pair.root, OWN)


def test_a_mirror_that_rots_is_named_and_mended(weeks: Weeks) -> None:
    good = weeks.on_mirror()
    weeks.spoil_mirror()
    assert weeks.on_mirror() != good
    said = weeks.run()
    assert said == {"/home/ann/mail": Verdict.MIRROR}
    assert weeks.on_mirror() == good
    assert weeks.run() == {}
    with weeks.pair.mirror_seen() as mirror:
        # Hard links, owners, attributes too.
        assert tree_of(mirror, OWN) == tree_of(weeks.pair.root, OWN)


def test_a_source_that_rots_does_not_overwrite_the_good_copy(weeks: Weeks) -> None:
    good = weeks.on_mirror()
    weeks.rot_source()
    for _ in range(2):
        assert weeks.run() == {"/home/ann/mail": Verdict.SOURCE}
        assert weeks.on_mirror() == good
    (suspect,) = weeks.compare().suspects
    assert (suspect.taken, suspect.touched) == (False, 0.0)


def test_a_time_that_was_set_back_is_told_from_a_disk_that_rots(weeks: Weeks) -> None:
    spoil(weeks.pair.root / FILE)
    assert weeks.run() == {}
    assert weeks.on_mirror() == (weeks.pair.root / FILE).read_bytes()


def test_a_person_accepts_what_the_source_has(weeks: Weeks) -> None:
    weeks.rot_source()
    weeks.rot_source("var/odd/suid")
    kept = weeks.on_mirror("var/odd/suid")
    said = weeks.run("/home")
    assert set(said) == {"/home/ann/mail", "/var/odd/suid"}
    assert weeks.on_mirror() == (weeks.pair.root / FILE).read_bytes()
    assert weeks.on_mirror("var/odd/suid") == kept
    assert weeks.run() == {"/var/odd/suid": Verdict.SOURCE}


def test_both_sides_changed(weeks: Weeks) -> None:
    weeks.rot_source()
    weeks.spoil_mirror()
    with weeks.pair.mirror_seen() as mirror, (mirror / FILE).open("r+b") as stream:
        times = os.stat(mirror / FILE)
        stream.seek(100)
        stream.write(b"?")
        stream.flush()
        os.utime(mirror / FILE, ns=(times.st_atime_ns, times.st_mtime_ns))
    here = weeks.on_mirror()
    assert weeks.run() == {"/home/ann/mail": Verdict.BOTH}
    assert weeks.on_mirror() == here


def test_without_a_recorded_digest_neither_side_is_believed(weeks: Weeks) -> None:
    weeks.store.unlink()
    weeks.spoil_mirror("boot/vmlinuz-6.1.0-1")
    here = weeks.on_mirror("boot/vmlinuz-6.1.0-1")
    assert weeks.run() == {"/boot/vmlinuz-6.1.0-1": Verdict.UNKNOWN}
    assert weeks.on_mirror("boot/vmlinuz-6.1.0-1") == here
    weeks.run("/boot/vmlinuz-6.1.0-1")
    assert weeks.on_mirror("boot/vmlinuz-6.1.0-1") == b"kernel 1"


def test_an_ordinary_change_is_no_rot(weeks: Weeks) -> None:
    (weeks.pair.root / FILE).write_bytes(b"y" * 5000)
    (weeks.pair.root / "home/ann/fresh").write_bytes(b"fresh")
    (weeks.pair.root / "var/odd/sparse").unlink()
    assert weeks.run() == {}
    assert weeks.on_mirror() == b"y" * 5000
    assert weeks.run() == {}


def test_ten_thousand_files_that_a_program_wrote_are_no_failing_disk(weeks: Weeks) -> None:
    folder = weeks.pair.root / "home/ann/modules"
    folder.mkdir()
    for number in range(10_001):
        (folder / str(number)).write_bytes(b"1")
        os.utime(folder / str(number), (499162500, 499162500))
    assert weeks.run() == {}
    for number in range(10_001):
        (folder / str(number)).write_bytes(b"2")
        os.utime(folder / str(number), (499162500, 499162500))
    assert weeks.run() == {}
    assert weeks.on_mirror("home/ann/modules/10000") == b"2"


def test_names_that_break_scripts_are_mended_too(weeks: Weeks) -> None:
    names = ["home/ann/new\nline", "home/ann/*[wild]?\\", "home/ann/\udcff\udcfe", "#a", ";b"]
    for number, name in enumerate(names[3:], 4):
        (weeks.pair.root / name).write_text(str(number))
    assert weeks.run() == {}
    for name in names:
        weeks.spoil_mirror(name)
    said = weeks.run()
    assert said == {f"/{name}": Verdict.MIRROR for name in names}
    assert [weeks.on_mirror(name) for name in names] == [b"1", b"2", b"3", b"4", b"5"]


def test_every_name_of_a_hard_link_is_mended(weeks: Weeks) -> None:
    weeks.spoil_mirror("home/ann/mail-again")
    weeks.run()
    with weeks.pair.mirror_seen() as mirror:
        assert (mirror / FILE).read_bytes() == (weeks.pair.root / FILE).read_bytes()
        assert os.path.samefile(mirror / FILE, mirror / "home/ann/mail-again")


def test_a_copy_that_cannot_be_read_any_more_is_written_anew(weeks: Weeks) -> None:
    make_scattered(weeks.pair.root / SCATTERED)
    assert weeks.run() == {}
    good = weeks.on_mirror(SCATTERED)
    break_extents(weeks.pair.devices["/"], SCATTERED)
    with weeks.pair.mirror_seen() as mirror, pytest.raises(OSError, match=r"Errno"):
        (mirror / SCATTERED).read_bytes()
    assert weeks.run() == {f"/{SCATTERED}": Verdict.MIRROR}
    assert weeks.on_mirror(SCATTERED) == good


SCATTERED = "home/ann/scattered"


def make_scattered(file: Path) -> None:
    """Make a file of so many pieces that its inode does not hold the list of them."""
    with file.open("wb") as stream:
        for piece in range(40):
            stream.seek(piece * 65536)
            stream.write(b"piece %d" % piece)


def break_extents(device: str, path: str) -> None:
    """Overwrite that list on the disk: the file is there, and cannot be read."""
    sh("sync")
    told = re.search(r"0/ 1 .* - +\d+ +(\d+)", sh("debugfs", "-R", f"ex -n /{path}", device))
    size = re.search(r"Block size: +(\d+)", sh("dumpe2fs", "-h", device))
    assert told
    assert size
    with open(device, "r+b") as disk:
        disk.seek(int(told[1]) * int(size[1]))
        disk.write(b"\xff" * int(size[1]))
        disk.flush()
        os.fsync(disk.fileno())
