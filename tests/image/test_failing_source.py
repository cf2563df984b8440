"""A source whose disk cannot be read everywhere: nothing is deleted, and what is lost is listed."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from rescue.model.run.rot import Verdict
from rescue.plan.checks.failing_source import without_deletions
from tests.image.loopdisks import DiskPair, disk_pair, sh, unmount
from tests.image.nights import night
from tests.image.test_rot import SCATTERED, Weeks, break_extents, make_scattered

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root: loop devices and mounts"),
]

SAID = ("SMART says so",)


@pytest.fixture(name="pair")
def pair_(tmp_path: Path) -> Iterator[DiskPair]:
    """A complete mirror; a file of many pieces is on both sides."""
    with disk_pair(tmp_path) as pair:
        make_scattered(pair.root / SCATTERED)
        (pair.root / "home/ann/folder").mkdir()
        (pair.root / "home/ann/folder/letter").write_bytes(b"letter")
        night(pair, pair.plan(first=True))
        yield pair


def break_source(pair: DiskPair, path: str = SCATTERED) -> None:
    """Let a file of the source be there and not be readable, as the kernel sees it from now on."""
    root, mounts = pair.root, Path("/proc/mounts").read_text()
    device = re.search(rf"(\S+) {root} ", mounts)
    boot = re.search(rf"(\S+) {root}/boot ", mounts)
    assert device
    assert boot
    unmount(root / "boot", boot[1])
    unmount(root, device[1])
    break_extents(device[1], path)
    sh("mount", device[1], str(root))
    sh("mount", boot[1], f"{root}/boot")
    with pytest.raises(OSError, match=r"Errno"):
        (root / path).read_bytes()


def lose_files(pair: DiskPair) -> None:
    """Take files away as a disk does that no longer shows them, and change another."""
    (pair.root / "home/ann/mail-again").unlink()
    (pair.root / "boot/vmlinuz-6.1.0-1").unlink()
    (pair.root / "etc/default/grub.d/a.cfg").unlink()
    (pair.root / "home/ann/mail").write_bytes(b"new")


def kept(pair: DiskPair) -> list[bool]:
    names = ("home/ann/mail-again", "boot/vmlinuz-6.1.0-1", "etc/default/grub.d/a.cfg")
    with pair.mirror_seen() as mirror:
        assert (mirror / "home/ann/mail").read_bytes() == b"new"
        return [(mirror / name).exists() for name in names]


def test_from_a_good_source_deletions_are_carried(pair: DiskPair) -> None:
    lose_files(pair)
    said = night(pair, pair.plan())
    assert kept(pair) == [False, False, False]
    assert said.failing_source == []


def test_from_a_failing_source_nothing_is_deleted_and_changes_are_carried(pair: DiskPair) -> None:
    lose_files(pair)
    said = night(pair, without_deletions(pair.plan(), SAID))
    assert kept(pair) == [True, True, True]
    assert (said.failing_source, said.deletions) == (list(SAID), 0)
    assert (said.unreadable, said.kept) == ([], [])


def test_a_folder_in_whose_place_a_file_came_stays(pair: DiskPair) -> None:
    (pair.root / "home/ann/folder/letter").unlink()
    (pair.root / "home/ann/folder").rmdir()
    (pair.root / "home/ann/folder").write_bytes(b"now a file")
    said = night(pair, without_deletions(pair.plan(), SAID))
    assert said.kept == ["/home/ann/folder"]
    with pair.mirror_seen() as mirror:
        assert (mirror / "home/ann/folder/letter").read_bytes() == b"letter"
    night(pair, pair.plan())
    with pair.mirror_seen() as mirror:
        assert (mirror / "home/ann/folder").read_bytes() == b"now a file"


def test_a_file_that_cannot_be_read_keeps_its_old_copy_and_ends_the_deletions(
    pair: DiskPair,
) -> None:
    with pair.mirror_seen() as mirror:
        good = (mirror / SCATTERED).read_bytes()
    break_source(pair)
    # Its time is new, so that rsync looks into it.
    os.utime(pair.root / SCATTERED)
    lose_files(pair)
    said = night(pair, pair.plan())
    with pair.mirror_seen() as mirror:
        assert (mirror / SCATTERED).read_bytes() == good
    assert f"/{SCATTERED}" in said.unreadable
    assert re.search("could not be read", said.failing_source[0])
    # What came after the error: another file system, boot files, old kernels.
    assert kept(pair)[1:] == [True, True]


def test_a_comparison_meets_what_no_other_run_reads(pair: DiskPair, tmp_path: Path) -> None:
    weeks = Weeks(pair, tmp_path / "digests.sqlite")
    assert weeks.run() == {}
    good = weeks.on_mirror(SCATTERED)
    break_source(pair)
    lose_files(pair)
    (suspect,) = weeks.compare("/").suspects
    assert (suspect.verdict, suspect.taken) == (Verdict.UNREADABLE, False)
    assert weeks.run("/") == {f"/{SCATTERED}": Verdict.UNREADABLE}
    assert weeks.on_mirror(SCATTERED) == good
    assert kept(pair) == [True, True, True]


def test_a_boot_file_that_cannot_be_read_keeps_its_old_copy(pair: DiskPair) -> None:
    make_scattered(pair.root / "etc/default/grub.d/b.cfg")
    night(pair, pair.plan())
    with pair.mirror_seen() as mirror:
        good = (mirror / "etc/default/grub.d/b.cfg").read_bytes()
    break_source(pair, "etc/default/grub.d/b.cfg")
    said = night(pair, pair.plan())
    assert "/etc/default/grub.d/b.cfg" in said.unreadable
    with pair.mirror_seen() as mirror:
        assert (mirror / "etc/default/grub.d/b.cfg").read_bytes() == good
